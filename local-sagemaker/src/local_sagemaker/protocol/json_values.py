"""Values of a model's shapes from and to JSON."""
# ruff: noqa: ANN401 (any JSON, and shapes whose kinds share no type)

from __future__ import annotations

import base64
import math
from typing import Any

from local_sagemaker.errors import SerializationException, ValidationException
from local_sagemaker.protocol import scalars

#: what Python's JSON types are called in AWS's messages
TOKENS = {
    bool: "TRUE_VALUE",
    int: "NUMBER_VALUE",
    float: "DECIMAL_VALUE",
    str: "STRING_VALUE",
    dict: "START_OBJECT",
    list: "START_ARRAY",
}
#: by kind of shape: the JSON type that it must have, which is text for all others
TYPES: dict[str, Any] = {"structure": dict, "map": dict, "list": list, "boolean": bool}
#: by which some clients name the shape itself
TYPE = "__type"
SPECIAL_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def read(shape: Any, value: Any, *, is_lenient: bool = False) -> Any:  # noqa: PLR0911 (one for each kind)
    """Return the Python value of `shape`; raise SerializationException when `value` has another type.

    :param is_lenient: take text for a number or a truth value, and these for text.
    """
    if is_lenient:
        value = scalars.converted(shape.type_name, value)
    match shape.type_name:
        case "timestamp":
            return _read_timestamp(shape, value)
        case "float" | "double" | "integer" | "long":
            return _read_number(shape, value)
    if not isinstance(value, TYPES.get(shape.type_name, str)):
        raise _mismatch(shape, value)
    match shape.type_name:
        case "structure" if not shape.is_document_type:
            _refuse_unknown(shape, value)
            given = ((name, member, value.get(_key(name, member))) for name, member in shape.members.items())
            return {
                name: read(member, item, is_lenient=is_lenient)
                for name, member, item in given
                if item is not None
            }
        case "list":
            return [_read_item(shape.member, item, is_lenient=is_lenient) for item in value]
        case "map":
            return {key: _read_item(shape.value, item, is_lenient=is_lenient) for key, item in value.items()}
        case "blob":
            return scalars.read_blob(value)
        case _:
            return value


def _read_item(shape: Any, value: Any, *, is_lenient: bool) -> Any:
    return None if value is None else read(shape, value, is_lenient=is_lenient)


def _key(name: str, member: Any) -> str:
    return str(member.serialization.get("name", name))


def _refuse_unknown(shape: Any, value: dict[str, Any]) -> None:
    """Raise ValidationException for members that AWS's model, as botocore has it here, does not know."""
    unknown = value.keys() - {_key(name, member) for name, member in shape.members.items()} - {TYPE}
    if any(value[name] is not None for name in unknown):
        raise ValidationException(
            f"{shape.name} has no member {', '.join(sorted(unknown))}; the local SageMaker knows what its "
            "botocore knows. Correct the name, or leave it out."
        )


def _mismatch(shape: Any, value: object) -> SerializationException:
    return SerializationException(f"{TOKENS.get(type(value), 'null')} can not be converted to {shape.name}")


def _read_timestamp(shape: Any, value: object) -> Any:
    try:
        return scalars.parse_time(value)
    except (ValueError, OverflowError) as error:
        raise _mismatch(shape, value) from error


def _read_number(shape: Any, value: Any) -> float:
    is_whole = shape.type_name in ("integer", "long")
    if not is_whole and isinstance(value, str) and value in SPECIAL_NUMBERS:
        return SPECIAL_NUMBERS[value]
    if isinstance(value, float) and (not is_whole or value.is_integer()):
        return int(value) if is_whole else value
    if isinstance(value, int) and not isinstance(value, bool):
        return value if is_whole else float(value)
    raise _mismatch(shape, value)


def write(shape: Any, value: Any) -> Any:  # noqa: PLR0911 (one for each kind)
    """Return a value of `shape` as JSON types; a member that the shape does not have is a KeyError."""
    match shape.type_name:
        case "structure" if not shape.is_document_type:
            members = shape.members
            return {
                _key(name, members[name]): write(members[name], item)
                for name, item in value.items()
                if item is not None
            }
        case "list":
            return [write(shape.member, item) for item in value]
        case "map":
            return {key: write(shape.value, item) for key, item in value.items()}
        case "timestamp":
            return scalars.write_time(value, shape.serialization.get("timestampFormat", "unixtimestamp"))
        case "blob":
            return base64.b64encode(value).decode()
        case "float" | "double" if not math.isfinite(value):
            return scalars.write(shape, value, "unixtimestamp")
        case _:
            return value
