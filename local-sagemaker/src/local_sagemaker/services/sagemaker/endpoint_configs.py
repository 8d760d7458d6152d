"""Endpoint configurations: which models an endpoint serves, with how many instances and which weights."""

from __future__ import annotations

import time
from typing import Any

from local_sagemaker.errors import ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker import async_configs, serverless
from local_sagemaker.services.sagemaker.listing import listed, pairs
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import Resource, TakenError

KIND = "endpoint-config"
#: members that would need machinery this service does not have
REFUSED = ("ExplainerConfig", "ShadowProductionVariants")
REFUSED_IN_VARIANT = (
    "InstancePools",
    "AcceleratorType",
    "ManagedInstanceScaling",
    "CapacityReservationConfig",
)


@operation(
    "sagemaker",
    "CreateEndpointConfig",
    ignored=(
        "KmsKeyId",
        "ExecutionRoleArn",
        "VpcConfig",
        "EnableNetworkIsolation",
        "MetricsConfig",
        "ProductionVariants.InstanceType",
        "ProductionVariants.CoreDumpConfig",
        "ProductionVariants.ServerlessConfig.MemorySizeInMB",
        "ProductionVariants.VolumeSizeInGB",
        "ProductionVariants.ModelDataDownloadTimeoutInSeconds",
        "ProductionVariants.EnableSSMAccess",
        "ProductionVariants.RoutingConfig",
        "ProductionVariants.InferenceAmiVersion",
        "ProductionVariants.VariantInstanceProvisionTimeoutInSeconds",
        "DataCaptureConfig.KmsKeyId",
        "AsyncInferenceConfig.OutputConfig.KmsKeyId",
    ),
)
def create_endpoint_config(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Keep an endpoint configuration; its models must exist."""
    name = parameters["EndpointConfigName"]
    arn = context.arn("sagemaker", f"endpoint-config/{name}")
    _check(context, parameters)
    document = {key: value for key, value in parameters.items() if key != "Tags"}
    now = time.time()
    resource = Resource(kind=KIND, name=name, arn=arn, created=now, modified=now, document=document)
    try:
        context.store.insert(resource, pairs(parameters.get("Tags")))
    except TakenError as error:
        raise ValidationException(
            f'Cannot create already existing endpoint configuration "{arn}".'
        ) from error
    return {"EndpointConfigArn": arn}


@operation("sagemaker", "DescribeEndpointConfig")
def describe_endpoint_config(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with an endpoint configuration as it was given."""
    resource = find(context, parameters["EndpointConfigName"])
    return {
        **resource.document,
        "EndpointConfigArn": resource.arn,
        "CreationTime": moment(resource.created),
    }


@operation("sagemaker", "ListEndpointConfigs")
def list_endpoint_configs(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """List endpoint configurations, newest first unless asked otherwise."""
    found, token = listed(context, KIND, parameters)
    summaries = [
        {
            "EndpointConfigName": resource.name,
            "EndpointConfigArn": resource.arn,
            "CreationTime": moment(resource.created),
        }
        for resource in found
    ]
    return {"EndpointConfigs": summaries, "NextToken": token}


@operation("sagemaker", "DeleteEndpointConfig")
def delete_endpoint_config(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Forget an endpoint configuration; endpoints that were made of it go on."""
    resource = find(context, parameters["EndpointConfigName"])
    context.store.delete(KIND, resource.name)
    return {}


def find(context: Context, name: str) -> Resource:
    """The endpoint configuration of that name; ValidationException in AWS's words if there is none."""
    found: Resource | None = context.store.get(KIND, name)
    if found is None:
        arn = context.arn("sagemaker", f"endpoint-config/{name}")
        raise ValidationException(f'Could not find endpoint configuration "{arn}".')
    return found


def _check(context: Context, parameters: dict[str, Any]) -> None:
    for member in REFUSED:
        if member in parameters:
            raise ValidationException(
                f"The local SageMaker does not emulate {member} of an endpoint. Leave it out."
            )
    names = [variant["VariantName"] for variant in parameters["ProductionVariants"]]
    if len(set(names)) < len(names):
        raise ValidationException(f"Two production variants have the same name: {', '.join(names)}.")
    for variant in parameters["ProductionVariants"]:
        _check_variant(context, variant)
    serverless.check(context, parameters)
    async_configs.check(parameters)


def _check_variant(context: Context, variant: dict[str, Any]) -> None:
    for member in REFUSED_IN_VARIANT:
        if member in variant:
            raise ValidationException(
                f"The local SageMaker does not emulate {member} of a variant. Leave it out."
            )
    if "ModelName" not in variant:
        raise ValidationException(
            f"Variant {variant['VariantName']} has no ModelName; inference components are not emulated here."
        )
    if context.store.get("model", variant["ModelName"]) is None:
        arn = context.arn("sagemaker", f"model/{variant['ModelName']}")
        raise ValidationException(f'Could not find model "{arn}".')
