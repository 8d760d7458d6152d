"""CloudWatch's PutMetricData: points of anybody's own metrics, kept in the store for fifteen days."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local_sagemaker.domain.cloudwatch import (
    POINTS_KEPT_S,
    VALUES_PER_DATUM,
    dimensions_key,
    is_statistic,
)
from local_sagemaker.errors import InvalidParameterCombinationException, InvalidParameterValueException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.storage.store import Store

DAY_S = 24 * 3600
#: how old and how far ahead of the clock a point may be, in seconds
PAST_S, FUTURE_S = 14 * DAY_S, 2 * 3600
RESERVED = "AWS/"


@operation(
    "cloudwatch",
    "PutMetricData",
    ignored=("StrictEntityValidation", "MetricData.StorageResolution", "EntityMetricData.Entity"),
)
def put_metric_data(context: Context, parameters: dict[str, Any]) -> None:
    """Keep points of metrics in a namespace of one's own; on the disk when it answers."""
    namespace, now = parameters["Namespace"], time.time()
    if namespace.startswith(RESERVED):
        raise InvalidParameterValueException(
            f"The value {namespace} for parameter Namespace is invalid: names that begin with {RESERVED} are "
            "the services' own."
        )
    data = [
        *parameters.get("MetricData", []),
        *(datum for item in parameters.get("EntityMetricData", []) for datum in item.get("MetricData", [])),
    ]
    rows = [_row(namespace, datum, now) for datum in data]
    context.store.put_points(rows, now - POINTS_KEPT_S)


def check_statistic(name: str) -> None:
    """Raise InvalidParameterValueException if there is no statistic of this name."""
    if not is_statistic(name):
        raise InvalidParameterValueException(
            f"The statistic {name!r} is not emulated. There are SampleCount, Sum, Average, Minimum, Maximum, "
            "and percentiles such as p99."
        )


def unit(store: Store, metric: Mapping[str, Any]) -> str:
    """The unit in which the points of a metric were last put."""
    series = (metric.get("Namespace", ""), metric.get("MetricName", ""), dimensions_key(metric))
    names = dict(zip(("namespace", "metric", "dimensions"), series, strict=True))
    rows = store.points(**names, begin=0.0, end=time.time() + FUTURE_S)
    return str(rows[-1]["unit"]) if rows else "None"


def _row(namespace: str, datum: Mapping[str, Any], now: float) -> dict[str, Any]:
    name = datum["MetricName"]
    at = datum.get("Timestamp", datetime.fromtimestamp(now, UTC)).timestamp()
    if not now - PAST_S <= at <= now + FUTURE_S:
        raise InvalidParameterValueException(
            f"The Timestamp of {name} must be at most two weeks old and at most two hours ahead."
        )
    return {
        "namespace": namespace,
        "metric": name,
        "dimensions": dimensions_key(datum),
        "at": at,
        "unit": datum.get("Unit", "None"),
        **_content(name, datum),
    }


def _content(name: str, datum: Mapping[str, Any]) -> dict[str, Any]:
    if sum(member in datum for member in ("Value", "Values", "StatisticValues")) != 1:
        raise InvalidParameterCombinationException(
            f"Give exactly one of Value, Values and StatisticValues for {name}."
        )
    if "StatisticValues" in datum:
        given = datum["StatisticValues"]
        _check(name, list(given.values()))
        content = {"count": given["SampleCount"], "total": given["Sum"]}
        return {"low": given["Minimum"], "high": given["Maximum"], "content": json.dumps(content)}
    found = datum["Values"] if "Values" in datum else [datum["Value"]]
    counts = datum.get("Counts", [1.0] * len(found))
    if len(counts) != len(found) or not 0 < len(found) <= VALUES_PER_DATUM:
        raise InvalidParameterValueException(
            f"{name} has {len(found)} Values and {len(counts)} Counts. Give at most {VALUES_PER_DATUM} "
            "values, and one count for each."
        )
    _check(name, [*found, *counts])
    pairs = list(zip(found, counts, strict=True))
    return {"low": min(found), "high": max(found), "content": json.dumps(pairs)}


def _check(name: str, numbers: list[float]) -> None:
    if not all(math.isfinite(number) for number in numbers):
        raise InvalidParameterValueException(f"A value of {name} is no finite number.")
