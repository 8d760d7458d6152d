"""Endpoint configurations: which models an endpoint serves, with how many instances and which weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from local_sagemaker.engine.endpoints.fleet import (
    HEALTH_TIMEOUT_S,
    SERVERLESS_START_TIMEOUT_S,
    EndpointPlan,
    VariantPlan,
)
from local_sagemaker.engine.jobs.channels import container_definitions
from local_sagemaker.errors import ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker import serverless
from local_sagemaker.services.sagemaker.models import MODELS
from local_sagemaker.services.sagemaker.resources import ResourceType
from local_sagemaker.storage.store import Resource

CONFIGS = ResourceType(
    noun="EndpointConfig",
    kind="endpoint-config",
    missing='Could not find endpoint configuration "{arn}".',
    taken='Cannot create already existing endpoint configuration "{arn}".',
)
PATHS = ("S3OutputPath", "S3FailurePath")

CONFIGS.serve_describe("Answer with an endpoint configuration as it was given.")
CONFIGS.serve_list("List endpoint configurations, newest first unless asked otherwise.")
CONFIGS.serve_delete("Forget an endpoint configuration; endpoints that were made of it go on.")


@operation("sagemaker", "CreateEndpointConfig")
def create_endpoint_config(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Keep an endpoint configuration; its models must exist."""
    given = [*parameters["ProductionVariants"], *parameters.get("ShadowProductionVariants", [])]
    names = [variant["VariantName"] for variant in given]
    if len(set(names)) < len(names):
        raise ValidationException(f"Two variants have the same name: {', '.join(names)}.")
    for variant in given:
        if "ModelName" not in variant:
            raise ValidationException(
                f"Variant {variant['VariantName']} has no ModelName; "
                "inference components are not emulated here."
            )
        MODELS.named(context, variant)
    serverless.check(context, parameters)
    check_async(parameters)
    _check_shadows(parameters)
    _check_pipelines(context, parameters, given)
    return CONFIGS.create(context, parameters)


def _check_pipelines(context: Context, parameters: Mapping[str, Any], given: list[dict[str, Any]]) -> None:
    """Refuse models of several containers, or one for several models, where they are not emulated."""
    for variant in given:
        containers = container_definitions(context, variant["ModelName"])
        count, is_multi = len(containers), any(one.get("Mode") == "MultiModel" for one in containers)
        if is_multi and (count > 1 or "AsyncInferenceConfig" in parameters):
            raise ValidationException(
                f"Model {variant['ModelName']} has a container of the mode MultiModel, which is emulated as "
                "the only one and in real time. Leave out the other containers and AsyncInferenceConfig."
            )
        if count > 1 and ("ServerlessConfig" in variant or "AsyncInferenceConfig" in parameters):
            raise ValidationException(
                f"Model {variant['ModelName']} is a pipeline of {count} containers, which is emulated on "
                "instances and in real time alone. Leave out ServerlessConfig and AsyncInferenceConfig."
            )


def _check_shadows(parameters: Mapping[str, Any]) -> None:
    """Refuse shadow variants where SageMaker has none."""
    shadows, variants = parameters.get("ShadowProductionVariants", []), parameters["ProductionVariants"]
    if shadows and (len(shadows) > 1 or len(variants) > 1):
        raise ValidationException(
            f"With ShadowProductionVariants there is one variant of each kind; there are {len(variants)} "
            f"production variants and {len(shadows)} shadow variants."
        )
    is_serverless = any("ServerlessConfig" in variant for variant in [*variants, *shadows])
    if shadows and (is_serverless or "AsyncInferenceConfig" in parameters):
        raise ValidationException(
            "ShadowProductionVariants cannot be specified together with ServerlessConfig or "
            "AsyncInferenceConfig. Leave one of them out."
        )


