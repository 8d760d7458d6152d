"""The response to a request that failed, in each of the protocols."""

from __future__ import annotations

import json
from collections.abc import Iterable

from botocore.model import ServiceModel, StructureShape

from local_sagemaker.errors import AwsError
from local_sagemaker.protocol import xml_values
from local_sagemaker.protocol.answers import header_text
from local_sagemaker.protocol.http import HttpResponse

#: codes that services of a protocol have instead of JSON's
CODES = {
    "query": {"ValidationException": "ValidationError", "UnknownOperationException": "InvalidAction"},
    "rest-json": {"ValidationException": "ValidationError"},
    "rest-xml": {
        "ValidationException": "InvalidArgument",
        "SerializationException": "MalformedXML",
        "UnknownOperationException": "NotImplemented",
        "InternalFailure": "InternalError",
        "RequestEntityTooLarge": "EntityTooLarge",
        "AccessDeniedException": "AccessDenied",
    },
}

#: how much of a message a header repeats; the body has all of it
HEADER_LENGTH = 1000


def failure(error: AwsError, protocol: str, model: ServiceModel | None, request_id: str) -> HttpResponse:
    """Return the response that tells of `error`."""
    code = CODES.get(protocol, {}).get(error.code, error.code)
    status = 501 if code == "NotImplemented" else error.status
    if protocol == "rest-xml":
        return _s3(error, code, status, request_id)
    if protocol == "query":
        return _query(error, code, model, request_id)
    return _json(error, code, protocol, model, request_id)


def _json(
    error: AwsError, code: str, protocol: str, model: ServiceModel | None, request_id: str
) -> HttpResponse:
    content = {_message_name(code, model): error.message, **error.members}
    headers = {"x-amzn-requestid": request_id}
    if protocol == "json":
        content = {"__type": code, **content}
        headers["content-type"] = "application/x-amz-json-1.1"
        if model is not None and "awsQueryCompatible" in model.metadata:
            # A service that once spoke query only: its clients still expect the codes of that time.
            headers["x-amzn-query-error"] = f"{_query_code(code, model)};{_blame(error)}"
    else:
        headers |= {"content-type": "application/json", "x-amzn-errortype": code}
    return HttpResponse(error.status, json.dumps(content).encode(), headers)


def _message_name(code: str, model: ServiceModel | None) -> str:
    shape = None
    if model is not None:
        shape = model.shape_for_error_code(code)  # type: ignore[arg-type]  # codes are text
    return "Message" if isinstance(shape, StructureShape) and "Message" in shape.members else "message"


def _query(error: AwsError, code: str, model: ServiceModel | None, request_id: str) -> HttpResponse:
    namespace = model.metadata.get("xmlNamespace", "") if model is not None else ""
    code = code if model is None else _query_code(code, model)
    body = (
        f'{xml_values.PROLOGUE}<ErrorResponse xmlns="{namespace}"><Error><Type>{_blame(error)}</Type>'
        f"{_elements([('Code', code), ('Message', error.message)])}</Error>"
        f"{_elements([('RequestId', request_id)])}</ErrorResponse>"
    )
    return HttpResponse(error.status, body.encode(), {"content-type": "text/xml"})


def _query_code(code: str, model: ServiceModel) -> str:
    """Return the query protocol's name for the error that JSON calls `code`."""
    for shape in model.error_shapes:
        if shape.name == code:
            return str(shape.metadata.get("error", {}).get("code", code))
    return CODES["query"].get(code, code)


def _blame(error: AwsError) -> str:
    return "Sender" if error.status < 500 else "Receiver"  # noqa: PLR2004 (HTTP's own border)


def _s3(error: AwsError, code: str, status: int, request_id: str) -> HttpResponse:
    pairs = [("Code", code), ("Message", error.message), *error.members.items()]
    inner = _elements([*pairs, ("RequestId", request_id), ("HostId", request_id)])
    headers = {"content-type": "application/xml", "x-amz-request-id": request_id}
    headers |= {"x-local-sagemaker-message": header_text(error.message[:HEADER_LENGTH])}
    return HttpResponse(status, f"{xml_values.PROLOGUE}<Error>{inner}</Error>".encode(), headers)


def _elements(pairs: Iterable[tuple[str, object]]) -> str:
    return "".join(f"<{name}>{xml_values.text(str(value))}</{name}>" for name, value in pairs)
