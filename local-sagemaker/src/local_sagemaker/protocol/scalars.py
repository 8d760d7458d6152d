"""Single values: as text in headers, paths, query strings and XML, and times as the protocols write them."""

from __future__ import annotations

import base64
import math
import re
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from botocore.model import Shape
from botocore.utils import parse_timestamp

from local_sagemaker.errors import SerializationException

Scalar = str | int | float | bool | datetime
INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
#: in bits
WIDTHS = {"integer": 32, "long": 64}
TRUTHS = {"true": True, "false": False}


def read(shape: Shape, value: str, timestamp_style: str) -> Scalar:
    """Return the Python value of `shape`; raise SerializationException when the text is none."""
    try:
        match shape.type_name:
            case "integer" | "long":
                return _whole(value, WIDTHS[shape.type_name])
            case "float" | "double":
                return float(value)
            case "boolean":
                return TRUTHS[value.lower()]
            case "timestamp":
                style = shape.serialization.get("timestampFormat", timestamp_style)
                return parse_time(float(value) if style == "unixtimestamp" else value)
            case _:
                return value
    except (ValueError, KeyError, OverflowError) as error:
        raise SerializationException(f"{value!r} can not be converted to {shape.type_name}") from error


def _whole(text: str, bits: int) -> int:
    if not INTEGER.fullmatch(text):  # Python takes more: spaces, underscores, other alphabets' digits
        raise ValueError("no whole number")
    number = int(text)
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise ValueError("no number of this width")
    return number


def read_blob(text: str) -> bytes:
    """Return the bytes that base64 stands for; raise SerializationException when it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise SerializationException(f"{text!r} is not valid base64.") from error


def converted(kind: str, value: Any) -> Any:  # noqa: ANN401 (any JSON)
    """Return a JSON scalar as a value of a kind of shape if it can be that, else as it is."""
    with suppress(ValueError):
        match kind:
            case "string" if isinstance(value, (bool, int, float)):
                return str(value)
            case "integer" | "long" if isinstance(value, str):
                return int(value)
            case "float" | "double" if isinstance(value, (int, str)):
                return float(value)
            case "boolean" if isinstance(value, str):
                return TRUTHS.get(value.lower(), value)
    return value


def write(shape: Shape, value: Any, timestamp_style: str) -> str:  # noqa: ANN401 (a value of the shape)
    """Return a value as text."""
    match shape.type_name:
        case "boolean":
            return "true" if value else "false"
        case "timestamp":
            return str(write_time(value, shape.serialization.get("timestampFormat", timestamp_style)))
        case "float" | "double" if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case _:
            return str(value)


def parse_time(value: object) -> datetime:
    """Parse seconds since 1970, ISO 8601 or RFC 822; raise ValueError if `value` is none of these."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"{value!r} is no timestamp.")  # noqa: TRY004 (bad data of a client, one kind of error)
    try:
        moment: datetime = parse_timestamp(value)  # type: ignore[arg-type]  # takes numbers as well
    except RuntimeError as error:  # botocore's, of numbers that are too large
        raise ValueError(f"{value!r} lies beyond all calendars.") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def write_time(moment: datetime, style: str) -> str | float:
    """Return a time as `iso8601`, `rfc822` or `unixtimestamp`, to the millisecond as AWS does."""
    utc = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    if style == "unixtimestamp":
        return round(utc.timestamp(), 3)
    if style == "rfc822":
        return format_datetime(utc, usegmt=True)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"
