"""The response to an operation, from what its handler returned or raised, in each of the protocols."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from email.header import Header
from typing import Any, cast

from botocore.model import OperationModel, ServiceModel, Shape, StructureShape

from local_sagemaker.errors import AwsError
from local_sagemaker.protocol import json_values, scalars, xml_values
from local_sagemaker.protocol.bodies import FileBody
from local_sagemaker.protocol.http import HttpResponse

#: operations whose answer is its only member as the root (smithy's s3UnwrappedXmlOutput, which is not
#: in botocore's models)
UNWRAPPED = {"GetBucketLocation"}
#: what no header can carry
CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
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


def answer(operation: OperationModel, protocol: str, result: dict[str, Any], request_id: str) -> HttpResponse:
    """Return the successful response of `operation` with `result`, members of its output shape."""
    if protocol == "json":
        shape = operation.output_shape
        content = b"" if shape is None else json.dumps(json_values.write(shape, result)).encode()
        version = operation.metadata.get("jsonVersion", "1.1")
        headers = {"content-type": f"application/x-amz-json-{version}", "x-amzn-requestid": request_id}
        return HttpResponse(200, content, headers)
    if protocol == "query":
        shape, name = operation.output_shape, operation.name
        inner = ""
        if shape is not None:
            wrapper = shape.serialization.get("resultWrapper", f"{name}Result")
            inner = f"<{wrapper}>{''.join(xml_values.members(shape, result))}</{wrapper}>"
        namespace = operation.metadata.get("xmlNamespace", "")
        text = (
            f'{xml_values.PROLOGUE}<{name}Response xmlns="{namespace}">{inner}'
            f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>"
        )
        return HttpResponse(200, text.encode(), {"content-type": "text/xml", "x-amzn-requestid": request_id})
    id_header = "x-amz-request-id" if protocol == "rest-xml" else "x-amzn-requestid"
    shape, status = operation.output_shape, int(operation.http.get("responseCode", 200))
    if shape is None:
        return HttpResponse(status, b"", {id_header: request_id})
    headers = {id_header: request_id}
    for name, value in result.items():
        member = shape.members[name]
        if value is not None and member.serialization.get("location") == "statusCode":
            status = int(value)
        elif value is not None:
            headers |= _headers(member, member.serialization.get("name", name), value)
    if "content-range" in headers:
        status = 206  # HTTP's own rule for a part of something
    body, content_type = _rest_body(operation, protocol, shape, result)
    if content_type and body:
        headers.setdefault("content-type", content_type)
    return HttpResponse(status, body, headers)


def _headers(member: Shape, name: str, value: Any) -> dict[str, str]:  # noqa: ANN401
    match member.serialization.get("location"):
        case "header":
            if member.type_name == "list":
                return {name.lower(): header_text(",".join(str(item) for item in value))}
            return {name.lower(): header_text(scalars.write(member, value, "rfc822"))}
        case "headers":
            return {f"{name}{key}".lower(): header_text(str(item)) for key, item in value.items()}
        case _:
            return {}


def header_text(value: str) -> str:
    """`value` as a header can carry it: what is no Latin-1 in the encoding of mail headers, as S3 does."""
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        value = Header(value, "utf-8", maxlinelen=2**31).encode()  # in lines, where the text has any
    return CONTROLS.sub(" ", value)


def _rest_body(
    operation: OperationModel, protocol: str, shape: StructureShape, result: dict[str, Any]
) -> tuple[bytes | FileBody, str]:
    payload = shape.serialization.get("payload")
    if payload is not None and shape.members[payload].type_name in ("blob", "string"):
        content = result.get(payload, b"")
        return (content.encode() if isinstance(content, str) else cast("bytes | FileBody", content)), ""
    inside: StructureShape = shape if payload is None else cast("StructureShape", shape.members[payload])
    value = result if payload is None else result.get(payload, {})
    names = [name for name, member in inside.members.items() if "location" not in member.serialization]
    if not names:
        return b"", ""
    if protocol == "rest-json":
        kept = {name: value[name] for name in names if name in value}
        return json.dumps(json_values.write(inside, kept)).encode(), "application/json"
    return _xml(operation, inside, value), "application/xml"


def _xml(operation: OperationModel, shape: StructureShape, value: dict[str, Any]) -> bytes:
    version = operation.metadata["apiVersion"]
    namespace = operation.metadata.get("xmlNamespace") or f"http://s3.amazonaws.com/doc/{version}/"
    if operation.name in UNWRAPPED:
        name, content = next(iter(value.items()))
        pieces = f'<{name} xmlns="{namespace}">{xml_values.text(content or "")}</{name}>'
    else:
        root = shape.serialization.get("name") or f"{operation.name}Result"
        pieces = f'<{root} xmlns="{namespace}">{"".join(xml_values.members(shape, value))}</{root}>'
    return (xml_values.PROLOGUE + pieces).encode()


def failure(error: AwsError, protocol: str, model: ServiceModel | None, request_id: str) -> HttpResponse:
    """Return the response that tells of `error`."""
    code = CODES.get(protocol, {}).get(error.code, error.code)
    status = 501 if code == "NotImplemented" else error.status
    if protocol == "rest-xml":
        pairs = [("Code", code), ("Message", error.message), *error.members.items()]
        inner = _elements([*pairs, ("RequestId", request_id), ("HostId", request_id)])
        headers = {"content-type": "application/xml", "x-amz-request-id": request_id}
        headers |= {"x-local-sagemaker-message": header_text(error.message[:HEADER_LENGTH]), **error.headers}
        return HttpResponse(status, f"{xml_values.PROLOGUE}<Error>{inner}</Error>".encode(), headers)
    if protocol == "query":
        return _query_failure(error, code, model, request_id)
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


def _query_failure(error: AwsError, code: str, model: ServiceModel | None, request_id: str) -> HttpResponse:
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


def _elements(pairs: Iterable[tuple[str, object]]) -> str:
    return "".join(f"<{name}>{xml_values.text(str(value))}</{name}>" for name, value in pairs)
