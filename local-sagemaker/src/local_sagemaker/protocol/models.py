"""Botocore's service models of the services that are emulated."""

from __future__ import annotations

from functools import cache

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

#: botocore's names of the services that may be asked
SERVICES = (
    "sagemaker",
    "sagemaker-runtime",
    "sagemaker-metrics",
    "logs",
    "s3",
    "sts",
    "iam",
    "cloudwatch",
    "secretsmanager",
)


@cache
def service_model(service: str) -> ServiceModel:
    """Return the model of a service, loaded once."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def operation_model(service: str, operation: str) -> OperationModel:
    """Return the model of one operation."""
    return service_model(service).operation_model(operation)


@cache
def services_by(key: str, protocol: str) -> dict[str, str]:
    """Return the services of a protocol by a value of their metadata, such as `targetPrefix`."""
    metadata = {service: service_model(service).metadata for service in SERVICES}
    return {data[key]: service for service, data in metadata.items() if protocol in data["protocols"]}


@cache
def signing_names() -> dict[str, tuple[str, ...]]:
    """Which services sign their requests under a name."""
    names: dict[str, tuple[str, ...]] = {}
    for service in SERVICES:
        name = service_model(service).signing_name
        names[name] = (*names.get(name, ()), service)
    return names
