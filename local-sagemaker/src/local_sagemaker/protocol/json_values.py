"""Values of a model's shapes from and to JSON."""

from __future__ import annotations

import base64
import binascii
import math
from datetime import datetime
from typing import Any, cast

from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_sagemaker.errors import SerializationException
from local_sagemaker.protocol import timestamps

#: what Python's JSON types are called in AWS's messages
TOKENS = {
    bool: "TRUE_VALUE",
    int: "NUMBER_VALUE",
    float: "DECIMAL_VALUE",
    str: "STRING_VALUE",
    dict: "START_OBJECT",
    list: "START_ARRAY",
}
SPECIAL_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def read(shape: Shape, value: Any) -> Any:  # noqa: ANN401 (any JSON)
    """`value` as the Python value of `shape`; SerializationException when its type is another."""
    reader = {
        "structure": _read_structure,
        "list": _read_list,
        "map": _read_map,
        "timestamp": _read_timestamp,
        "blob": _read_blob,
    }.get(shape.type_name, _read_scalar)
    return reader(shape, value)


def _mismatch(shape: Shape, value: object) -> SerializationException:
    return SerializationException(f"{TOKENS.get(type(value), 'null')} can not be converted to {shape.name}")


def _read_structure(shape: Shape, value: Any) -> Any:  # noqa: ANN401
    if not isinstance(value, dict):
        raise _mismatch(shape, value)
    if shape.is_document_type:  # type: ignore[attr-defined]  # only structures have it
        return value
    read_members = {}
    for name, member in cast("StructureShape", shape).members.items():
        given = value.get(member.serialization.get("name", name))
        if given is not None:
            read_members[name] = read(member, given)
    return read_members


def _read_list(shape: Shape, value: Any) -> list[Any]:  # noqa: ANN401
    if not isinstance(value, list):
        raise _mismatch(shape, value)
    member = cast("ListShape", shape).member
    return [None if item is None else read(member, item) for item in value]


def _read_map(shape: Shape, value: Any) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(value, dict):
        raise _mismatch(shape, value)
    member = cast("MapShape", shape).value
    return {key: None if item is None else read(member, item) for key, item in value.items()}


def _read_timestamp(shape: Shape, value: object) -> datetime:
    try:
        return timestamps.parse(value)
    except (ValueError, OverflowError) as error:
        raise _mismatch(shape, value) from error


def _read_blob(shape: Shape, value: object) -> bytes:
    if not isinstance(value, str):
        raise _mismatch(shape, value)
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SerializationException(f"{shape.name} is not valid base64: {error}.") from error


def _read_scalar(shape: Shape, value: object) -> object:
    kind = shape.type_name
    if kind in ("float", "double"):
        if isinstance(value, str) and value in SPECIAL_NUMBERS:
            return SPECIAL_NUMBERS[value]
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
        value = float(cast("float", value)) if fits else value
    elif kind in ("integer", "long"):
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        fits = isinstance(value, int) and not isinstance(value, bool)
    else:
        fits = isinstance(value, bool if kind == "boolean" else str)
    if not fits:
        raise _mismatch(shape, value)
    return value


def write(shape: Shape, value: Any) -> Any:  # noqa: ANN401 (any value of a shape)
    """`value` as JSON types; a member that the shape does not have is a KeyError."""
    match shape.type_name:
        case "structure":
            return _write_structure(cast("StructureShape", shape), value)
        case "list":
            return [write(cast("ListShape", shape).member, item) for item in value]
        case "map":
            return {key: write(cast("MapShape", shape).value, item) for key, item in value.items()}
        case _:
            return _write_scalar(shape, value)


def _write_structure(shape: StructureShape, value: dict[str, Any]) -> dict[str, Any]:
    if shape.is_document_type:
        return value
    return {
        shape.members[name].serialization.get("name", name): write(shape.members[name], item)
        for name, item in value.items()
        if item is not None
    }


def _write_scalar(shape: Shape, value: Any) -> Any:  # noqa: ANN401
    match shape.type_name:
        case "timestamp":
            return timestamps.write(value, shape.serialization.get("timestampFormat", "unixtimestamp"))
        case "blob":
            return base64.b64encode(value).decode()
        case "float" | "double" if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case _:
            return value
