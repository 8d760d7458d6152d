"""Wait in the triggerer until a canary has been tried long enough, or has raised an alarm."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from flywheel.hooks.sagemaker import SageMakerHook
from include.core.cycle import Rollout
from include.core.sagemaker.endpoints import Endpoint
from include.core.sagemaker.readings import judged


class BakeTrigger(BaseTrigger):
    """Fires when there is something to do about the canary of an endpoint, or the task's deadline has passed.

    :param endpoint: the endpoint's name
    :param final: the configuration that is on trial
    :param rollout: the cycle's `Rollout` as a dict
    :param aws_conn_id: Airflow's connection
    :param poll_interval_s: seconds between two looks
    :param deadline: seconds since 1970 at which to give up, or None
    """

    def __init__(
        self,
        *,
        endpoint: str,
        final: str,
        rollout: Mapping[str, Any],
        aws_conn_id: str,
        poll_interval_s: float,
        deadline: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's has no types
        self.endpoint, self.final, self.rollout = endpoint, final, dict(rollout)
        self.aws_conn_id, self.poll_interval_s, self.deadline = aws_conn_id, poll_interval_s, deadline
        self._hook = SageMakerHook(aws_conn_id)
        self._endpoint = Endpoint(self._hook, endpoint)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the trigger as Airflow keeps it in its database."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "endpoint": self.endpoint,
            "final": self.final,
            "rollout": self.rollout,
            "aws_conn_id": self.aws_conn_id,
            "poll_interval_s": self.poll_interval_s,
            "deadline": self.deadline,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is a judgement; the task judges again, this only wakes it."""
        while True:
            # boto3 blocks, and the triggerer's loop belongs to all triggers.
            is_baking = await asyncio.to_thread(self._is_baking)
            is_late = self.deadline is not None and time.time() > self.deadline
            if not is_baking or is_late:
                yield TriggerEvent({"is_late": is_baking and is_late})  # type: ignore[no-untyped-call]  # Airflow's has no types
                return
            await asyncio.sleep(self.poll_interval_s)

    async def on_kill(self) -> None:
        """Give the endpoint back to the champion when a person ends the task."""
        await asyncio.to_thread(self._endpoint.abandon, self.final)

    def _is_baking(self) -> bool:
        seen = self._endpoint.look()
        if seen.canary is None or seen.is_active:
            return False
        return judged(self._hook, self.endpoint, seen.canary, Rollout(**self.rollout)).is_good is None
