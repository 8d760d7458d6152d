"""The metrics of endpoints as CloudWatch shows them, and the alarms on metrics.

Invocations are counted in memory, apart from the containers: a variant's metrics continue when its containers
are replaced, and stay readable after the endpoint is deleted. A restart of the service forgets them. Points
of PutMetricData come from the store.

An alarm is judged whenever it is read, in windows of one period each that end now. CloudWatch's windows end
at whole minutes of the clock; here an alarm changes as soon as the last period breaches.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from local_sagemaker.domain.cloudwatch import MINUTE_S, Distribution, dimensions_key, judge_alarm, statistic
from local_sagemaker.errors import InvalidParameterValueException
from local_sagemaker.storage.store import Resource, Store

NAMESPACE = "AWS/SageMaker"
ENDPOINT, VARIANT, CONFIG = "EndpointName", "VariantName", "EndpointConfigName"
ALARM_KIND = "alarm"
#: how long single seconds are kept before they are merged into minutes, and how long the minutes, in seconds
SECONDS_KEPT_S, MINUTES_KEPT_S = 15 * 60, 24 * 3600
#: CloudWatch's periods shorter than a minute, in seconds
SHORT_PERIODS = frozenset({1, 5, 10, 20, 30})

Series = dict[datetime, Distribution]


@dataclass
class StatusCounts:
    """How many invocations there were, and how many of them failed."""

    invocations: int = 0
    errors_4xx: int = 0
    errors_5xx: int = 0

    def count_status(self, status: int) -> None:
        """Count one invocation that ended with `status`."""
        self.invocations += 1
        self.errors_4xx += 400 <= status < 500  # noqa: PLR2004 - HTTP's classes
        self.errors_5xx += status >= 500  # noqa: PLR2004 - HTTP's classes


@dataclass
class InvocationTally(StatusCounts):
    """The invocations of one variant in one stretch of time."""

    #: microseconds; an invocation that no container answered has no value
    model_us: Distribution = field(default_factory=Distribution)
    overhead_us: Distribution = field(default_factory=Distribution)

    def merge(self, other: InvocationTally) -> None:
        """Add the invocations of another tally."""
        self.invocations += other.invocations
        self.errors_4xx += other.errors_4xx
        self.errors_5xx += other.errors_5xx
        self.model_us.merge(other.model_us)
        self.overhead_us.merge(other.overhead_us)

    def indicator(self, number: int) -> Distribution:
        """Return a metric that is 1 for `number` of the invocations and 0 for the others."""
        distribution = Distribution()
        for value, times in ((1.0, number), (0.0, self.invocations - number)):
            if times:
                distribution.add(value, times)
        return distribution


@dataclass(frozen=True)
class Metric:
    """One metric of the namespace AWS/SageMaker."""

    unit: str
    of: Callable[[InvocationTally], Distribution]


#: name -> metric
METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "Invocations": Metric("None", lambda tally: tally.indicator(tally.invocations)),
        "Invocation4XXErrors": Metric("None", lambda tally: tally.indicator(tally.errors_4xx)),
        "Invocation5XXErrors": Metric("None", lambda tally: tally.indicator(tally.errors_5xx)),
        "InvocationModelErrors": Metric(
            "None", lambda tally: tally.indicator(tally.errors_4xx + tally.errors_5xx)
        ),
        "ModelLatency": Metric("Microseconds", lambda tally: tally.model_us),
        "OverheadLatency": Metric("Microseconds", lambda tally: tally.overhead_us),
    }
)


class Meter:
    """The invocations of one variant of one endpoint; times are seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._seconds: dict[int, InvocationTally] = {}
        self._minutes: dict[int, InvocationTally] = {}

    def count(self, status: int, model_us: int | None, overhead_us: int | None) -> None:
        """Count one invocation that ended with `status`."""
        second = int(self._clock())
        tally = self._seconds.get(second)
        if tally is None:
            self._age(second)
            tally = self._seconds[second] = InvocationTally()
        tally.count_status(status)
        if model_us is not None:
            tally.model_us.add(model_us)
        if overhead_us is not None:
            tally.overhead_us.add(overhead_us)

    def tallies(self, start: float, end: float) -> Iterator[tuple[int, InvocationTally]]:
        """Yield each tally that begins in [start, end), with its first second."""
        for kept in (self._minutes, self._seconds):
            yield from ((at, tally) for at, tally in list(kept.items()) if start <= at < end)

    def is_expired(self) -> bool:
        """Return whether all of its tallies are too old to be kept."""
        oldest = self._clock() - MINUTES_KEPT_S
        return all(at < oldest for at in (*self._minutes, *self._seconds))

    def _age(self, now: int) -> None:
        """Merge old seconds into minutes and drop old minutes; both are in order of time."""
        for second in [at for at in self._seconds if at < now - SECONDS_KEPT_S]:
            minute = second - second % MINUTE_S
            self._minutes.setdefault(minute, InvocationTally()).merge(self._seconds.pop(second))
        for minute in [at for at in self._minutes if at < now - MINUTES_KEPT_S]:
            del self._minutes[minute]


