"""Wait in the triggerer until a job of any kind has ended."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from flywheel.triggers.base import PollingTrigger
from include.core.sagemaker.kinds import kind_named
from include.core.sagemaker.runner import AttachedJob, JobOwner, JobRunner


class JobEndedTrigger(PollingTrigger):
    """Fire when a job has ended or the task's deadline has passed; log what the job logs.

    :param kind: name of the `JobKind`
    :param job: the job's name
    :param task: who waits, see `JobOwner`
    :param attempt: and which attempt of it
    :param tokens: how far the job's log streams were read already
    """

    def __init__(
        self,
        *,
        kind: str,
        job: str,
        task: str,
        attempt: str,
        tokens: dict[str, str] | None = None,
        **waiting: Any,  # noqa: ANN401 - of the base
    ) -> None:
        # the runner brings these tokens up to date, and they are serialised as they are by then
        self.tokens = dict(tokens or {})
        super().__init__(kind=kind, job=job, task=task, attempt=attempt, tokens=self.tokens, **waiting)
        self._attached = AttachedJob(job=job, key="", uri="", interval=[], tokens=self.tokens)
        self._runner = JobRunner(
            self.hook,
            kind_named(kind),
            poll_interval_s=self.poll_interval_s,
            owner=JobOwner(task, attempt),
            on_line=partial(self.log.info, "%s"),
            log=self.log,
        )

    def is_waiting(self) -> bool:
        """Return whether the job runs."""
        return self._runner.kind.is_active(self._runner.look(self._attached))

    def event(self) -> dict[str, Any]:
        """Return how far the log was read."""
        return {"tokens": self.tokens}

    async def on_kill(self) -> None:
        """Stop the job when a person ends the task; `cleanup` would also run when the triggerer restarts."""
        await asyncio.to_thread(self._runner.release, self._attached.job)
