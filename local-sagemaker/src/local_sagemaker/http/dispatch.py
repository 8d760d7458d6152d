"""From a request to its response: route, parse, validate, call the handler, answer."""

from __future__ import annotations

import inspect
import logging
from dataclasses import replace
from typing import Any

from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel, OperationNotFoundError, ServiceModel

from local_sagemaker.auth.admission import admit, check_service
from local_sagemaker.errors import (
    AwsError,
    InternalFailure,
    StorageFailure,
    UnknownOperation,
)
from local_sagemaker.protocol import models, requests, responses, routing
from local_sagemaker.protocol.bodies import DisconnectedError
from local_sagemaker.protocol.checked import CheckedBody
from local_sagemaker.protocol.http import HttpRequest, HttpResponse
from local_sagemaker.protocol.routing import Route
from local_sagemaker.services import owners
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import OPERATIONS, Operation, check_request
from local_sagemaker.storage import disk, threads

log = logging.getLogger(__name__)


async def dispatch(context: Context, request: HttpRequest) -> HttpResponse:
    """Return the response to a request; every error has the shape of its protocol."""
    route: Route | None = None
    try:
        if context.credentials is not None:
            request = await admit(context.credentials, request, _protocol(request))
        form = await _form(request)
        route = routing.route(request, form)
        if context.credentials is not None:
            check_service(request, models.service_model(route.service).signing_name, route.protocol)
        operation, model = _operation(route)
        parameters = await _parameters(request, route, model, form)
        check_request(model, parameters)
        with owners.on_behalf_of(owners.of_request(request)):
            result = await _call(operation, context, parameters)
        return responses.answer(model, route.protocol, result, request.id)
    except AwsError as error:
        return failed(error, request, route)
    except DisconnectedError:
        raise  # no mistake of anybody's
    except Exception as error:
        log.exception("Request %s failed: %s %s", request.id, request.method, request.path)
        advice = disk.explained(error, context.root)
        if advice is not None:
            return failed(StorageFailure(advice), request, route)
        message = f"The local SageMaker failed; its log has the reason at request {request.id}."
        return failed(InternalFailure(message), request, route)


async def _form(request: HttpRequest) -> dict[str, str]:
    if request.path != "/" or "x-amz-target" in request.headers:
        return {}
    is_form = request.headers.get("content-type", "").startswith(routing.FORM)
    return routing.form_of(request, await request.body.read() if is_form else b"")


def _operation(route: Route) -> tuple[Operation, OperationModel]:
    try:
        model = models.operation_model(route.service, route.operation)
    except (OperationNotFoundError, UnknownServiceError) as error:
        raise UnknownOperation(f"{route.operation} is no operation of {route.service}.") from error
    operation = OPERATIONS.get((route.service, route.operation))
    if operation is None:
        raise UnknownOperation(
            f"The local SageMaker does not emulate {route.service} {route.operation}; "
            "docs/emulated-api.md lists what it does."
        )
    return operation, model


async def _parameters(
    request: HttpRequest, route: Route, model: OperationModel, form: dict[str, str]
) -> dict[str, Any]:
    if route.protocol == "json":
        return requests.from_json(model, await request.body.read())
    if route.protocol == "query":
        return requests.from_query(model, form)
    if route.protocol == "rest-xml":
        is_described = "requestAlgorithmMember" in model.http_checksum
        body = CheckedBody(request.body, request.headers, request.chunks, is_described=is_described)
        request = replace(request, body=body)
    return await requests.from_rest(model, route.labels, request)


async def _call(operation: Operation, context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    if inspect.iscoroutinefunction(operation.handler):
        return await operation.handler(context, parameters) or {}
    answer = await threads.run(operation.handler, context, parameters)
    return answer or {}  # type: ignore[return-value]  # a plain function returns no awaitable


def failed(error: AwsError, request: HttpRequest, route: Route | None = None) -> HttpResponse:
    """Return the response to a request that failed, in the shape of its protocol."""
    model: ServiceModel | None = models.service_model(route.service) if route else None
    response = responses.failure(error, route.protocol if route else _protocol(request), model, request.id)
    log.info("%s %s: %d %s: %s", request.method, request.path, response.status, error.code, error.message)
    return response


def _protocol(request: HttpRequest) -> str:
    """Return the protocol that a request without a known operation most likely speaks."""
    if "x-amz-target" in request.headers:
        return "json"
    if request.headers.get("content-type", "").startswith(routing.FORM) and request.path == "/":
        return "query"
    return "rest-json" if routing.signing_name(request) == "sagemaker" else "rest-xml"
