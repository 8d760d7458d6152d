"""The parameters of an operation from a request, in each of the protocols."""
# ruff: noqa: ANN401 (any JSON, and shapes whose kinds share no type)

from __future__ import annotations

import csv
import functools
import json
from collections.abc import Iterable
from typing import Any, cast
from xml.etree.ElementTree import Element, ParseError, fromstring

from botocore.model import ListShape, OperationModel, Shape, StructureShape

from local_sagemaker.errors import AwsError, SerializationException, ValidationException, translate
from local_sagemaker.protocol import json_values, scalars, xml_values
from local_sagemaker.protocol.http import HttpRequest

#: parameters of every query request, and how those of a presigned one begin
COMMON, SIGNATURE = {"Action", "Version"}, "x-amz-"
#: how deep objects and lists of a body may lie in each other
DEPTH_LIMIT = 100


def from_json(operation: OperationModel, body: bytes) -> dict[str, Any]:
    """Return the parameters of a JSON request."""
    shape = operation.input_shape
    return {} if shape is None else cast("dict[str, Any]", json_values.read(shape, document(body)))


def document(body: bytes) -> Any:
    """Return a JSON body; an empty one is an empty object."""
    try:
        text = body.decode()
        content = json.loads(text) if body.strip() else {}
        if "\\u" in text:  # half of a surrogate pair is JSON, but no text that could be kept or answered
            json.dumps(content, ensure_ascii=False).encode()
    except ValueError as error:
        raise SerializationException(f"The body is not valid JSON: {error}.") from error
    except RecursionError as error:
        raise _too_deep() from error
    level, depth = [content], 0
    while level := [inner for outer in level for inner in _inside(outer)]:
        depth += 1
        if depth > DEPTH_LIMIT:
            raise _too_deep()
    return content


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep() -> SerializationException:
    return SerializationException(f"The body is nested too deeply: {DEPTH_LIMIT} levels are allowed.")


def from_query(operation: OperationModel, form: dict[str, str]) -> dict[str, Any]:
    """Return the parameters of a form such as `Tags.member.1.Key=a`."""
    shape = operation.input_shape
    members = {} if shape is None else shape.members
    known = {member.serialization.get("name", name) for name, member in members.items()}
    given = {key.partition(".")[0] for key in form if not key.lower().startswith(SIGNATURE)}
    if unknown := given - known - COMMON:
        raise ValidationException(f"{operation.name} has no parameter {', '.join(sorted(unknown))}.")
    return {} if shape is None else cast("dict[str, Any]", _read_form(shape, form, ""))


def _read_form(shape: Any, form: dict[str, str], prefix: str) -> Any:
    match shape.type_name:
        case "structure":
            members = {}
            for name, member in shape.members.items():
                path = ".".join(filter(None, (prefix, member.serialization.get("name", name))))
                if _has(form, path):
                    members[name] = _read_form(member, form, path)
            return members
        case "list":
            flat = shape.serialization.get("flattened")
            if flat and shape.member.serialization.get("name"):
                path = ".".join([*prefix.split(".")[:-1], shape.member.serialization["name"]])
            else:
                path = prefix if flat else f"{prefix}.{shape.member.serialization.get('name', 'member')}"
            items: list[Any] = []
            while _has(form, f"{path}.{len(items) + 1}"):
                items.append(_read_form(shape.member, form, f"{path}.{len(items) + 1}"))
            return items
        case "map":
            return _read_form_map(shape, form, prefix)
        case "blob":
            return scalars.read_blob(form[prefix])
        case _ if prefix not in form:
            raise SerializationException(f"{prefix} has no value.")
        case _:
            return scalars.read(shape, form[prefix], "iso8601")


def _has(form: dict[str, str], path: str) -> bool:
    return path in form or any(key.startswith(f"{path}.") for key in form)


def _read_form_map(shape: Any, form: dict[str, str], prefix: str) -> dict[str, Any]:
    path = prefix if shape.serialization.get("flattened") else f"{prefix}.entry"
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    pairs: dict[str, Any] = {}
    while _has(form, f"{path}.{len(pairs) + 1}"):
        entry = f"{path}.{len(pairs) + 1}"
        key = _read_form(shape.key, form, f"{entry}.{key_name}")
        if key in pairs:
            raise SerializationException(f"{prefix} has the key {key!r} twice.")
        pairs[key] = _read_form(shape.value, form, f"{entry}.{value_name}")
    return pairs


