"""The JSON Schema (draft 2020-12) of a document, from its annotations and the `#:` comments of its fields.

A comment may begin with a unit in brackets.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from include.core.documents.codec import is_required, typed_fields
from include.core.layout import Interval

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TIME = {"type": "string", "format": "date-time"}
#: what JSON Schema calls the plain types
PLAIN: Mapping[Any, Mapping[str, Any]] = {
    Any: {},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    NoneType: {"type": "null"},
    datetime: TIME,
    Interval: {"type": "array", "items": TIME, "minItems": 2, "maxItems": 2},
}
_FIELD = re.compile(r"    (\w+): ")
_COMMENT = re.compile(r"    #: (?:\[(?P<unit>[^]]+)\] )?(?P<text>.+)")


def schema(kind: type) -> dict[str, Any]:
    """Return the schema of a document; its parts are definitions."""
    parts = {part.__name__: _object(part) for part in parts_of(kind)}
    return {"$schema": DIALECT, "title": kind.__name__, **_object(kind), "$defs": parts}


def parts_of(kind: type) -> list[type]:
    """Return the dataclasses that a document's fields hold, in the order in which they are met."""
    parts: dict[type, None] = {}
    waiting = [hint for _, hint in typed_fields(kind)]
    while waiting:
        hint = waiting.pop(0)
        if _is_part(hint) and hint not in parts:
            parts[hint] = None
            waiting += [inner for _, inner in typed_fields(hint)]
        waiting += [inner for inner in get_args(hint) if get_origin(hint) is not Literal]
    return list(parts)


@cache
def comments(kind: type) -> Mapping[str, tuple[str, str]]:
    """Return unit and meaning of the fields that have a comment, also of those that are inherited."""
    known: dict[str, tuple[str, str]] = {}
    for owner in reversed(kind.__mro__):
        comment = None
        for line in inspect.getsource(owner).splitlines() if is_dataclass(owner) else ():
            if match := _COMMENT.fullmatch(line):
                comment = (match["unit"] or "", match["text"])
            elif (match := _FIELD.match(line)) and comment:
                known[match[1]], comment = comment, None
    return known


def _object(kind: type) -> dict[str, Any]:
    known = comments(kind)
    fields = typed_fields(kind)
    return {
        "type": "object",
        "description": (kind.__doc__ or "").partition("\n")[0],
        "properties": {f.name: _described(_of(hint), *known.get(f.name, ("", ""))) for f, hint in fields},
        "required": [field.name for field, _ in fields if is_required(field)],
    }


def _described(described: Mapping[str, Any], unit: str, text: str) -> dict[str, Any]:
    words = f"{text} [{unit}]" if unit else text
    return {**described, "description": words} if words else dict(described)


def _of(hint: Any) -> Mapping[str, Any]:  # noqa: ANN401 - an annotation
    """Return the schema of a value by its annotation."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return {"anyOf": [_of(argument) for argument in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _of(arguments[0])}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _of(arguments[1])}
    return {"$ref": f"#/$defs/{hint.__name__}"} if _is_part(hint) else PLAIN[hint]


def _is_part(hint: Any) -> bool:  # noqa: ANN401 - an annotation
    return is_dataclass(hint) and hint is not Interval
