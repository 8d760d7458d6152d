"""Wait in the triggerer until a job of any kind has ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from flywheel.hooks.sagemaker import SageMakerHook
from include.core.sagemaker.kinds import kind_named
from include.core.sagemaker.runner import AttachedJob, JobOwner, JobRunner


class JobEndedTrigger(BaseTrigger):
    """Fires when a job has ended or the task's deadline has passed; logs what the job logs.

    The deadline lives here because Airflow does not enforce `execution_timeout` while a task is deferred.

    :param kind: name of the `JobKind`
    :param job: the job's name
    :param task: who waits, see `JobOwner`
    :param attempt: and which attempt of it
    :param aws_conn_id: Airflow's connection
    :param poll_interval_s: seconds between two looks
    :param deadline: seconds since 1970 at which to give up, or None
    :param tokens: how far the job's log streams were read already
    """

    def __init__(
        self,
        *,
        kind: str,
        job: str,
        task: str,
        attempt: str,
        aws_conn_id: str,
        poll_interval_s: float,
        deadline: float | None = None,
        tokens: dict[str, str] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's has no types
        self.kind, self.job, self.attempt = kind_named(kind), job, attempt
        # `task` itself is what Airflow calls the operator of a trigger.
        self.task_key = task
        self.aws_conn_id, self.poll_interval_s, self.deadline = aws_conn_id, poll_interval_s, deadline
        self.tokens = dict(tokens or {})
        self._attached = AttachedJob(
            job=job, key="", uri="", interval=[], task=task, attempt=attempt, tokens=self.tokens
        )
        self._runner = JobRunner(
            SageMakerHook(aws_conn_id),
            self.kind,
            poll_interval_s=poll_interval_s,
            owner=JobOwner(task, attempt),
            on_line=partial(self.log.info, "%s"),
            log=self.log,
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the trigger as Airflow keeps it in its database."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "kind": self.kind.name,
            "job": self.job,
            "task": self.task_key,
            "attempt": self.attempt,
            "aws_conn_id": self.aws_conn_id,
            "poll_interval_s": self.poll_interval_s,
            "deadline": self.deadline,
            "tokens": self.tokens,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until the job has ended; the task judges, this only wakes it."""
        while True:
            # boto3 blocks, and the triggerer's loop belongs to all triggers.
            is_active = await asyncio.to_thread(self._look)
            is_late = self.deadline is not None and time.time() > self.deadline
            if not is_active or is_late:
                event = {"is_late": is_active and is_late, "tokens": self.tokens}
                yield TriggerEvent(event)  # type: ignore[no-untyped-call]  # Airflow's has no types
                return
            await asyncio.sleep(self.poll_interval_s)

    async def on_kill(self) -> None:
        """Stop the job when a person ends the task; `cleanup` would also run when the triggerer restarts."""
        await asyncio.to_thread(self._runner.release, self.job)

    def _look(self) -> bool:
        return self.kind.is_active(self._runner.look(self._attached))
