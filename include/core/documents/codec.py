"""How a document becomes JSON and JSON becomes a document: frozen dataclasses, checked by their annotations.

Times are ISO 8601 in UTC, an interval is the list of its start and its end, an undefined number is null.

Unknown fields are ignored on reading. An installation that goes back to an earlier version of Flywheel must
still read what the later one wrote, and nothing is lost, since no record is ever rewritten. A missing field
has its default; one without a default is an error.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Literal, NoReturn, Self, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from include.core.exceptions import InvalidDocument
from include.core.layout import Interval

#: metadata of a field that is left out of the JSON while it is None
OMIT_NONE: Mapping[str, bool] = MappingProxyType({"omit_none": True})
#: characters of a wrong value that an error shows
SHOWN = 60

T = TypeVar("T")
D = TypeVar("D", bound="Document")

SCALARS: Mapping[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "an integer"),
    float: ((int, float), "a number"),
    str: ((str,), "a text"),
}


class Document:
    """The base of every document: a frozen dataclass that is kept or handed on as JSON."""

    def as_json(self) -> dict[str, Any]:
        """Return the document as JSON values, in the order of its fields."""
        values: dict[str, Any] = to_json(self)
        return values

    @classmethod
    def from_json(cls, value: Any) -> Self:  # noqa: ANN401 - any JSON value
        """Return the document that JSON values describe.

        Raise InvalidDocument if a field is missing or is not what its annotation says.
        """
        document: Self = _read(cls, value, cls.__name__)
        return document

    @classmethod
    def from_text(cls, text: str | bytes) -> Self:
        """Return the document of a JSON text; raise InvalidDocument if it is none."""
        try:
            value = json.loads(text)
        except ValueError as error:
            raise InvalidDocument(f"{cls.__name__} is no JSON: {error}.") from error
        return cls.from_json(value)

    @classmethod
    def lift(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what an earlier version of Flywheel wrote as this version writes it."""
        return value


def canonical(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return JSON with sorted names and no blanks: equal values have equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return the SHA-256 of a value's canonical JSON, 64 hex digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def to_json(value: Any) -> Any:  # noqa: ANN401 - a document, or a part of one
    """Return a document or a part of one as JSON values."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Interval):
        return [to_json(value.start), to_json(value.end)]
    if is_dataclass(value):
        parts = ((field, getattr(value, field.name)) for field in fields(value))
        return {f.name: to_json(v) for f, v in parts if v is not None or not f.metadata.get("omit_none")}
    if isinstance(value, Mapping):
        return {name: to_json(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def narrow(kind: type[T], value: Any) -> T:  # noqa: ANN401 - a dataclass that has all of its fields
    """Return a dataclass made of another's fields of the same names."""
    return kind(**{field.name: getattr(value, field.name) for field in fields(cast("Any", kind))})


@cache
def typed_fields(kind: type) -> tuple[tuple[Field[Any], Any], ...]:
    """Return the fields of a dataclass, each with its resolved annotation."""
    hints = get_type_hints(kind)
    return tuple((field, hints[field.name]) for field in fields(kind))


def is_required(field: Field[Any]) -> bool:
    """Return whether a document without this field is invalid."""
    return field.default is MISSING and field.default_factory is MISSING


def _read(hint: Any, value: Any, path: str) -> Any:  # noqa: ANN401 - an annotation, a JSON value, and what it means
    """Return the value that JSON stands for by an annotation.

    :param path: the document and the path of the field, for errors
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return _read_union(arguments, value, path)
    if origin is Literal:
        return value if value in arguments else _refuse(path, f"one of {', '.join(arguments)}", value)
    if origin is tuple:
        return tuple(_read(arguments[0], v, f"{path}[{i}]") for i, v in enumerate(_list(value, path)))
    if origin is not None and issubclass(origin, Mapping):
        named = _object(value, path)
        return {name: _read(arguments[1], part, f"{path}.{name}") for name, part in named.items()}
    return _read_plain(hint, value, path)


def _read_plain(hint: Any, value: Any, path: str) -> Any:  # noqa: ANN401 - see _read
    """Read a value whose annotation has no parameters."""
    if hint is Any:
        return value
    if hint is datetime:
        return _time(value, path)
    if hint is Interval:
        return _interval(value, path)
    if is_dataclass(hint):
        return _read_object(hint, value, path)
    types, expected = SCALARS[hint]
    is_other = isinstance(value, bool) and hint is not bool
    return value if isinstance(value, types) and not is_other else _refuse(path, expected, value)


def _read_object(kind: Any, value: Any, path: str) -> Any:  # noqa: ANN401 - see _read
    values = _object(value, path)
    if issubclass(kind, Document):
        values = kind.lift(values)
    typed = typed_fields(kind)
    missing = [field.name for field, _ in typed if is_required(field) and field.name not in values]
    if missing:
        raise InvalidDocument(f"{path} lacks {', '.join(missing)}; it has {', '.join(values) or 'nothing'}.")
    given = [(field.name, hint) for field, hint in typed if field.name in values]
    return kind(**{name: _read(hint, values[name], f"{path}.{name}") for name, hint in given})


def _read_union(arguments: Iterable[Any], value: Any, path: str) -> Any:  # noqa: ANN401 - see _read
    """Read by the first alternative that fits; the error is the last one's."""
    if value is None and NoneType in arguments:
        return None
    *others, last = [hint for hint in arguments if hint is not NoneType]
    for hint in others:
        try:
            return _read(hint, value, path)
        except InvalidDocument:
            continue
    return _read(last, value, path)


def _time(value: Any, path: str) -> datetime:  # noqa: ANN401 - any JSON value
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        _refuse(path, "an ISO 8601 time", value)
    return time.astimezone(UTC) if time.tzinfo else _refuse(path, "a time with its offset from UTC", value)


def _interval(value: Any, path: str) -> Interval:  # noqa: ANN401 - any JSON value
    times = [_time(time, f"{path}[{i}]") for i, time in enumerate(_list(value, path))]
    return Interval(*times) if len(times) == len(fields(Interval)) else _refuse(path, "two times", value)


def _list(value: Any, path: str) -> list[Any]:  # noqa: ANN401 - any JSON value
    return list(value) if isinstance(value, list | tuple) else _refuse(path, "a list", value)


def _object(value: Any, path: str) -> Mapping[str, Any]:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, Mapping) else _refuse(path, "an object", value)


def _refuse(path: str, expected: str, value: object) -> NoReturn:
    text = repr(value)
    shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
    raise InvalidDocument(f"{path} must be {expected}, but is {shown}.")
