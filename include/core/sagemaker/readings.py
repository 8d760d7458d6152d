"""What CloudWatch says of a canary and of the champion beside it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from include.core.cycle import Rollout
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.rollout import Canary, Judgement, Readings, judge

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


def judged(hook: SageMaker, endpoint: str, canary: Canary, rollout: Rollout) -> Judgement:
    """Return what the metrics say of a canary by now."""
    new, old = readings(hook, endpoint, canary)
    return judge(rollout, canary, new, old, baked_s=time.time() - canary.since)


def readings(hook: SageMaker, endpoint: str, canary: Canary) -> tuple[Readings, Readings]:
    """Return the canary's and the champion's metrics since the minute in which the trial began."""
    variants = [canary.variant, *canary.champion_variants]
    start = math.floor(canary.since / MINUTE_S) * MINUTE_S
    # One period that reaches from there to now: percentiles of several could not be put together.
    minutes = max(math.ceil((time.time() - start) / MINUTE_S), 1)
    begin = datetime.fromtimestamp(start, UTC)
    answer = hook.client("cloudwatch").get_metric_data(
        MetricDataQueries=_queries(endpoint, variants, minutes * MINUTE_S),
        StartTime=begin,
        EndTime=begin + timedelta(minutes=minutes),
    )
    points = {result["Id"]: list(result["Values"]) for result in answer["MetricDataResults"]}
    found = [{id_: points.get(f"v{n}_{id_}", []) for id_, _, _ in ASKED} for n in range(len(variants))]
    return reading(found[:1]), reading(found[1:])


def _queries(endpoint: str, variants: list[str], period_s: int) -> list[dict[str, Any]]:
    queries = []
    for number, variant in enumerate(variants):
        dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]
        for id_, name, statistic in ASKED:
            metric = {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions}
            asked = {"Metric": metric, "Period": period_s, "Stat": statistic}
            queries.append({"Id": f"v{number}_{id_}", "MetricStat": asked})
    return queries


def reading(variants: Sequence[Points]) -> Readings:
    """Several variants' points as one reading; of several percentiles the worst."""
    points = {id_: [value for each in variants for value in each[id_]] for id_, _, _ in ASKED}
    count = sum(points["latency_count"])
    return Readings(
        invocations=round(sum(points["invocations"])),
        errors_4xx=round(sum(points["errors_4xx"])),
        errors_5xx=round(sum(points["errors_5xx"])),
        latency_mean_ms=sum(points["latency_sum"]) / count / 1000 if count else None,
        latency_p99_ms=max(points["latency_p99"]) / 1000 if points["latency_p99"] else None,
    )
