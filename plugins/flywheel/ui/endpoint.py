"""How an endpoint does: its state, and what CloudWatch counted of it in the last hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flywheel.links import endpoint_url, log_url
from flywheel.ui.objects import Json
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.kinds import ENDPOINT
from include.core.sagemaker.readings import MINUTE_S, variant_metrics

#: what is looked at, in seconds
SPAN_S = 3600
#: (id, metric, statistic); latencies are in microseconds
WHOLE = (
    ("invocations", "Invocations", "Sum"),
    ("errors_4xx", "Invocation4XXErrors", "Sum"),
    ("errors_5xx", "Invocation5XXErrors", "Sum"),
    ("p50", "ModelLatency", "p50"),
    ("p99", "ModelLatency", "p99"),
)
#: variant and id
Named = tuple[str, str]


def endpoint(hook: SageMaker, name: str, versions: Mapping[str, str]) -> Json | None:
    """Return an endpoint with its variants and what they serve, or None if there is none.

    :param versions: the short name of a version by the URI of its model
    """
    description = hook.find_description(ENDPOINT, name)
    if description is None:
        return None
    variants = [variant["VariantName"] for variant in description.get("ProductionVariants", [])]
    end = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    whole = variant_metrics(hook, name, variants, WHOLE, end=end, span_s=SPAN_S, period_s=SPAN_S)
    minutes = variant_metrics(hook, name, variants, WHOLE[:1], end=end, span_s=SPAN_S, period_s=MINUTE_S)
    counted = Counter[datetime]()
    for result in minutes.values():
        counted.update(dict(zip(result["Timestamps"], result["Values"], strict=True)))
    return {
        "name": name,
        "status": description["EndpointStatus"],
        "config": description.get("EndpointConfigName"),
        "served": served_versions(hook, description, versions),
        "changed": description["LastModifiedTime"].isoformat(),
        "failure": description.get("FailureReason"),
        "console": endpoint_url(hook, name) or None,
        "log": log_url(hook, f"/aws/sagemaker/Endpoints/{name}") or None,
        "span_s": SPAN_S,
        "variants": [_variant(item, whole) for item in description.get("ProductionVariants", [])],
        # over all variants; minutes without any are left out
        "requests_by_minute": [
            [at.astimezone(UTC).isoformat(), round(count)] for at, count in sorted(counted.items())
        ],
    }


def served_versions(
    hook: SageMaker, description: Mapping[str, Any], versions: Mapping[str, str]
) -> list[str | None]:
    """Return the version of each variant, by the model of its configuration; None for one of no version."""
    config = hook.api.describe_endpoint_config(EndpointConfigName=description["EndpointConfigName"])
    names = dict.fromkeys(variant["ModelName"] for variant in config["ProductionVariants"])
    models = [hook.api.describe_model(ModelName=name) for name in names]
    return [versions.get(model["PrimaryContainer"].get("ModelDataUrl", "")) for model in models]


def _variant(variant: Mapping[str, Any], whole: Mapping[Named, Any]) -> Json:
    name = variant["VariantName"]
    values = {id_: (whole[name, id_]["Values"] or [None])[0] for id_, _, _ in WHOLE}
    count = values["invocations"]
    return {
        "name": name,
        "weight": variant.get("CurrentWeight"),
        "instances": variant.get("CurrentInstanceCount"),
        "invocations": round(count or 0),
        "requests_per_s": (count or 0) / SPAN_S,
        "errors_4xx": round(values["errors_4xx"] or 0),
        "errors_5xx": round(values["errors_5xx"] or 0),
        "p50_ms": _ms(values["p50"]),
        "p99_ms": _ms(values["p99"]),
    }


def _ms(microseconds: float | None) -> float | None:
    return microseconds / 1000 if microseconds is not None else None
