"""Reads metrics: what became of the invocations of endpoints (meters.py), and what PutMetricData has kept."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from local_sagemaker.engine.endpoints.meters import METRICS, MINUTE_S, Distribution, Meters
from local_sagemaker.errors import InvalidParameterValueException
from local_sagemaker.storage.store import Store

NAMESPACE = "AWS/SageMaker"
#: how long a point that was put is kept, in seconds, and how many values one datum has at most
KEPT_S, VALUES = 15 * 24 * 3600, 150
ENDPOINT, VARIANT, CONFIG = "EndpointName", "VariantName", "EndpointConfigName"
#: periods shorter than a minute that CloudWatch knows, in seconds
SHORT_PERIODS = frozenset({1, 5, 10, 20, 30})
PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")

Series = dict[datetime, Distribution]


def statistic(values: Distribution, name: str) -> float:
    """A statistic by CloudWatch's name: Sum, p99, ...; `values` must have some."""
    match name:
        case "SampleCount":
            return float(values.count)
        case "Sum":
            return values.total
        case "Average":
            return values.total / values.count
        case "Minimum":
            return values.low
        case "Maximum":
            return values.high
    found = PERCENTILE.fullmatch(name)
    if found is None:
        raise InvalidParameterValueException(
            f"The statistic {name!r} is not emulated. There are SampleCount, Sum, Average, Minimum, Maximum, "
            "and percentiles such as p99."
        )
    return values.percentile(float(found.group(1)))


def series(
    store: Store, meters: Meters, metric: Mapping[str, Any], period: int, span: tuple[datetime, datetime]
) -> Series:
    """The values of a metric by the beginning of each period that has some.

    As CloudWatch does, a period of minutes begins on a whole minute, and an unknown metric is one without
    points.
    """
    if period not in SHORT_PERIODS and period % MINUTE_S:
        raise InvalidParameterValueException(
            f"The period {period} is none of {sorted(SHORT_PERIODS)} nor a multiple of {MINUTE_S} seconds."
        )
    grain = MINUTE_S if period % MINUTE_S == 0 else period
    begin = math.floor(span[0].timestamp() / grain) * grain
    found: dict[int, Distribution] = {}
    for at, one in values(store, meters, metric, begin, span[1].timestamp()):
        found.setdefault(begin + (at - begin) // period * period, Distribution()).merge(one)
    return {datetime.fromtimestamp(at, UTC): found[at] for at in sorted(found) if found[at].count}


def values(
    store: Store, meters: Meters, metric: Mapping[str, Any], begin: float, end: float
) -> Iterator[tuple[int, Distribution]]:
    """The values of a metric from `begin` on and before `end`, with the second they belong to."""
    if metric.get("Namespace") != NAMESPACE:
        yield from kept(store, metric, begin, end)
        return
    dimensions = {item["Name"]: item["Value"] for item in metric.get("Dimensions", [])}
    found = METRICS.get(metric.get("MetricName", ""))
    if found is None or dimensions.keys() not in ({ENDPOINT, VARIANT}, {ENDPOINT, VARIANT, CONFIG}):
        return
    meter = meters.find(dimensions[ENDPOINT], dimensions[VARIANT], dimensions.get(CONFIG))
    if meter is not None:
        # a copy: invocations are counted on the event loop meanwhile
        for at, tally in list(meter.tallies(begin, end)):
            yield at, found.of(tally)


def dimensions_of(metric: Mapping[str, Any]) -> str:
    """A metric's dimensions as the store has them."""
    found = {item["Name"]: item.get("Value", "") for item in metric.get("Dimensions", [])}
    return json.dumps(found, sort_keys=True)


def kept(
    store: Store, metric: Mapping[str, Any], begin: float, end: float
) -> Iterator[tuple[int, Distribution]]:
    """The points of a metric by the second they belong to."""
    asked = {
        "namespace": metric.get("Namespace", ""),
        "metric": metric.get("MetricName", ""),
        "dimensions": dimensions_of(metric),
    }
    for row in store.points(**asked, begin=begin, end=end):
        yield int(row["at"]), _distribution(row)


def _distribution(row: Mapping[str, Any]) -> Distribution:
    content, found = json.loads(row["content"]), Distribution()
    if isinstance(content, dict):
        # a statistic set does not say what lies between its bounds; CloudWatch answers percentiles of it
        # only where there is nothing between
        return Distribution(content["count"], content["total"], row["low"], row["high"])
    for value, times in content:
        found.add(value, times)
    return found
