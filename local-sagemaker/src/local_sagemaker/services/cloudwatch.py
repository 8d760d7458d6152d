"""CloudWatch metrics: what became of the invocations of endpoints, and what was put by PutMetricData.

The namespace AWS/SageMaker holds the service's own counters (engine/endpoints/metrics.py); all other
namespaces hold what metric_data.py keeps.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from local_sagemaker.domain.cloudwatch import Distribution, statistic
from local_sagemaker.engine.endpoints.metrics import ENDPOINT, METRICS, NAMESPACE, VARIANT, read_series
from local_sagemaker.errors import (
    InvalidParameterCombinationException,
    InvalidParameterValueException,
    ValidationException,
)
from local_sagemaker.services import metric_data
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation

#: most points that GetMetricStatistics answers with, and metrics of one page of ListMetrics
DATAPOINTS = 1440
PAGE = 500


@operation("cloudwatch", "GetMetricData", ignored=("MaxDatapoints", "LabelOptions", "NextToken"))
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


@operation("cloudwatch", "ListMetrics", ignored=("RecentlyActive", "IncludeLinkedAccounts", "OwningAccount"))
async def list_metrics(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of the metrics there are: those of endpoints, then what was put."""
    found = [metric for metric in _metrics(context) if _is_wanted(metric, parameters)]
    token = parameters.get("NextToken", "0")
    if not token.isdecimal():
        raise InvalidParameterValueException(f"NextToken {token!r} is none of this operation's.")
    begin = int(token)
    more = str(begin + PAGE) if begin + PAGE < len(found) else None
    return {"Metrics": found[begin : begin + PAGE], "NextToken": more}


def _result(
    context: Context, query: Mapping[str, Any], start: datetime, end: datetime, *, is_rising: bool
) -> dict[str, Any]:
    asked = query["MetricStat"]
    found = read_series(context.store, context.hosting.meters, asked["Metric"], asked["Period"], (start, end))
    moments = sorted(found, reverse=not is_rising)
    return {
        "Id": query["Id"],
        "Label": query.get("Label", asked["Metric"].get("MetricName")),
        "Timestamps": moments,
        "Values": [_statistic(found[at], asked["Stat"]) for at in moments],
        "StatusCode": "Complete",
    }


def _statistic(values: Distribution, name: str) -> float:
    metric_data.check_statistic(name)
    return statistic(values, name)


def _span(parameters: Mapping[str, Any]) -> tuple[datetime, datetime]:
    start, end = parameters["StartTime"], parameters["EndTime"]
    if start >= end:
        raise ValidationException(f"StartTime {start} must be before EndTime {end}.")
    return start, end


def _unit(context: Context, parameters: Mapping[str, Any]) -> str:
    if parameters["Namespace"] != NAMESPACE:
        return metric_data.unit(context.store, parameters)
    kept = METRICS.get(parameters["MetricName"])
    return kept.unit if kept else "None"


def _metrics(context: Context) -> Iterator[dict[str, Any]]:
    for endpoint, variant in context.hosting.meters:
        dimensions = [{"Name": ENDPOINT, "Value": endpoint}, {"Name": VARIANT, "Value": variant}]
        for name in METRICS:
            yield {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions}
    for namespace, name, text in context.store.series():
        found = [{"Name": key, "Value": value} for key, value in json.loads(text).items()]
        yield {"Namespace": namespace, "MetricName": name, "Dimensions": found}


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
