"""Wait in the triggerer until the intervals before one are ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, get_args

from airflow.triggers.base import BaseTrigger, TriggerEvent

from flywheel.hooks.sagemaker import SageMakerHook
from include.core.code import step_digest
from include.core.cycle import find_cycles
from include.core.dependencies import IntervalDependencies, Need
from include.core.exceptions import FlywheelError, PermanentError
from include.core.layout import Interval
from include.core.settings import settings


class IntervalReadyTrigger(BaseTrigger):
    """Fire when an interval no longer has to wait, or would wait in vain; the task finds out which.

    :param cycle: the cycle's name
    :param interval: start and end in ISO 8601
    :param need: what the step needs of the intervals before it
    :param since: seconds since 1970 at which the waiting began
    :param patience_s: seconds without any sign of life after which a missing interval counts as a hole
    :param aws_conn_id: Airflow's connection
    :param poll_interval_s: seconds between two looks
    """

    def __init__(
        self,
        *,
        cycle: str,
        interval: list[str],
        need: str,
        since: float,
        patience_s: float,
        aws_conn_id: str,
        poll_interval_s: float,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's has no types
        if need not in get_args(Need):
            raise FlywheelError(f"There is no need {need!r}. Known: {', '.join(get_args(Need))}.")
        self._arguments = {
            "cycle": cycle,
            "interval": interval,
            "need": need,
            "since": since,
            "patience_s": patience_s,
            "aws_conn_id": aws_conn_id,
            "poll_interval_s": poll_interval_s,
        }
        self.interval, self.need, self.since = Interval.from_iso(interval), need, since
        self.poll_interval_s, self.patience = poll_interval_s, timedelta(seconds=patience_s)
        self.cycle_name, self.aws_conn_id = cycle, aws_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the trigger as Airflow keeps it in its database."""
        return f"{type(self).__module__}.{type(self).__qualname__}", self._arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is nothing to wait for."""
        cycle = find_cycles()[self.cycle_name]
        dependencies = IntervalDependencies(SageMakerHook(self.aws_conn_id), cycle, settings(), self.patience)
        logged: Interval | None = None
        # boto3 blocks, and the triggerer's loop belongs to all triggers.
        while (awaited := await asyncio.to_thread(self._look, dependencies)) is not None:
            if awaited != logged:
                self.log.info("Waiting until %s is %s", awaited, self.need)
                logged = awaited
            await asyncio.sleep(self.poll_interval_s)
        yield TriggerEvent({})  # type: ignore[no-untyped-call]  # Airflow's has no types

    def _look(self, dependencies: IntervalDependencies) -> Interval | None:
        # The triggerer lives longer than the code it was started with.
        step_digest.cache_clear()
        try:
            return dependencies.awaited(self.need, self.interval, self.since)  # type: ignore[arg-type]  # checked when made
        except PermanentError as error:
            self.log.warning("%s", error)
            return None
