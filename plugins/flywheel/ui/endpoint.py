"""How an endpoint does: its state, and what CloudWatch counted of it in the last hour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flywheel.links import endpoint_url, log_url
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.kinds import ENDPOINT
from include.core.sagemaker.readings import MINUTE_S, NAMESPACE

#: what is looked at
SPAN = timedelta(hours=1)
#: (id, metric, statistic); latencies are in microseconds
WHOLE = (
    ("invocations", "Invocations", "Sum"),
    ("errors_4xx", "Invocation4XXErrors", "Sum"),
    ("errors_5xx", "Invocation5XXErrors", "Sum"),
    ("p50", "ModelLatency", "p50"),
    ("p99", "ModelLatency", "p99"),
)
Json = dict[str, Any]
#: variant and id
Named = tuple[str, str]


def endpoint(hook: SageMaker, name: str) -> Json | None:
    """Return an endpoint with its variants, or None if there is none."""
    found = hook.find(ENDPOINT, name)
    if found is None:
        return None
    variants = [variant["VariantName"] for variant in found.get("ProductionVariants", [])]
    end = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    whole = _read(hook, _queries(name, variants, WHOLE, int(SPAN.total_seconds())), end)
    minutes = _read(hook, _queries(name, variants, WHOLE[:1], MINUTE_S), end)
    return {
        "name": name,
        "status": found["EndpointStatus"],
        "config": found.get("EndpointConfigName"),
        "changed": found["LastModifiedTime"].isoformat(),
        "failure": found.get("FailureReason"),
        "console": endpoint_url(hook, name) or None,
        "log": log_url(hook, f"/aws/sagemaker/Endpoints/{name}") or None,
        "span_s": int(SPAN.total_seconds()),
        "variants": [_variant(each, whole) for each in found.get("ProductionVariants", [])],
        "requests_by_minute": _by_minute(minutes),
    }


def _variant(variant: Mapping[str, Any], whole: Mapping[Named, Any]) -> Json:
    name = variant["VariantName"]
    values = {id_: (whole[name, id_]["Values"] or [None])[0] for id_, _, _ in WHOLE}
    count = values["invocations"]
    return {
        "name": name,
        "weight": variant.get("CurrentWeight"),
        "instances": variant.get("CurrentInstanceCount"),
        "invocations": round(count or 0),
        "requests_per_s": (count or 0) / SPAN.total_seconds(),
        "errors_4xx": round(values["errors_4xx"] or 0),
        "errors_5xx": round(values["errors_5xx"] or 0),
        "p50_ms": _ms(values["p50"]),
        "p99_ms": _ms(values["p99"]),
    }


def _ms(microseconds: float | None) -> float | None:
    return microseconds / 1000 if microseconds is not None else None


def _by_minute(minutes: Mapping[Named, Any]) -> list[list[Any]]:
    """Pairs of a minute and how many requests it had, over all variants; minutes without any are left out."""
    counted: dict[datetime, float] = {}
    for result in minutes.values():
        for at, count in zip(result["Timestamps"], result["Values"], strict=True):
            counted[at] = counted.get(at, 0) + count
    return [[at.astimezone(UTC).isoformat(), round(count)] for at, count in sorted(counted.items())]


def _read(hook: SageMaker, asked: Iterable[tuple[Named, Json]], end: datetime) -> dict[Named, Any]:
    """CloudWatch's answer by variant and id."""
    queries = dict(asked)
    if not queries:
        return {}
    answer = hook.client("cloudwatch").get_metric_data(
        MetricDataQueries=[query | {"Id": f"q{n}"} for n, query in enumerate(queries.values())],
        StartTime=end - SPAN,
        EndTime=end,
        ScanBy="TimestampAscending",
    )
    results = {result["Id"]: result for result in answer["MetricDataResults"]}
    return {name: results[f"q{n}"] for n, name in enumerate(queries)}


def _queries(
    endpoint: str, variants: list[str], asked: Iterable[tuple[str, str, str]], period_s: int
) -> Iterator[tuple[Named, Json]]:
    for variant in variants:
        dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]
        for id_, name, statistic in asked:
            metric = {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions}
            yield (variant, id_), {"MetricStat": {"Metric": metric, "Period": period_s, "Stat": statistic}}
