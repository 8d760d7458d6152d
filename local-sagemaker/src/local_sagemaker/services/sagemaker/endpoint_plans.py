"""Makes the plan of an endpoint's next generation from its configuration and models."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from local_sagemaker.engine.endpoints.endpoint_records import (
    HEALTH_TIMEOUT_S,
    SERVERLESS_START_TIMEOUT_S,
    EndpointPlan,
    VariantPlan,
)
from local_sagemaker.engine.processes.model_data import container_definition
from local_sagemaker.errors import ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.sagemaker import serverless
from local_sagemaker.storage.store import Resource


def plan_of(context: Context, config: Resource, *, generation: int) -> EndpointPlan:
    """The plan that a configuration describes, complete with its models' containers."""
    variants = tuple(_variant(context, given) for given in config.document["ProductionVariants"])
    given = config.document
    asynchronous = given.get("AsyncInferenceConfig")
    return EndpointPlan(generation, config.name, variants, given.get("DataCaptureConfig"), asynchronous)


def retained(plan: EndpointPlan, serving: EndpointPlan, excluded: Collection[str]) -> EndpointPlan:
    """The plan with what RetainAllVariantProperties keeps of the generation that serves now."""
    known = {variant.name: variant for variant in serving.variants}
    variants = []
    for variant in plan.variants:
        former = known.get(variant.name, variant)
        variants.append(
            replace(
                variant,
                weight=variant.weight if "DesiredWeight" in excluded else former.weight,
                count=variant.count if _is_new(former, excluded) else former.count,
            )
        )
    capture = plan.capture if "DataCaptureConfig" in excluded else serving.capture
    return replace(plan, variants=tuple(variants), capture=capture)


def _is_new(former: VariantPlan, excluded: Collection[str]) -> bool:
    # what was serverless has no count that could be kept
    return "DesiredInstanceCount" in excluded or former.serverless is not None


def rescaled(plan: EndpointPlan, wanted: list[Mapping[str, Any]]) -> EndpointPlan:
    """The plan with new weights and counts; ValidationException for a variant that it has not."""
    by_name = {variant.name: variant for variant in plan.variants}
    for change in wanted:
        name = change["VariantName"]
        if name not in by_name:
            raise ValidationException(
                f"Variant {name} is not part of the endpoint. It has {', '.join(sorted(by_name))}."
            )
        former = by_name[name]
        by_name[name] = replace(
            former,
            weight=change.get("DesiredWeight", former.weight),
            serverless=serverless.changed(former, change),
            count=change.get("DesiredInstanceCount", former.count),
        )
    return replace(plan, variants=tuple(by_name.values()))


def _variant(context: Context, given: Mapping[str, Any]) -> VariantPlan:
    config = given.get("ServerlessConfig")
    health_timeout_s = SERVERLESS_START_TIMEOUT_S if config else HEALTH_TIMEOUT_S
    return VariantPlan(
        name=given["VariantName"],
        weight=given.get("InitialVariantWeight", 1.0),
        count=0 if config else given.get("InitialInstanceCount", 1),
        definition=container_definition(context, given["ModelName"]),
        model_name=given["ModelName"],
        health_timeout_s=given.get("ContainerStartupHealthCheckTimeoutInSeconds", health_timeout_s),
        serverless=config,
    )
