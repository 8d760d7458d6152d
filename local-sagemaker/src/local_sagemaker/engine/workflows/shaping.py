"""Values of a pipeline's expressions as the request of an operation takes them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, cast

from botocore.model import ListShape, MapShape, Shape, StructureShape

TRUTHS = {"true": True, "false": False}


def shaped(shape: Shape, value: Any) -> Any:  # noqa: ANN401 (any JSON)
    """`value` with numbers as text where text is wanted, and the other way round."""
    match shape.type_name:
        case "structure" if isinstance(value, dict):
            members = cast("StructureShape", shape).members
            return {
                name: shaped(members[name], item) if name in members else item for name, item in value.items()
            }
        case "list" if isinstance(value, list):
            return [shaped(cast("ListShape", shape).member, item) for item in value]
        case "map" if isinstance(value, dict):
            return {key: shaped(cast("MapShape", shape).value, item) for key, item in value.items()}
        case kind:
            return _scalar(kind, value)


def _scalar(kind: str, value: Any) -> Any:  # noqa: ANN401 (any JSON)
    """A number, a truth or a text as `kind`, if it can be that; else as it is."""
    with suppress(ValueError):
        if kind == "string" and isinstance(value, (bool, int, float)):
            return str(value)
        if kind in {"integer", "long"} and isinstance(value, str):
            return int(value)
        if kind in {"float", "double"} and isinstance(value, (int, str)):
            return float(value)
    return TRUTHS.get(value.lower(), value) if kind == "boolean" and isinstance(value, str) else value
