"""Metrics of experiments: what a run logs of a trial component, kept by batches, and read by step or time.

A batch is one resource below its component, so that a long run writes no more for its last point than for its
first; the component's description has the summaries, brought up to date with every batch.
"""

from __future__ import annotations

import math
import statistics
import time
import uuid
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.experiments import COMPONENTS, POINTS
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import Query, Resource

#: seconds of a period on the axis of time
PERIODS_S = {"OneMinute": 60, "FiveMinute": 300, "OneHour": 3600}
STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Min": min,
    "Max": max,
    "Avg": statistics.fmean,
    "Count": len,
    "StdDev": statistics.pstdev,
    "Last": lambda values: values[-1],
}


@operation("sagemaker-metrics", "BatchPutMetrics")
def batch_put_metrics(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Add points to the metrics of a trial component."""
    component = COMPONENTS.named(context, parameters)
    given = list(enumerate(parameters["MetricData"]))
    good = [datum for _, datum in given if math.isfinite(datum["Value"])]
    bad = [index for index, datum in given if not math.isfinite(datum["Value"])]
    if good:
        _keep(context, component, good)
    errors = [{"Code": "VALIDATION_ERROR", "MetricIndex": index} for index in bad]
    return {"Errors": errors} if errors else {}


@operation("sagemaker-metrics", "BatchGetMetrics")
def batch_get_metrics(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with metrics of trial components, a value for each step or period."""
    return {"MetricQueryResults": [_answer(context, query) for query in parameters["MetricQueries"]]}


def added(summary: Mapping[str, Any] | None, value: float, at: float) -> dict[str, Any]:
    """Return a metric's summary with one more value; None is that of no values."""
    if summary is None:
        numbers = {"Min": value, "Max": value, "Avg": value, "Last": value}
        return {**numbers, "Count": 1, "StdDev": 0.0, "TimeStamp": moment(at)}
    count, mean = summary["Count"] + 1, summary["Avg"]
    # Welford's update, which keeps digits that sums of squares lose
    changed = mean + (value - mean) / count
    squares = summary["StdDev"] ** 2 * summary["Count"] + (value - mean) * (value - changed)
    is_newest = moment(at) >= summary["TimeStamp"]
    return {
        "Min": min(summary["Min"], value),
        "Max": max(summary["Max"], value),
        "Avg": changed,
        "Last": value if is_newest else summary["Last"],
        "Count": count,
        "StdDev": math.sqrt(max(squares, 0.0) / count),
        "TimeStamp": moment(at) if is_newest else summary["TimeStamp"],
    }


def _keep(context: Context, component: Resource, data: list[dict[str, Any]]) -> None:
    now, batch = time.time(), uuid.uuid4().hex
    points = [
        [datum["MetricName"], datum["Timestamp"].timestamp(), datum.get("Step"), datum["Value"]]
        for datum in data
    ]
    row = Resource(
        kind=POINTS,
        name=f"{component.name}/{batch}",
        parent=component.name,
        arn=f"{component.arn}/points/{batch}",
        created=now,
        modified=now,
        document={"points": points},
    )

    def change(resource: Resource) -> Resource:
        summaries = {one["MetricName"]: one for one in resource.document.get("Metrics", [])}
        for metric, at, _, value in points:
            known = {"MetricName": metric, "SourceArn": resource.arn}
            summaries[metric] = known | added(summaries.get(metric), value, at)
        return resource.changed({"Metrics": list(summaries.values())})

    with context.store.together():
        context.store.insert(row)
        context.store.change(component.kind, component.name, change)


def _answer(context: Context, query: Mapping[str, Any]) -> dict[str, Any]:
    is_by_step, period = query["XAxisType"] == "IterationNumber", query["Period"]
    metric = query["MetricName"]
    component = context.store.by_arn(query["ResourceArn"])
    if component is None or component.kind != COMPONENTS.kind:
        return _refused(f"There is no trial component {query['ResourceArn']}.")
    if is_by_step != (period == "IterationNumber"):
        return _refused(f"The period {period} does not fit the axis {query['XAxisType']}.")
    begin, end = query.get("Start", -math.inf), query.get("End", math.inf)
    buckets: dict[int, list[float]] = {}
    batches = context.store.search(POINTS, Query(parent=component.name))
    points = [point for batch in batches for point in batch.document["points"] if point[0] == metric]
    for _, at, step, value in sorted(points, key=itemgetter(1)):
        bucket = step if is_by_step else int(at // PERIODS_S[period]) * PERIODS_S[period]
        if bucket is not None and begin <= bucket <= end:
            buckets.setdefault(bucket, []).append(value)
    measure = STATISTICS[query["MetricStat"]]
    return {
        "Status": "Complete",
        "XAxisValues": sorted(buckets),
        "MetricValues": [float(measure(buckets[bucket])) for bucket in sorted(buckets)],
    }


def _refused(reason: str) -> dict[str, Any]:
    return {"Status": "ValidationError", "Message": reason, "XAxisValues": [], "MetricValues": []}
