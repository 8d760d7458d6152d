"""Botocore's service models of the services that are emulated."""

from __future__ import annotations

from functools import lru_cache

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

#: botocore's names of the services that may be asked
SERVICES = ("sagemaker", "sagemaker-runtime", "sagemaker-metrics", "logs", "s3", "sts", "iam", "cloudwatch")


@lru_cache(maxsize=len(SERVICES))
def service_model(service: str) -> ServiceModel:
    """Return the model of a service, loaded once."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def operation_model(service: str, operation: str) -> OperationModel:
    """Return the model of one operation."""
    return service_model(service).operation_model(operation)


@lru_cache(maxsize=1)
def targets() -> dict[str, str]:
    """Which service a prefix of the X-Amz-Target header belongs to."""
    metadata = {service: service_model(service).metadata for service in SERVICES}
    return {
        data["targetPrefix"]: service for service, data in metadata.items() if "json" in data["protocols"]
    }


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Which service a `Version` of the query protocol belongs to."""
    metadata = {service: service_model(service).metadata for service in SERVICES}
    return {data["apiVersion"]: service for service, data in metadata.items() if "query" in data["protocols"]}


@lru_cache(maxsize=1)
def signing_names() -> dict[str, tuple[str, ...]]:
    """Which services sign their requests under a name."""
    names: dict[str, tuple[str, ...]] = {}
    for service in SERVICES:
        name = service_model(service).signing_name
        names[name] = (*names.get(name, ()), service)
    return names
