"""Single values as text: in headers, paths, query strings and XML."""

from __future__ import annotations

import base64
import math
from datetime import datetime
from typing import cast

from botocore.model import Shape

from local_sagemaker.errors import SerializationException
from local_sagemaker.protocol import timestamps

Scalar = str | int | float | bool | datetime


def read(shape: Shape, value: str, timestamp_style: str) -> Scalar:
    """`value` as the Python value of `shape`; SerializationException when it is none."""
    try:
        match shape.type_name:
            case "integer" | "long":
                return int(value)
            case "float" | "double":
                return float(value)
            case "boolean":
                return {"true": True, "false": False}[value.lower()]
            case "timestamp":
                style = shape.serialization.get("timestampFormat", timestamp_style)
                return timestamps.parse(float(value) if style == "unixtimestamp" else value)
            case _:
                return value
    except (ValueError, KeyError, OverflowError) as error:
        raise SerializationException(f"{value!r} can not be converted to {shape.type_name}") from error


def read_blob(text: str) -> bytes:
    """Return the bytes that base64 stands for; raise SerializationException when it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise SerializationException(f"{text!r} is not valid base64.") from error


def write(shape: Shape, value: object, timestamp_style: str) -> str:
    """`value` as text."""
    match shape.type_name:
        case "boolean":
            return "true" if value else "false"
        case "timestamp":
            style = shape.serialization.get("timestampFormat", timestamp_style)
            return str(timestamps.write(cast("datetime", value), style))
        case "float" | "double" if not math.isfinite(cast("float", value)):
            number = cast("float", value)
            return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
        case _:
            return str(value)
