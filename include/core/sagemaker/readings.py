"""What CloudWatch says of an endpoint's variants: the metrics of a canary and of the champion beside it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from include.core.cycle import Rollout
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.rollout import Canary, Judgement, Readings, judge_canary

NAMESPACE = "AWS/SageMaker"
#: CloudWatch's own grain
MINUTE_S = 60
#: (id, metric, statistic) of what is read of a variant; latencies are in microseconds
ASKED = (
    ("invocations", "Invocations", "Sum"),
    ("errors_4xx", "Invocation4XXErrors", "Sum"),
    ("errors_5xx", "Invocation5XXErrors", "Sum"),
    ("latency_sum", "ModelLatency", "Sum"),
    ("latency_count", "ModelLatency", "SampleCount"),
    ("latency_p99", "ModelLatency", "p99"),
)

#: the points of one variant, by the id of what was asked
Points = Mapping[str, list[float]]


def judge_by_metrics(hook: SageMaker, endpoint: str, canary: Canary, rollout: Rollout) -> Judgement:
    """Return what the metrics say of a canary by now."""
    new, old = readings(hook, endpoint, canary)
    return judge_canary(rollout, canary, new, old, baked_s=time.time() - canary.since)


def readings(hook: SageMaker, endpoint: str, canary: Canary) -> tuple[Readings, Readings]:
    """Return the canary's and the champion's metrics since the minute in which the trial began."""
    start = math.floor(canary.since / MINUTE_S) * MINUTE_S
    # One period that reaches from there to now: percentiles of several could not be put together.
    period_s = max(math.ceil((time.time() - start) / MINUTE_S), 1) * MINUTE_S
    end = datetime.fromtimestamp(start, UTC) + timedelta(seconds=period_s)
    variants = [canary.variant, *canary.champion_variants]
    results = variant_metrics(hook, endpoint, variants, ASKED, end=end, span_s=period_s, period_s=period_s)
    points = [{id_: results[name, id_]["Values"] for id_, _, _ in ASKED} for name in variants]
    return reading(points[:1]), reading(points[1:])


def variant_metrics(
    hook: SageMaker,
    endpoint: str,
    variants: Iterable[str],
    asked: Iterable[tuple[str, str, str]],
    *,
    end: datetime,
    span_s: int,
    period_s: int,
) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return `Timestamps` and `Values` of an endpoint's metrics by variant and id, the oldest first.

    :param asked: (id, metric, statistic)
    :param span_s: how long before `end` to begin
    :param period_s: length of the periods that points are of
    """
    queries: dict[tuple[str, str], dict[str, Any]] = {}
    for variant in variants:
        dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]
        for id_, name, statistic in asked:
            metric = {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions}
            queries[variant, id_] = {"Metric": metric, "Period": period_s, "Stat": statistic}
    if not queries:
        return {}
    answer = hook.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": f"q{n}", "MetricStat": query} for n, query in enumerate(queries.values())],
        StartTime=end - timedelta(seconds=span_s),
        EndTime=end,
        ScanBy="TimestampAscending",
    )
    results = {result["Id"]: result for result in answer["MetricDataResults"]}
    return {name: results[f"q{n}"] for n, name in enumerate(queries)}


def reading(variants: Sequence[Points]) -> Readings:
    """Return several variants' points as one reading; of several percentiles the worst."""
    points = {id_: [value for points_of in variants for value in points_of[id_]] for id_, _, _ in ASKED}
    count = sum(points["latency_count"])
    return Readings(
        invocations=round(sum(points["invocations"])),
        errors_4xx=round(sum(points["errors_4xx"])),
        errors_5xx=round(sum(points["errors_5xx"])),
        latency_mean_ms=sum(points["latency_sum"]) / count / 1000 if count else None,
        latency_p99_ms=max(points["latency_p99"]) / 1000 if points["latency_p99"] else None,
    )
