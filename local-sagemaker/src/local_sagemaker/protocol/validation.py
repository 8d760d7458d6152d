"""Whether a request keeps the constraints of its model, in AWS's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_sagemaker.errors import ValidationException

#: what Java's classes of Unicode characters become; each is at least as wide as the original
CLASSES = {r"\p{L}": r"\w", r"\p{M}": r"\w", r"\p{N}": r"\d", r"\p{Z}": r"\s", r"\p{Alnum}": "A-Za-z0-9"}
#: in the place of a value that its model calls sensitive
HIDDEN = "***"
#: in the place of a pattern that Python cannot read
ANYTHING = re.compile(r".*", re.DOTALL)
#: shapes whose pattern AWS does not keep to itself: S3 takes a source whose slashes are encoded
UNCHECKED = frozenset({"CopySource"})
PUNCTUATION = re.escape("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + "\u00a1-\u00bf\u2010-\u2e7f"
CLASSES |= {r"\p{ASCII}*": r"[\x00-\x7F]*", r"\p{Print}": r"\x20-\x7E", r"\z": r"\Z"}
CLASSES |= {r"\p{P}": PUNCTUATION, r"\p{S}": PUNCTUATION}


def problems(shape: Shape, value: Any, path: str = "") -> list[str]:  # noqa: ANN401
    """Every constraint that `value` breaks, as one sentence each; empty when it is valid."""
    return list(_check(shape, value, path))


def check(shape: Shape | None, parameters: Mapping[str, Any]) -> None:
    """Raise ValidationException, with all that is wrong, if a request breaks a constraint of its model."""
    broken = [] if shape is None else problems(shape, parameters)
    if broken:
        plural = "error" if len(broken) == 1 else "errors"
        raise ValidationException(f"{len(broken)} validation {plural} detected: {'; '.join(broken)}")


def _check(shape: Shape, value: Any, path: str) -> Iterator[str]:  # noqa: ANN401
    if value is None:
        yield _sentence(None, path, "Member must not be null")
        return
    shown = HIDDEN if shape.metadata.get("sensitive") else value
    for constraint in _broken(shape, value):
        yield _sentence(shown, path, constraint)
    match shape.type_name:
        case "structure" if not shape.is_document_type:  # type: ignore[attr-defined]
            yield from _check_members(cast("StructureShape", shape), value, path)
        case "list":
            for number, item in enumerate(value, 1):
                yield from _check(cast("ListShape", shape).member, item, f"{path}.{number}.member")
        case "map":
            yield from _check_map(cast("MapShape", shape), value, path)


def _check_members(shape: StructureShape, value: dict[str, Any], path: str) -> Iterator[str]:
    for name in shape.required_members:
        if name not in value:
            yield _sentence(None, _join(path, name), "Member must not be null")
    for name, item in value.items():
        yield from _check(shape.members[name], item, _join(path, name))
    if shape.is_tagged_union and len(value) != 1:
        yield _sentence(sorted(value), path, f"Exactly one member must be set of {list(shape.members)}")


def _check_map(shape: MapShape, value: dict[str, Any], path: str) -> Iterator[str]:
    keys = {constraint for key in value for constraint in _broken(shape.key, key)}
    if keys:
        yield _sentence(value, path, f"Map keys must satisfy constraint: [{', '.join(sorted(keys))}]")
    simple = shape.value.type_name not in ("structure", "list", "map")
    values = {c for item in value.values() for c in _broken(shape.value, item)} if simple else set()
    if values:
        yield _sentence(value, path, f"Map value must satisfy constraint: [{', '.join(sorted(values))}]")
    if not simple:
        for key, item in value.items():
            yield from _check(shape.value, item, f"{path}.{key}.member")


def _broken(shape: Shape, value: Any) -> Iterator[str]:  # noqa: ANN401
    if value is None:
        yield "Member must not be null"
        return
    limits = shape.metadata
    measured = None
    if shape.type_name in ("string", "list", "map", "blob") and hasattr(value, "__len__"):
        measured, word = len(value), "length"
    elif shape.type_name in ("integer", "long", "float", "double"):
        measured, word = value, "value"
    if measured is not None and measured > limits.get("max", measured):
        yield f"Member must have {word} less than or equal to {limits['max']}"
    if measured is not None and measured < limits.get("min", measured):
        yield f"Member must have {word} greater than or equal to {limits['min']}"
    if shape.type_name == "string":
        yield from _broken_by_text(shape, value)


def _broken_by_text(shape: Shape, value: str) -> Iterator[str]:
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        yield f"Member must satisfy enum value set: [{', '.join(allowed)}]"
    pattern = shape.metadata.get("pattern")
    if pattern and shape.name not in UNCHECKED and not expression(pattern).fullmatch(value):
        yield f"Member must satisfy regular expression pattern: {pattern}"


@cache
def expression(pattern: str) -> re.Pattern[str]:
    """Return a model's pattern (Java's dialect) as Python's; one that Python cannot read matches anything."""
    for java, python in CLASSES.items():
        pattern = pattern.replace(java, python)
    pattern = pattern.replace(r"[\w-_]", r"[\w_-]").replace("${1,", "{1,")
    try:
        return re.compile(pattern, re.DOTALL if pattern.startswith("[\\s\\S]") else 0)
    except re.error:
        return ANYTHING


def _join(path: str, name: str) -> str:
    camel = name[:1].lower() + name[1:]
    return f"{path}.{camel}" if path else camel


def _sentence(value: object, path: str, constraint: str) -> str:
    shown = "null" if value is None else f"'{_java(value)}'"
    return f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}"


def _java(value: object) -> str:
    """`value` as Java prints it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_java(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_java(item) for item in value) + "]"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return str(value).lower() if isinstance(value, bool) else str(value)
