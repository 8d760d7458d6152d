"""Wait in the triggerer until the intervals before one are ready."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Any, get_args

from flywheel.triggers.base import PollingTrigger
from include.core.code import step_digest
from include.core.cycle import described_cycle
from include.core.dependencies import IntervalDependencies, Need
from include.core.exceptions import FlywheelError, PermanentError
from include.core.keys import environment_digest
from include.core.layout import Interval
from include.core.settings import settings


class IntervalReadyTrigger(PollingTrigger):
    """Fire when an interval no longer has to wait, or would wait in vain; the task finds out which.

    :param cycle: the cycle's name
    :param interval: start and end in ISO 8601
    :param need: what the step needs of the intervals before it
    :param since: seconds since 1970 at which the waiting began
    :param patience_s: seconds without any sign of life after which a missing interval counts as a hole
    """

    def __init__(
        self,
        *,
        cycle: str,
        interval: list[str],
        need: Need,
        since: float,
        patience_s: float,
        **waiting: Any,  # noqa: ANN401 - of the base
    ) -> None:
        super().__init__(
            cycle=cycle, interval=interval, need=need, since=since, patience_s=patience_s, **waiting
        )
        if need not in get_args(Need):
            raise FlywheelError(f"There is no need {need!r}. Known: {', '.join(get_args(Need))}.")
        self.interval, self.need, self.since = Interval.from_iso(interval), need, since
        self.cycle, self.patience = cycle, timedelta(seconds=patience_s)
        self._logged: Interval | None = None

    @cached_property
    def _dependencies(self) -> IntervalDependencies:
        return IntervalDependencies(self.hook, described_cycle(self.cycle), settings(), self.patience)

    def is_waiting(self) -> bool:
        """Return whether an earlier interval is awaited, and log which one, when that changes."""
        # The triggerer lives longer than the code it was started with.
        step_digest.cache_clear()
        environment_digest.cache_clear()
        try:
            awaited = self._dependencies.awaited(self.need, self.interval, self.since)
        except PermanentError as error:
            self.log.warning("%s", error)
            return False
        if awaited not in {None, self._logged}:
            self.log.info("Waiting until %s is %s", awaited, self.need)
            self._logged = awaited
        return awaited is not None