async def from_rest(
    operation: OperationModel, labels: dict[str, str], request: HttpRequest
) -> dict[str, Any]:
    """Return the parameters of a REST request: from path, query string, headers and body."""
    shape = operation.input_shape
    if shape is None:
        return {}
    parameters: dict[str, Any] = {}
    for name, member in shape.members.items():
        outside = member.serialization.get("name", name)
        with translate(SerializationException, functools.partial(_not_taken, operation, outside)):
            value = _outside_body(member, outside, labels, request)
        if value is not None:
            parameters[name] = value
    return parameters | await _from_body(operation, request)


def _not_taken(operation: OperationModel, name: str, error: Exception) -> AwsError:
    """Return the error about a value that is none of its type: S3 has another for it than for a bad body."""
    if operation.service_model.protocol == "rest-xml":
        return ValidationException(f"Argument {name} is not valid: {error}", ArgumentName=name)
    return SerializationException(str(error))


def _outside_body(member: Shape, name: str, labels: dict[str, str], request: HttpRequest) -> Any:
    match member.serialization.get("location"):
        case "uri":
            return scalars.read(member, labels[name], "iso8601") if name in labels else None
        case "querystring":
            return _from_query_string(member, name, request)
        case "header":
            value = request.headers.get(name.lower())
            return None if value is None else _from_header(member, value)
        case "headers":
            prefix = name.lower()
            values = {k[len(prefix) :]: v for k, v in request.headers.items() if k.startswith(prefix)}
            return values or None
        case _:
            return None


def _from_query_string(member: Shape, name: str, request: HttpRequest) -> Any:
    values = [value for key, value in request.query if key == name]
    if not values:
        return None
    if member.type_name == "list":
        return [scalars.read(cast("ListShape", member).member, value, "iso8601") for value in values]
    return scalars.read(member, values[0], "iso8601")


def _from_header(member: Shape, value: str) -> Any:
    if member.type_name == "list":
        inner = cast("ListShape", member).member
        items = next(csv.reader([value], skipinitialspace=True, escapechar="\\"), [])
        return [_from_header(inner, item.strip()) for item in items]
    if member.serialization.get("jsonvalue"):
        return document(scalars.read_blob(value))
    # clients write the values of enums in any case: pyarrow asks for checksums by "enabled"
    value = next(
        (known for known in member.metadata.get("enum", ()) if known.lower() == value.lower()), value
    )
    return scalars.read(member, value, "rfc822")


async def _from_body(operation: OperationModel, request: HttpRequest) -> dict[str, Any]:
    shape = cast("StructureShape", operation.input_shape)
    payload = shape.serialization.get("payload")
    if payload is None:
        inside = any("location" not in member.serialization for member in shape.members.values())
        return _parsed(operation, shape, await request.body.read()) if inside else {}
    member = shape.members[payload]
    if member.serialization.get("streaming"):
        return {payload: request.body}
    body = await request.body.read()
    if member.type_name == "blob":
        return {payload: body}
    if member.type_name == "string":
        return {payload: _text(body)}
    return {payload: _parsed(operation, member, body)} if body.strip() else {}


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise SerializationException("The body is not valid UTF-8.") from error


def _parsed(operation: OperationModel, shape: Shape, body: bytes) -> Any:
    if operation.service_model.protocol == "rest-json":
        return json_values.read(shape, document(body))
    return xml_values.read(shape, xml(body)) if body.strip() else {}


def xml(body: bytes) -> Element:
    """Return the root of an XML body; one with a document type is refused, since entities can explode."""
    if b"<!DOCTYPE" in body:
        raise SerializationException("The XML has a document type, which is not allowed.")
    try:
        return fromstring(body)  # noqa: S314 (without a document type there are no entities)
    except (ParseError, ValueError) as error:
        raise SerializationException(f"The XML is not well-formed: {error}.") from error
