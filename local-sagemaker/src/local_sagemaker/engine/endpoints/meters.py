"""What CloudWatch knows of an endpoint's variants: their invocations, second by second.

Kept in memory, apart from the containers, so that a variant's metrics go on when its containers are replaced
and stay readable after the endpoint has gone. A restart of the service forgets them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

#: how long single seconds are kept, and the minutes they are then put together to, in seconds
SECONDS_KEPT_S = 15 * 60
MINUTES_KEPT_S = 24 * 3600
MINUTE_S = 60
#: values that differ by less than this share are counted together, which bounds a percentile's error
RESOLUTION = 0.01
_BASE = math.log1p(RESOLUTION)


@dataclass
class Distribution:
    """Values of one metric in one stretch of time: exact in count, sum and bounds, to 1 % in between."""

    count: float = 0
    total: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    #: how many values, by the logarithm of their size; the index None is for 0 and less
    bins: dict[int | None, float] = field(default_factory=dict)

    def add(self, value: float, times: float = 1) -> None:
        """Take in a value, so many times."""
        self.count += times
        self.total += value * times
        self.low, self.high = min(self.low, value), max(self.high, value)
        index = math.ceil(math.log(value) / _BASE) if value > 0 else None
        self.bins[index] = self.bins.get(index, 0) + times

    def merge(self, other: Distribution) -> None:
        """Take in all values of another."""
        self.count += other.count
        self.total += other.total
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        for index, times in other.bins.items():
            self.bins[index] = self.bins.get(index, 0) + times

    def percentile(self, percent: float) -> float:
        """The value that `percent` of all values do not exceed; there must be some."""
        wanted, passed = self.count * percent / 100, 0.0
        for index in sorted(self.bins, key=lambda found: -math.inf if found is None else found):
            passed += self.bins[index]
            if passed >= wanted:
                value = 0.0 if index is None else math.exp((index - 0.5) * _BASE)
                return min(max(value, self.low), self.high)
        return self.high


@dataclass
class Tally:
    """The invocations of one variant in one stretch of time."""

    invocations: int = 0
    errors_4xx: int = 0
    errors_5xx: int = 0
    #: microseconds; an invocation that no container answered has none
    model_us: Distribution = field(default_factory=Distribution)
    overhead_us: Distribution = field(default_factory=Distribution)

    def merge(self, other: Tally) -> None:
        """Take in the invocations of another."""
        self.invocations += other.invocations
        self.errors_4xx += other.errors_4xx
        self.errors_5xx += other.errors_5xx
        self.model_us.merge(other.model_us)
        self.overhead_us.merge(other.overhead_us)

    def ones(self, number: int) -> Distribution:
        """A metric that is 1 for `number` of the invocations and 0 for the others."""
        found = Distribution()
        for value, times in ((1.0, number), (0.0, self.invocations - number)):
            if times:
                found.add(value, times)
        return found


@dataclass(frozen=True)
class Metric:
    """One metric as CloudWatch describes it."""

    unit: str
    of: Callable[[Tally], Distribution]


#: the metrics of the namespace AWS/SageMaker that are kept, by name
METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "Invocations": Metric("None", lambda tally: tally.ones(tally.invocations)),
        "Invocation4XXErrors": Metric("None", lambda tally: tally.ones(tally.errors_4xx)),
        "Invocation5XXErrors": Metric("None", lambda tally: tally.ones(tally.errors_5xx)),
        "InvocationModelErrors": Metric(
            "None", lambda tally: tally.ones(tally.errors_4xx + tally.errors_5xx)
        ),
        "ModelLatency": Metric("Microseconds", lambda tally: tally.model_us),
        "OverheadLatency": Metric("Microseconds", lambda tally: tally.overhead_us),
    }
)


class Meter:
    """The invocations of one variant of one endpoint; times are seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._seconds: dict[int, Tally] = {}
        self._minutes: dict[int, Tally] = {}

    def count(self, status: int, model_us: int | None, overhead_us: int | None) -> None:
        """Count one invocation that ended with `status`."""
        second = int(self._clock())
        tally = self._seconds.get(second)
        if tally is None:
            self._age(second)
            tally = self._seconds[second] = Tally()
        tally.invocations += 1
        tally.errors_4xx += 400 <= status < 500  # noqa: PLR2004 - HTTP's classes
        tally.errors_5xx += status >= 500  # noqa: PLR2004 - HTTP's classes
        if model_us is not None:
            tally.model_us.add(model_us)
        if overhead_us is not None:
            tally.overhead_us.add(overhead_us)

    def tallies(self, start: float, end: float) -> Iterator[tuple[int, Tally]]:
        """What began from `start` on and before `end`, with the second it began."""
        for kept in (self._minutes, self._seconds):
            yield from ((at, tally) for at, tally in list(kept.items()) if start <= at < end)

    def is_forgotten(self) -> bool:
        """Whether nothing of it is young enough to be kept."""
        oldest = self._clock() - MINUTES_KEPT_S
        return all(at < oldest for at in (*self._minutes, *self._seconds))

    def _age(self, now: int) -> None:
        """Put old seconds together to minutes, and forget old minutes; both are in order of time."""
        for second in [at for at in self._seconds if at < now - SECONDS_KEPT_S]:
            minute = second - second % MINUTE_S
            self._minutes.setdefault(minute, Tally()).merge(self._seconds.pop(second))
        for minute in [at for at in self._minutes if at < now - MINUTES_KEPT_S]:
            del self._minutes[minute]


class Meters:
    """The meters of all variants there are or were: of the variant, and of each configuration it had."""

    def __init__(self) -> None:
        self._meters: dict[tuple[str, str, str | None], Meter] = {}

    def of(self, endpoint: str, variant: str, config: str | None = None) -> Meter:
        """The meter of a variant, the same through all its generations; with `config`, that one's alone."""
        return self._meters.setdefault((endpoint, variant, config), Meter())

    def forget(self, in_use: Collection[Meter]) -> None:
        """Let go of meters that nobody counts on any more and that have nothing left to tell."""
        for key, meter in list(self._meters.items()):
            if meter not in in_use and meter.is_forgotten():
                del self._meters[key]

    def find(self, endpoint: str, variant: str, config: str | None = None) -> Meter | None:
        """The meter of a variant, or None if there is none."""
        return self._meters.get((endpoint, variant, config))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(sorted(key[:2] for key in self._meters if key[2] is None))