class Meters:
    """The meters of all present and past variants: one of the variant, and one of each configuration."""

    def __init__(self) -> None:
        self._meters: dict[tuple[str, str, str | None], Meter] = {}

    def of(self, endpoint: str, variant: str, config: str | None = None) -> Meter:
        """Return the meter of a variant over all its generations; with `config`, of that one alone."""
        return self._meters.setdefault((endpoint, variant, config), Meter())

    def get(self, endpoint: str, variant: str, config: str | None = None) -> Meter | None:
        """Return the meter of a variant; None if there is none."""
        return self._meters.get((endpoint, variant, config))

    def drop_expired(self, in_use: Collection[Meter]) -> None:
        """Drop the expired meters, except those in use."""
        for key, meter in list(self._meters.items()):
            if meter not in in_use and meter.is_expired():
                del self._meters[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(sorted(key[:2] for key in self._meters if key[2] is None))


def read_series(
    store: Store, meters: Meters, metric: Mapping[str, Any], period: int, span: tuple[datetime, datetime]
) -> Series:
    """Return the values of a metric by the start of each period that has some.

    As in CloudWatch, a period of minutes begins on a whole minute, and an unknown metric has no points.
    """
    if period not in SHORT_PERIODS and period % MINUTE_S:
        raise InvalidParameterValueException(
            f"The period {period} is none of {sorted(SHORT_PERIODS)} nor a multiple of {MINUTE_S} seconds."
        )
    grain = MINUTE_S if period % MINUTE_S == 0 else period
    begin = math.floor(span[0].timestamp() / grain) * grain
    periods: dict[int, Distribution] = {}
    for at, values in read_values(store, meters, metric, begin, span[1].timestamp()):
        periods.setdefault(begin + (at - begin) // period * period, Distribution()).merge(values)
    return {datetime.fromtimestamp(at, UTC): periods[at] for at in sorted(periods) if periods[at].count}


def read_values(
    store: Store, meters: Meters, metric: Mapping[str, Any], begin: float, end: float
) -> Iterator[tuple[int, Distribution]]:
    """Yield the values of a metric in [begin, end), with the second they belong to."""
    if metric.get("Namespace") != NAMESPACE:
        yield from _stored_values(store, metric, begin, end)
        return
    dimensions = {item["Name"]: item["Value"] for item in metric.get("Dimensions", [])}
    kind = METRICS.get(metric.get("MetricName", ""))
    if kind is None or dimensions.keys() not in ({ENDPOINT, VARIANT}, {ENDPOINT, VARIANT, CONFIG}):
        return
    meter = meters.get(dimensions[ENDPOINT], dimensions[VARIANT], dimensions.get(CONFIG))
    if meter is not None:
        # a copy: the event loop counts invocations meanwhile
        for at, tally in list(meter.tallies(begin, end)):
            yield at, kind.of(tally)


def read_alarm(store: Store, meters: Meters, name: str) -> Resource | None:
    """Return an alarm with its state of now, and store a change of it; return None if there is none."""
    alarm = store.get(ALARM_KIND, name)
    if alarm is None:
        return None
    now = time.time()
    period, count = alarm.document["Period"], alarm.document["EvaluationPeriods"]
    measure = alarm.document.get("Statistic") or alarm.document["ExtendedStatistic"]
    # Metrics are kept by the second; the second that has just begun is included. The newest window is first.
    end = int(now) + 1
    windows = [Distribution() for _ in range(count)]
    for at, values in read_values(store, meters, alarm.document, end - period * count, end):
        windows[(end - 1 - at) // period].merge(values)
    points = [statistic(window, measure) if window.count else None for window in windows]
    judged = judge_alarm(alarm.document, points, alarm.state["value"])
    if judged.value == alarm.state["value"]:
        return alarm
    state = {"value": judged.value, "reason": judged.reason, "since": now}
    return store.change(ALARM_KIND, name, lambda resource: replace(resource, state=state))


def _stored_values(
    store: Store, metric: Mapping[str, Any], begin: float, end: float
) -> Iterator[tuple[int, Distribution]]:
    rows = store.points(
        namespace=metric.get("Namespace", ""),
        metric=metric.get("MetricName", ""),
        dimensions=dimensions_key(metric),
        begin=begin,
        end=end,
    )
    for row in rows:
        content, distribution = json.loads(row["content"]), Distribution()
        if isinstance(content, dict):
            # A statistic set does not say how its values spread between its bounds. CloudWatch computes
            # percentiles of it only if the bounds are equal.
            distribution = Distribution(content["count"], content["total"], row["low"], row["high"])
        else:
            for value, times in content:
                distribution.add(value, times)
        yield int(row["at"]), distribution
