"""The response to an operation from what its handler returned, in each of the protocols."""

from __future__ import annotations

import json
import re
from email.header import Header
from typing import Any, cast

from botocore.model import OperationModel, Shape, StructureShape

from local_sagemaker.protocol import json_values, scalars, xml_values
from local_sagemaker.protocol.bodies import FileBody
from local_sagemaker.protocol.http import HttpResponse

#: operations whose answer is its only member as the root (smithy's s3UnwrappedXmlOutput, which is not
#: in botocore's models)
UNWRAPPED = {"GetBucketLocation"}
#: what no header can carry
CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def answer(operation: OperationModel, protocol: str, result: dict[str, Any], request_id: str) -> HttpResponse:
    """Return the successful response of `operation` with `result`, members of its output shape."""
    if protocol == "json":
        return _json(operation, result, request_id)
    if protocol == "query":
        return _query(operation, result, request_id)
    return _rest(operation, protocol, result, request_id)


def _json(operation: OperationModel, result: dict[str, Any], request_id: str) -> HttpResponse:
    shape = operation.output_shape
    body = b"" if shape is None else json.dumps(json_values.write(shape, result)).encode()
    version = operation.metadata.get("jsonVersion", "1.1")
    headers = {"content-type": f"application/x-amz-json-{version}", "x-amzn-requestid": request_id}
    return HttpResponse(200, body, headers)


def _query(operation: OperationModel, result: dict[str, Any], request_id: str) -> HttpResponse:
    shape, name = operation.output_shape, operation.name
    inner = ""
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper", f"{name}Result")
        inner = f"<{wrapper}>{''.join(xml_values.members(shape, result))}</{wrapper}>"
    namespace = operation.metadata.get("xmlNamespace", "")
    body = (
        f'{xml_values.PROLOGUE}<{name}Response xmlns="{namespace}">{inner}'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>"
    )
    return HttpResponse(200, body.encode(), {"content-type": "text/xml", "x-amzn-requestid": request_id})


def _rest(operation: OperationModel, protocol: str, result: dict[str, Any], request_id: str) -> HttpResponse:
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
    namespace = (
        operation.metadata.get("xmlNamespace") or f"http://s3.amazonaws.com/doc/{_version(operation)}/"
    )
    if operation.name in UNWRAPPED:
        name, content = next(iter(value.items()))
        pieces = f'<{name} xmlns="{namespace}">{xml_values.text(content or "")}</{name}>'
    else:
        root = shape.serialization.get("name") or f"{operation.name}Result"
        pieces = f'<{root} xmlns="{namespace}">{"".join(xml_values.members(shape, value))}</{root}>'
    return (xml_values.PROLOGUE + pieces).encode()


def _version(operation: OperationModel) -> str:
    return str(operation.metadata["apiVersion"])
