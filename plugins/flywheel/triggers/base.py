"""The base of the triggers: look every so often until there is nothing to wait for."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from flywheel.hooks.sagemaker import SageMakerHook


class PollingTrigger(BaseTrigger):
    """Fire when there is nothing to wait for, or the deadline has passed; the task finds out which.

    The deadline lives here because Airflow does not enforce `execution_timeout` while a task is deferred.

    :param aws_conn_id: Airflow's connection
    :param poll_interval_s: seconds between two looks
    :param deadline: seconds since 1970 at which to give up, or None
    :param arguments: the trigger's own, as Airflow keeps them in its database
    """

    def __init__(
        self,
        *,
        aws_conn_id: str,
        poll_interval_s: float,
        deadline: float | None = None,
        **arguments: Any,  # noqa: ANN401 - any JSON values
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's has no types
        self.hook = SageMakerHook(aws_conn_id)
        self.poll_interval_s, self.deadline = poll_interval_s, deadline
        self._arguments = arguments

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the trigger as Airflow keeps it in its database."""
        common = {
            "aws_conn_id": self.hook.aws_conn_id,
            "poll_interval_s": self.poll_interval_s,
            "deadline": self.deadline,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", {**self._arguments, **common}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is nothing to wait for; the task looks again, this only wakes it."""
        # boto3 blocks, and the triggerer's loop belongs to all triggers.
        while await asyncio.to_thread(self.is_waiting):
            pause_s = self.poll_interval_s
            if self.deadline is not None:
                pause_s = min(pause_s, self.deadline - time.time())
                if pause_s <= 0:
                    break
            await asyncio.sleep(pause_s)
        yield TriggerEvent(self.event())  # type: ignore[no-untyped-call]  # Airflow's has no types

    @abstractmethod
    def is_waiting(self) -> bool:
        """Return whether there is something to wait for; may block."""

    def event(self) -> dict[str, Any]:
        """Return what the woken task is given."""
        return {}
