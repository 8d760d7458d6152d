"""InvokeEndpointAsync: a request is kept, and answered by an object in S3 later."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Mapping
from typing import Any

from local_sagemaker.engine.endpoints.async_requests import AsyncRequest
from local_sagemaker.engine.endpoints.invoke import RESTARTING, EndpointRoute
from local_sagemaker.errors import ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation

#: SageMaker's: how long a request may wait, and how long it may take, in seconds
TTL_S, TIMEOUT_S = 21_600, 900
#: member -> the header that the container is sent
HEADERS = {
    "ContentType": "content-type",
    "Accept": "accept",
    "CustomAttributes": "x-amzn-sagemaker-custom-attributes",
}


@operation("sagemaker-runtime", "InvokeEndpointAsync")
async def invoke_endpoint_async(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Accept an invocation that is answered in S3; it is on the disk when this answers."""
    route, config = _endpoint(context, parameters["EndpointName"])
    location = parameters.get("InputLocation")
    if bool(location) == bool(parameters.get("Body")):
        raise ValidationException(
            "Body and InputLocation are mutually exclusive. Provide exactly one of them."
        )
    if location and not location.startswith("s3://"):
        raise ValidationException(f"InputLocation {location} is not emulated: name it as s3://bucket/key.")
    inference_id = parameters.get("InferenceId") or str(uuid.uuid4())
    request = _request(route, parameters, config["OutputConfig"], inference_id)
    if not await context.hosting.queues.submit(request):
        raise ValidationException(f"Endpoint {route.name} of account {context.account} is being deleted.")
    return {
        "InferenceId": inference_id,
        "OutputLocation": request.output_uri,
        "FailureLocation": request.failure_uri,
    }


def _endpoint(context: Context, name: str) -> tuple[EndpointRoute, Mapping[str, Any]]:
    route: EndpointRoute | None = context.hosting.routes.get(name)
    if route is None:
        raise ValidationException(f"Endpoint {name} of account {context.account} not found.")
    if route.asynchronous is None:
        raise ValidationException(
            f"Endpoint {name} of account {context.account} does not support this inference type. Its "
            "configuration needs an AsyncInferenceConfig."
        )
    if route.fleet is None and route.status not in RESTARTING:
        raise ValidationException(
            f"Endpoint {name} of account {context.account} is not in service: its status is {route.status}."
        )
    return route, route.asynchronous


def _request(
    route: EndpointRoute, parameters: Mapping[str, Any], config: Mapping[str, Any], inference_id: str
) -> AsyncRequest:
    own = str(uuid.uuid4())
    body = parameters.get("Body")
    headers = {header: parameters[name] for name, header in HEADERS.items() if name in parameters}
    output = (
        config["S3OutputPath"].rstrip("/"),
        parameters.get("S3OutputPathExtension", "").strip("/"),
        parameters.get("Filename", f"{own}.out"),
    )
    failures = config.get("S3FailurePath", "").rstrip("/")
    return AsyncRequest(
        id=own,
        endpoint=route.name,
        headers={**headers, "x-amzn-sagemaker-inference-id": inference_id},
        input_uri=parameters.get("InputLocation"),
        body=base64.b64encode(body).decode() if body else None,
        output_uri="/".join(filter(None, output)),
        failure_uri=f"{failures}/{own}-error.out" if failures else None,
        accepted=time.time(),
        ttl_s=parameters.get("RequestTTLSeconds", TTL_S),
        timeout_s=parameters.get("InvocationTimeoutSeconds", TIMEOUT_S),
    )
