"""Wait in the triggerer while a notebook instance is in some state."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from flywheel.hooks.sagemaker import SageMakerHook
from include.core.sagemaker.notebooks import Notebook


class NotebookTrigger(BaseTrigger):
    """Fires when an instance has left the statuses that are waited out, or the deadline has passed.

    :param instance: the instance's name
    :param statuses: statuses that are waited out
    :param run: the run that waits: ending the task stops the instance if this run started it
    :param aws_conn_id: Airflow's connection
    :param poll_interval_s: seconds between two looks
    :param deadline: seconds since 1970 at which to give up, or None
    """

    def __init__(
        self,
        *,
        instance: str,
        statuses: list[str],
        run: str,
        aws_conn_id: str,
        poll_interval_s: float,
        deadline: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's has no types
        self._arguments = {
            "instance": instance,
            "statuses": statuses,
            "run": run,
            "aws_conn_id": aws_conn_id,
            "poll_interval_s": poll_interval_s,
            "deadline": deadline,
        }
        self.statuses, self.starter = statuses, run
        self.poll_interval_s, self.deadline = poll_interval_s, deadline
        self._notebook = Notebook(SageMakerHook(aws_conn_id), instance)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the trigger as Airflow keeps it in its database."""
        return f"{type(self).__module__}.{type(self).__qualname__}", self._arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is nothing to wait for; the task looks again, this only wakes it."""
        # boto3 blocks, and the triggerer's loop belongs to all triggers.
        while await asyncio.to_thread(self._notebook.status) in self.statuses:
            pause_s = self.poll_interval_s
            if self.deadline is not None:
                pause_s = min(pause_s, self.deadline - time.time())
                if pause_s <= 0:
                    break
            await asyncio.sleep(pause_s)
        yield TriggerEvent({})  # type: ignore[no-untyped-call]  # Airflow's has no types

    async def on_kill(self) -> None:
        """Stop the instance when a person ends the task, if this run started it."""
        await asyncio.to_thread(self._notebook.stop, self.starter)
