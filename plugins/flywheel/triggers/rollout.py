"""Wait in the triggerer until a canary has been tried long enough, or has raised an alarm."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from flywheel.triggers.base import PollingTrigger
from include.core.cycle import Rollout
from include.core.sagemaker.endpoints import Endpoint
from include.core.sagemaker.readings import judge_by_metrics


class BakeTrigger(PollingTrigger):
    """Fire when there is something to do about the canary of an endpoint, or the task's deadline has passed.

    :param endpoint: the endpoint's name
    :param final: the configuration that is on trial
    :param rollout: the cycle's `Rollout` as a dict
    """

    def __init__(self, *, endpoint: str, final: str, rollout: Mapping[str, Any], **waiting: Any) -> None:  # noqa: ANN401 - of the base
        super().__init__(endpoint=endpoint, final=final, rollout=dict(rollout), **waiting)
        self._endpoint, self._final, self._rollout = Endpoint(self.hook, endpoint), final, Rollout(**rollout)

    def is_waiting(self) -> bool:
        """Return whether a canary is on trial and its metrics do not decide yet."""
        seen = self._endpoint.look()
        if seen.canary is None or seen.is_active:
            return False
        return judge_by_metrics(self.hook, self._endpoint.name, seen.canary, self._rollout).is_good is None

    async def on_kill(self) -> None:
        """Give the endpoint back to the champion when a person ends the task."""
        await asyncio.to_thread(self._endpoint.abandon, self._final)
