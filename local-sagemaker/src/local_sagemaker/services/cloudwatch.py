"""CloudWatch metrics: what became of the invocations of endpoints, and what was put by PutMetricData.

The namespace AWS/SageMaker holds the service's own counters (engine/endpoints/metrics.py); all other
namespaces hold the points of PutMetricData, which the store keeps for fifteen days.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from local_sagemaker.domain.cloudwatch import (
    POINTS_KEPT_S,
    VALUES_PER_DATUM,
    Distribution,
    dimensions_key,
    is_statistic,
    statistic,
)
from local_sagemaker.engine.endpoints.metrics import ENDPOINT, METRICS, NAMESPACE, VARIANT, read_series
from local_sagemaker.errors import (
    InvalidParameterCombinationException,
    InvalidParameterValueException,
    ValidationException,
)
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation

#: most points that GetMetricStatistics answers with, and metrics of one page of ListMetrics
DATAPOINTS = 1440
PAGE = 500
DAY_S = 24 * 3600
#: how old and how far ahead of the clock a point may be, in seconds
PAST_S, FUTURE_S = 14 * DAY_S, 2 * 3600
RESERVED = "AWS/"


@operation("cloudwatch", "GetMetricData")
async def get_metric_data(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one series of points for each query; mathematical expressions are refused."""
    start, end = _span(parameters)
    is_rising = parameters.get("ScanBy") == "TimestampAscending"
    results = []
    for query in parameters["MetricDataQueries"]:
        if "MetricStat" not in query:
            raise ValidationException(
                f"The query {query['Id']} is an expression; the local SageMaker reads metrics only, "
                "by MetricStat."
            )
        if query.get("ReturnData", True):
            results.append(_result(context, query, start, end, is_rising=is_rising))
    return {"MetricDataResults": results, "Messages": []}


@operation("cloudwatch", "GetMetricStatistics")
async def get_metric_statistics(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with the statistics of one metric, a point for each period that has data."""
    start, end = _span(parameters)
    plain, extended = parameters.get("Statistics", []), parameters.get("ExtendedStatistics", [])
    if not plain and not extended:
        raise InvalidParameterCombinationException("Must specify either Statistics or ExtendedStatistics.")
    if (end - start).total_seconds() / parameters["Period"] > DATAPOINTS:
        raise InvalidParameterCombinationException(
            f"You have requested more than {DATAPOINTS} datapoints. Take a longer period or a shorter time."
        )
    unit = _unit(context, parameters)
    points = []
    for at, values in read_series(
        context.store, context.hosting.meters, parameters, parameters["Period"], (start, end)
    ).items():
        point = {"Timestamp": at, "Unit": unit, **{name: _statistic(values, name) for name in plain}}
        if extended:
            point["ExtendedStatistics"] = {name: _statistic(values, name) for name in extended}
        points.append(point)
    return {"Label": parameters["MetricName"], "Datapoints": points}


@operation("cloudwatch", "ListMetrics")
async def list_metrics(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of the metrics there are: those of endpoints, then what was put."""
    metrics = [metric for metric in _metrics(context) if _is_wanted(metric, parameters)]
    token = parameters.get("NextToken", "0")
    if not token.isdecimal():
        raise InvalidParameterValueException(f"NextToken {token!r} is none of this operation's.")
    begin = int(token)
    more = str(begin + PAGE) if begin + PAGE < len(metrics) else None
    return {"Metrics": metrics[begin : begin + PAGE], "NextToken": more}


def _result(
    context: Context, query: Mapping[str, Any], start: datetime, end: datetime, *, is_rising: bool
) -> dict[str, Any]:
    asked = query["MetricStat"]
    series = read_series(
        context.store, context.hosting.meters, asked["Metric"], asked["Period"], (start, end)
    )
    moments = sorted(series, reverse=not is_rising)
    return {
        "Id": query["Id"],
        "Label": query.get("Label", asked["Metric"].get("MetricName")),
        "Timestamps": moments,
        "Values": [_statistic(series[at], asked["Stat"]) for at in moments],
        "StatusCode": "Complete",
    }


def _statistic(values: Distribution, name: str) -> float:
    check_statistic(name)
    return statistic(values, name)


def _span(parameters: Mapping[str, Any]) -> tuple[datetime, datetime]:
    start, end = parameters["StartTime"], parameters["EndTime"]
    if start >= end:
        raise ValidationException(f"StartTime {start} must be before EndTime {end}.")
    return start, end


def _unit(context: Context, metric: Mapping[str, Any]) -> str:
    """Return the unit of a metric: the service's own, or that in which points were last put."""
    if metric["Namespace"] == NAMESPACE:
        kept = METRICS.get(metric["MetricName"])
        return kept.unit if kept else "None"
    series = {
        "namespace": metric["Namespace"],
        "metric": metric["MetricName"],
        "dimensions": dimensions_key(metric),
    }
    rows = context.store.points(**series, begin=0.0, end=time.time() + FUTURE_S)
    return str(rows[-1]["unit"]) if rows else "None"


def _metrics(context: Context) -> Iterator[dict[str, Any]]:
    for endpoint, variant in context.hosting.meters:
        dimensions = [{"Name": ENDPOINT, "Value": endpoint}, {"Name": VARIANT, "Value": variant}]
        for name in METRICS:
            yield {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions}
    for namespace, name, text in context.store.series():
        dimensions = [{"Name": key, "Value": value} for key, value in json.loads(text).items()]
        yield {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions}


def _is_wanted(metric: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
    has = {item["Name"]: item["Value"] for item in metric["Dimensions"]}
    return (
        metric["Namespace"] == parameters.get("Namespace", metric["Namespace"])
        and metric["MetricName"] == parameters.get("MetricName", metric["MetricName"])
        and all(
            item["Name"] in has and has[item["Name"]] == item.get("Value", has[item["Name"]])
            for item in parameters.get("Dimensions", [])
        )
    )


@operation("cloudwatch", "PutMetricData")
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
        _check_finite(name, list(given.values()))
        content = {"count": given["SampleCount"], "total": given["Sum"]}
        return {"low": given["Minimum"], "high": given["Maximum"], "content": json.dumps(content)}
    values = datum["Values"] if "Values" in datum else [datum["Value"]]
    counts = datum.get("Counts", [1.0] * len(values))
    if len(counts) != len(values) or not 0 < len(values) <= VALUES_PER_DATUM:
        raise InvalidParameterValueException(
            f"{name} has {len(values)} Values and {len(counts)} Counts. Give at most {VALUES_PER_DATUM} "
            "values, and one count for each."
        )
    _check_finite(name, [*values, *counts])
    pairs = list(zip(values, counts, strict=True))
    return {"low": min(values), "high": max(values), "content": json.dumps(pairs)}


def _check_finite(name: str, numbers: list[float]) -> None:
    if not all(math.isfinite(number) for number in numbers):
        raise InvalidParameterValueException(f"A value of {name} is no finite number.")
