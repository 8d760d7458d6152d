"""An asynchronous endpoint for tests, and the objects that answer it."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

from typing import Any

import httpx

from sagemaker_kit.service import Service
from sagemaker_kit.serving import deploy, make_model, until, variant

OUTPUT = {"S3OutputPath": "s3://answers/good", "S3FailurePath": "s3://answers/bad/"}


def config(per_instance: int = 2, **output: Any) -> dict[str, Any]:
    """An AsyncInferenceConfig."""
    return {
        "OutputConfig": {**OUTPUT, **output},
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": per_instance},
    }


def prepare(service: Service) -> Service:
    """Make the model, the bucket of the answers, and the asynchronous endpoint `later`."""
    make_model(service, "first")
    service.s3.create_bucket(Bucket="answers")
    deploy(service, "later", variant("first"), AsyncInferenceConfig=config())
    return service


def submit(service: Service, body: str | bytes, endpoint: str = "later", **more: Any) -> Any:
    """Have an endpoint answer a body that is passed on within the request."""
    return service.runtime.invoke_endpoint_async(
        EndpointName=endpoint, Body=body, ContentType="text/csv", **more
    )


def read(service: Service, uri: str) -> Any:
    """The object an S3 URI names as get_object answers it; None while there is none."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        return service.s3.get_object(Bucket=bucket, Key=key)
    except service.s3.exceptions.NoSuchKey:
        return None


def text(service: Service, uri: str) -> str:
    """What an object holds, once it is there."""
    found = until(lambda: read(service, uri), f"the object {uri}")
    return found["Body"].read().decode()  # type: ignore[no-any-return]


def in_flight(service: Service, endpoint: str) -> int:
    """How many invocations are with the containers."""
    figures = httpx.get(f"{service.url}/endpoints/{endpoint}/metrics").json()
    return figures["variants"]["main"]["in_flight"]  # type: ignore[no-any-return]