def check_async(parameters: Mapping[str, Any]) -> None:
    """Refuse what an endpoint configuration wants of asynchronous answers and would not get."""
    config = parameters.get("AsyncInferenceConfig")
    if config is None:
        return
    output = config["OutputConfig"]
    if "S3OutputPath" not in output:
        raise ValidationException(
            "AsyncInferenceConfig needs an S3OutputPath: without it, answers would go to SNS alone, which is "
            "not emulated."
        )
    for name in PATHS:
        if not output.get(name, "s3://").startswith("s3://"):
            raise ValidationException(
                f"{name} {output[name]} is not emulated: name it as s3://bucket/prefix."
            )
    if "DataCaptureConfig" in parameters:
        raise ValidationException(
            "DataCaptureConfig is not emulated together with AsyncInferenceConfig: inputs and answers are "
            "objects in S3 anyway. Leave it out."
        )


def check_async_update(plan: EndpointPlan, serving: EndpointPlan) -> None:
    """Raise ValidationException if an update changes the endpoint's kind: waiting requests need an answer."""
    if (plan.asynchronous is None) != (serving.asynchronous is None):
        raise ValidationException(
            "An endpoint cannot be updated from real-time to asynchronous inference, nor back. Create "
            "another endpoint."
        )


def plan_of(context: Context, config: Resource, *, generation: int) -> EndpointPlan:
    """Return the plan that a configuration describes, complete with its models' containers."""
    given = config.document
    variants, shadows = (
        tuple(_variant_plan(context, variant) for variant in given.get(member, []))
        for member in ("ProductionVariants", "ShadowProductionVariants")
    )
    capture, asynchronous = given.get("DataCaptureConfig"), given.get("AsyncInferenceConfig")
    return EndpointPlan(generation, config.name, variants, capture, asynchronous, shadows)


def retained(plan: EndpointPlan, serving: EndpointPlan, excluded: Collection[str]) -> EndpointPlan:
    """Return the plan with what RetainAllVariantProperties keeps of the generation that serves now."""
    known = {variant.name: variant for variant in serving.all_variants}
    capture = plan.capture if "DataCaptureConfig" in excluded else serving.capture
    variants, shadows = (
        tuple(_retained(variant, known.get(variant.name, variant), excluded) for variant in planned)
        for planned in (plan.variants, plan.shadows)
    )
    return replace(plan, variants=variants, shadows=shadows, capture=capture)


def _retained(variant: VariantPlan, former: VariantPlan, excluded: Collection[str]) -> VariantPlan:
    # what was serverless has no count that could be kept
    has_new_count = "DesiredInstanceCount" in excluded or former.serverless is not None
    return replace(
        variant,
        weight=variant.weight if "DesiredWeight" in excluded else former.weight,
        count=variant.count if has_new_count else former.count,
    )


def rescaled(plan: EndpointPlan, wanted: list[Mapping[str, Any]]) -> EndpointPlan:
    """Return the plan with new weights and counts; raise ValidationException for an unknown variant."""
    by_name = {variant.name: variant for variant in plan.all_variants}
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
    return replace(
        plan,
        variants=tuple(by_name[variant.name] for variant in plan.variants),
        shadows=tuple(by_name[variant.name] for variant in plan.shadows),
    )


def _variant_plan(context: Context, given: Mapping[str, Any]) -> VariantPlan:
    config, containers = given.get("ServerlessConfig"), container_definitions(context, given["ModelName"])
    health_timeout_s = SERVERLESS_START_TIMEOUT_S if config else HEALTH_TIMEOUT_S
    return VariantPlan(
        name=given["VariantName"],
        weight=given.get("InitialVariantWeight", 1.0),
        count=0 if config else given.get("InitialInstanceCount", 1),
        definition=containers[0],
        following=tuple(containers[1:]),
        model_name=given["ModelName"],
        health_timeout_s=given.get("ContainerStartupHealthCheckTimeoutInSeconds", health_timeout_s),
        serverless=config,
    )
