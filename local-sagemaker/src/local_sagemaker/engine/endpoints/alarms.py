"""CloudWatch alarms: what state an alarm is in, judged whenever somebody asks.

An alarm looks at its metric in windows of one period each that end now, and not, as CloudWatch's do, at whole
minutes of the clock: so it alarms as soon as the last period breaches.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import ge, gt, le, lt
from types import MappingProxyType
from typing import Any

from local_sagemaker.engine.endpoints.meters import Distribution, Meters
from local_sagemaker.engine.endpoints.series import statistic, values
from local_sagemaker.storage.store import Resource, Store

KIND = "alarm"
OK, ALARM, UNKNOWN = "OK", "ALARM", "INSUFFICIENT_DATA"
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {
        "GreaterThanOrEqualToThreshold": ge,
        "GreaterThanThreshold": gt,
        "LessThanThreshold": lt,
        "LessThanOrEqualToThreshold": le,
    }
)
#: values of TreatMissingData
MISSING = ("breaching", "notBreaching", "ignore", "missing")


@dataclass(frozen=True)
class Verdict:
    """What an alarm is in, and why."""

    value: str
    reason: str


def judge(alarm: Mapping[str, Any], points: Sequence[float | None], former: str) -> Verdict:
    """The state of an alarm (a request of PutMetricAlarm).

    :param points: the metric in each of its evaluation periods, the newest first; None where it has no data.
    :param former: the state it was in.
    """
    threshold, breaches = alarm["Threshold"], COMPARISONS[alarm["ComparisonOperator"]]
    needed = alarm.get("DatapointsToAlarm", len(points))
    treatment = alarm.get("TreatMissingData", "missing")
    found = [point for point in points if point is not None]
    breaching = sum(breaches(point, threshold) for point in found)
    if treatment == "breaching":
        breaching += len(points) - len(found)
    told = f"{len(found)} of {len(points)} periods have data ({_listed(found)}), {breaching} breach"
    reason = (
        f"{told} the threshold {threshold:g} ({alarm['ComparisonOperator']}), {needed} are needed to alarm."
    )
    if breaching >= needed:
        return Verdict(ALARM, f"Threshold Crossed: {reason}")
    if not found and treatment == "missing":
        return Verdict(UNKNOWN, f"Insufficient Data: {reason}")
    if not found and treatment == "ignore":
        return Verdict(former, f"No data, the state is kept: {reason}")
    return Verdict(OK, f"Threshold not crossed: {reason}")


def points(store: Store, meters: Meters, alarm: Mapping[str, Any], now: float) -> list[float | None]:
    """The metric of an alarm in each of its evaluation periods, the newest first."""
    period, count = alarm["Period"], alarm["EvaluationPeriods"]
    name = alarm.get("Statistic") or alarm["ExtendedStatistic"]
    # whole seconds, as metrics are kept; the one that has just begun belongs to it
    end = int(now) + 1
    windows = [Distribution() for _ in range(count)]
    for at, found in values(store, meters, alarm, end - period * count, end):
        windows[(end - 1 - at) // period].merge(found)
    return [statistic(window, name) if window.count else None for window in windows]


def current(store: Store, meters: Meters, name: str) -> Resource | None:
    """An alarm as it is now, None if there is none; a change of its state is kept."""
    found = store.get(KIND, name)
    if found is None:
        return None
    now = time.time()
    verdict = judge(found.document, points(store, meters, found.document, now), found.state["value"])
    if verdict.value == found.state["value"]:
        return found
    state = {"value": verdict.value, "reason": verdict.reason, "since": now}
    return store.change(KIND, name, lambda resource: replace(resource, state=state))


def _listed(numbers: Sequence[float]) -> str:
    shown = ", ".join(f"{number:g}" for number in numbers[:5])
    return f"{shown}, ..." if len(numbers) > 5 else shown or "none"  # noqa: PLR2004 - enough to see
