"""CloudWatch's arithmetic: distributions of values, their statistics, and the state of an alarm.

| state of an alarm | periods                                                   | next              |
|-------------------|-----------------------------------------------------------|-------------------|
| any               | at least DatapointsToAlarm breach the threshold           | ALARM             |
| any               | no data, TreatMissingData is `missing`                    | INSUFFICIENT_DATA |
| any               | no data, TreatMissingData is `ignore`                     | unchanged         |
| any               | all else                                                  | OK                |
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import ge, gt, le, lt
from types import MappingProxyType
from typing import Any

MINUTE_S = 60
#: how long a point of PutMetricData is kept, in seconds
POINTS_KEPT_S = 15 * 24 * 3600
#: most values of one datum of PutMetricData
VALUES_PER_DATUM = 150
#: values that differ by less than this share are counted together, which bounds a percentile's error
RESOLUTION = 0.01
_BASE = math.log1p(RESOLUTION)
PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {
        "GreaterThanOrEqualToThreshold": ge,
        "GreaterThanThreshold": gt,
        "LessThanThreshold": lt,
        "LessThanOrEqualToThreshold": le,
    }
)
#: values of TreatMissingData
MISSING_DATA_TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")
#: how many values an alarm's reason lists
LISTED = 5


@dataclass
class Distribution:
    """Values of one metric in one stretch of time: count, sum and bounds are exact, percentiles to 1 %."""

    count: float = 0
    total: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    #: how many values, by the logarithm of their size; the index None holds values of 0 and less
    bins: dict[int | None, float] = field(default_factory=dict)

    def add(self, value: float, times: float = 1) -> None:
        """Add a value `times` times."""
        self.count += times
        self.total += value * times
        self.low, self.high = min(self.low, value), max(self.high, value)
        index = math.ceil(math.log(value) / _BASE) if value > 0 else None
        self.bins[index] = self.bins.get(index, 0) + times

    def merge(self, other: Distribution) -> None:
        """Add all values of another distribution."""
        self.count += other.count
        self.total += other.total
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        for index, times in other.bins.items():
            self.bins[index] = self.bins.get(index, 0) + times

    def percentile(self, percent: float) -> float:
        """Return the value that `percent` of all values do not exceed; the distribution is not empty."""
        wanted, passed = self.count * percent / 100, 0.0
        for index in sorted(self.bins, key=lambda key: -math.inf if key is None else key):
            passed += self.bins[index]
            if passed >= wanted:
                value = 0.0 if index is None else math.exp((index - 0.5) * _BASE)
                return min(max(value, self.low), self.high)
        return self.high


#: by CloudWatch's name, of at least one value; percentiles come besides
STATISTICS: Mapping[str, Callable[[Distribution], float]] = MappingProxyType(
    {
        "SampleCount": lambda values: float(values.count),
        "Sum": lambda values: values.total,
        "Average": lambda values: values.total / values.count,
        "Minimum": lambda values: values.low,
        "Maximum": lambda values: values.high,
    }
)


def is_statistic(name: str) -> bool:
    """Return whether `statistic` computes a statistic of this name."""
    return name in STATISTICS or PERCENTILE.fullmatch(name) is not None


def statistic(values: Distribution, name: str) -> float:
    """Return a statistic of values by CloudWatch's name: Sum, p99, ...; there is at least one value.

    :raises ValueError: when `is_statistic` denies the name.
    """
    if name in STATISTICS:
        return STATISTICS[name](values)
    percentile = PERCENTILE.fullmatch(name)
    if percentile is None:
        raise ValueError(f"{name!r} is not a statistic.")
    return values.percentile(float(percentile.group(1)))


def dimensions_key(metric: Mapping[str, Any]) -> str:
    """Return a metric's dimensions as the text under which the store keeps its points."""
    values = {item["Name"]: item.get("Value", "") for item in metric.get("Dimensions", [])}
    return json.dumps(values, sort_keys=True)


@dataclass(frozen=True)
class AlarmState:
    """StateValue and StateReason of an alarm."""

    value: str
    reason: str


def judge_alarm(alarm: Mapping[str, Any], points: Sequence[float | None], previous: str) -> AlarmState:
    """Return the state of an alarm (a request of PutMetricAlarm).

    :param points: the metric in each evaluation period, the newest first; None where it has no data.
    :param previous: the StateValue so far.
    """
    threshold, breaches = alarm["Threshold"], COMPARISONS[alarm["ComparisonOperator"]]
    needed = alarm.get("DatapointsToAlarm", len(points))
    treatment = alarm.get("TreatMissingData", "missing")
    present = [point for point in points if point is not None]
    breaching = sum(breaches(point, threshold) for point in present)
    if treatment == "breaching":
        breaching += len(points) - len(present)
    reason = (
        f"{len(present)} of {len(points)} periods have data ({_listed(present)}), {breaching} breach the "
        f"threshold {threshold:g} ({alarm['ComparisonOperator']}), {needed} are needed to alarm."
    )
    if breaching >= needed:
        return AlarmState(ALARM, f"Threshold Crossed: {reason}")
    if not present and treatment == "missing":
        return AlarmState(INSUFFICIENT_DATA, f"Insufficient Data: {reason}")
    if not present and treatment == "ignore":
        return AlarmState(previous, f"No data, the state is kept: {reason}")
    return AlarmState(OK, f"Threshold not crossed: {reason}")


def _listed(numbers: Sequence[float]) -> str:
    shown = ", ".join(f"{number:g}" for number in numbers[:LISTED])
    return f"{shown}, ..." if len(numbers) > LISTED else shown or "none"
