"""Serverless variants in requests: what they exclude, how they are changed, and how they are described."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_sagemaker.engine.endpoints.fleet import EndpointPlan, VariantPlan
from local_sagemaker.errors import ValidationException
from local_sagemaker.services.context import Context

MEMORY_STEP_MB = 1024
#: members of a configuration that SageMaker does not take together with a serverless variant
EXCLUDED = ("DataCaptureConfig", "VpcConfig", "AsyncInferenceConfig")
#: those of the variant itself: they are about instances
EXCLUDED_IN_VARIANT = (
    "InstanceType",
    "InitialInstanceCount",
    "VolumeSizeInGB",
    "ModelDataDownloadTimeoutInSeconds",
    "ContainerStartupHealthCheckTimeoutInSeconds",
)


def check(context: Context, parameters: Mapping[str, Any]) -> None:
    """Refuse an endpoint configuration that SageMaker cannot serve without instances."""
    variants = parameters["ProductionVariants"]
    if not any("ServerlessConfig" in variant for variant in variants):
        return
    if len(variants) > 1:
        raise ValidationException("An endpoint with a ServerlessConfig has one production variant.")
    taken = [member for member in EXCLUDED if member in parameters]
    taken += [member for member in EXCLUDED_IN_VARIANT if member in variants[0]]
    if parameters.get("EnableNetworkIsolation"):
        taken.append("EnableNetworkIsolation")
    if taken:
        raise ValidationException(
            f"{', '.join(taken)} cannot be specified together with ServerlessConfig. Leave one of them out."
        )
    config = variants[0]["ServerlessConfig"]
    if config["MemorySizeInMB"] % MEMORY_STEP_MB:
        raise ValidationException(
            f"MemorySizeInMB {config['MemorySizeInMB']} is none of 1024, 2048, 3072, 4096, 5120, 6144."
        )
    _check_model(context, variants[0].get("ModelName", ""))


def _check_model(context: Context, name: str) -> None:
    model = context.store.get("model", name)
    document = {} if model is None else model.document
    taken = [member for member in ("VpcConfig", "EnableNetworkIsolation") if document.get(member)]
    if (document.get("PrimaryContainer") or {}).get("Mode") == "MultiModel":
        taken.append("a container of the mode MultiModel")
    if taken:
        raise ValidationException(
            f"Model {name} has {', '.join(taken)}, which serverless endpoints do not support."
        )


def check_update(plan: EndpointPlan, serving: EndpointPlan) -> None:
    """Refuse the one update that SageMaker does not make."""
    if plan.is_serverless and not serving.is_serverless:
        raise ValidationException(
            "An endpoint with instances cannot be updated to a serverless endpoint. Create another endpoint."
        )


def changed(variant: VariantPlan, change: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """ServerlessConfig of a variant after an item of UpdateEndpointWeightsAndCapacities."""
    update = change.get("ServerlessUpdateConfig", {})
    if variant.serverless is None:
        if update:
            raise ValidationException(
                f"Variant {variant.name} has instances, so ServerlessUpdateConfig cannot be changed."
            )
        return None
    if "DesiredInstanceCount" in change:
        raise ValidationException(
            f"Variant {variant.name} is serverless: change its MaxConcurrency, not DesiredInstanceCount."
        )
    return {**variant.serverless, **update}


def described(current: Mapping[str, Any], desired: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a variant's description has if it is serverless; both are plans as the store keeps them."""
    if not current.get("serverless"):
        return {}
    return {
        "CurrentServerlessConfig": current["serverless"],
        "DesiredServerlessConfig": desired.get("serverless"),
    }
