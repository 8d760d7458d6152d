"""Checks of described values: the types of all fields by their annotations, and the limits declared there.

A fault is one sentence or two that name the field, quote the value and say what to write instead. Nothing is
raised here: who describes something is told all faults at once. Standard library only.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

#: longer values are cut where they are quoted
QUOTED = 100
#: more names are not listed
SHOWN = 20
#: what holds several values
ROWS = (tuple, Sequence)
#: what a value of a type is called, and an example
KINDS: Mapping[type, tuple[str, str]] = {
    str: ("text", "'text'"),
    bool: ("True or False", "True"),
    int: ("a whole number", "1"),
    float: ("a finite number", "0.5"),
    timedelta: ("a timedelta", "timedelta(days=7)"),
    datetime: ("a moment in UTC", "datetime(2013, 1, 1, tzinfo=UTC)"),
}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a field's value must keep to beside its type, in `Annotated`."""

    least: Any = None
    most: Any = None
    above: Any = None
    below: Any = None
    pattern: re.Pattern[str] | None = None
    #: what the pattern asks for, in words
    form: str = ""

    def fault(self, value: Any) -> str | None:  # noqa: ANN401 - what the field holds
        """Return what a value of the right type must be, if it is not."""
        if self.pattern is not None:
            return None if self.pattern.fullmatch(value) else f"be {self.form}"
        bounds = [
            ("at least", self.least, self.least is None or value >= self.least),
            ("at most", self.most, self.most is None or value <= self.most),
            ("more than", self.above, self.above is None or value > self.above),
            ("less than", self.below, self.below is None or value < self.below),
        ]
        if all(holds for *_, holds in bounds):
            return None
        known = [f"{words} {show(bound)}" for words, bound, _ in bounds if bound is not None]
        return f"be {' and '.join(known)}"


NO_LIMITS = Limits()


# Numbers and times that are declared in more than one place
Share = Annotated[float, Limits(least=0, most=1)]
Count = Annotated[int, Limits(least=0)]
Positive = Annotated[int, Limits(least=1)]
Amount = Annotated[float, Limits(least=0)]
#: none is a length as well
Length = Annotated[timedelta, Limits(least=timedelta(0))]
Stretch = Annotated[timedelta, Limits(above=timedelta(0))]


def show(value: object) -> str:
    """Return a value as it would be written, or how it begins."""
    text = _written_delta(value) if isinstance(value, timedelta) else repr(value)
    return text if len(text) <= QUOTED else f"{text[:QUOTED]}..."


def _written_delta(value: timedelta) -> str:
    parts = {"days": value.days, "seconds": value.seconds, "microseconds": value.microseconds}
    if value < timedelta(0):
        return f"-{_written_delta(-value)}"
    return f"timedelta({', '.join(f'{name}={part}' for name, part in parts.items() if part) or 0})"


def close_match(name: object, known: Iterable[str]) -> str:
    """Return a sentence that says which known name was probably meant, or which there are.

    >>> close_match("roc_acu", ["roc_auc", "accuracy"])
    "Write 'roc_auc'."
    >>> close_match(7, ["roc_auc", "accuracy"])
    "Write one of 'roc_auc', 'accuracy'."
    """
    names = list(known)
    near = difflib.get_close_matches(name, names, 1) if isinstance(name, str) else []
    if near or len(names) == 1:
        return f"Write {(near or names)[0]!r}."
    return f"Write one of {', '.join(map(repr, names[:SHOWN]))}{', ...' if len(names) > SHOWN else ''}."


def field_faults(record: Any, path: str = "") -> list[str]:  # noqa: ANN401 - any dataclass
    """Return the faults of all fields of a described value, those of the values inside it included.

    :param record: a dataclass; its method `faults(path, sound)`, if it has one, yields what is wrong beyond
        each field by itself, and looks only at fields whose names are in `sound`
    :param path: what precedes the names of its fields, such as `split.`
    """
    hints, faults, sound = _hints(type(record)), [], set()  # type: ignore[arg-type] # a class can be hashed
    for name in (described.name for described in fields(record)):
        wrong = value_faults(f"{path}{name}", getattr(record, name), hints[name])
        faults += wrong
        sound |= set() if wrong else {name}
    own: Callable[[str, set[str]], Iterable[str]] | None = getattr(record, "faults", None)
    return faults if own is None else [*faults, *own(path, sound)]


@cache
def _hints(kind: type) -> dict[str, Any]:
    """Return the annotations of a dataclass with their limits; reading them takes longer than all checks."""
    return get_type_hints(kind, include_extras=True)


def value_faults(path: str, value: Any, hint: Any) -> list[str]:  # noqa: ANN401 - any value and annotation
    """Return what is wrong with one value, by the annotation of its field."""
    arms = _arms(hint)
    if value is None and NoneType in arms:
        return []
    for kind, limits in arms.items():
        if _is_of(value, kind):
            return list(_inside(path, value, kind, limits))
    faults = [_wrong_type(path, value, list(arms))]
    rows = [kind for kind in arms if get_origin(kind) is tuple]
    if rows and isinstance(value, list):
        # a list for a tuple is one fault, and its parts may have more
        faults += _inside(path, tuple(value), rows[0], NO_LIMITS)
    return faults


def _arms(hint: Any, limits: Limits = NO_LIMITS) -> dict[Any, Limits]:  # noqa: ANN401 - an annotation
    """Return the types that an annotation allows, each with its limits."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _arms(arguments[0], arguments[1])
    if origin in {Union, UnionType}:
        return {kind: own for arm in arguments for kind, own in _arms(arm, limits).items()}
    return {hint: limits}


def _is_of(value: object, kind: Any) -> bool:  # noqa: ANN401 - an annotation
    """Whether a value is of the outer type of an annotation."""
    outer = get_origin(kind) or kind
    if outer is Literal:
        return value in get_args(kind) and isinstance(value, str)
    if outer in {int, float}:
        is_number = isinstance(value, (int, outer)) and not isinstance(value, bool)
        return is_number and math.isfinite(value)  # type: ignore[arg-type] # it is a number
    if outer is datetime:
        return isinstance(value, datetime) and value.tzinfo is UTC
    return isinstance(value, outer) and not (outer is Sequence and isinstance(value, str | bytes))


def _inside(path: str, value: Any, kind: Any, limits: Limits) -> Iterator[str]:  # noqa: ANN401 - any value
    """Yield what is wrong within a value whose outer type is right."""
    arguments = get_args(kind)
    if is_dataclass(value):
        yield from field_faults(value, f"{path}.")
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from value_faults(f"the name {show(key)} of {path}", key, arguments[0])
            yield from value_faults(f"{path}[{show(key)}]", part, arguments[1])
    elif isinstance(value, tuple | list):
        for number, part in enumerate(value):
            yield from value_faults(f"{path}[{number}]", part, arguments[0])
    elif isinstance(value, str) and not value.strip():
        yield f"{path}={show(value)} is empty. Write {limits.form or 'a text'}."
    elif (wanted := limits.fault(value)) is not None:
        yield f"{path}={show(value)} must {wanted}."


def _wrong_type(path: str, value: Any, kinds: list[Any]) -> str:  # noqa: ANN401 - any value
    names = " or ".join(_name_of(kind) for kind in kinds)
    if get_origin(kinds[0]) is Literal:
        advice = close_match(value, get_args(kinds[0]))
    else:
        advice = f"Write {_instead(value, kinds[0])}."
    return f"{path}={show(value)} is not {names}. {advice}"


def _name_of(kind: Any) -> str:  # noqa: ANN401 - an annotation
    outer, arguments = get_origin(kind) or kind, get_args(kind)
    if outer is NoneType:
        return "None"
    if outer is Literal:
        return " or ".join(map(repr, arguments))
    if outer in ROWS:
        return f"a tuple, of which each part is {_name_of(arguments[0])}"
    if isinstance(outer, type) and issubclass(outer, Mapping):
        return f"a dict from text to {_name_of(arguments[1])}"
    return KINDS[kind][0] if kind in KINDS else f"a {kind.__name__}"


def _instead(value: Any, kind: Any) -> str:  # noqa: ANN401 - any value and annotation
    """Return what to write instead of a value of another type: that value, where it can be told."""
    outer = get_origin(kind) or kind
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if outer in ROWS:
        parts = value if isinstance(value, list) else [value]
        text = f"({', '.join(map(show, parts))},)"
        return text if isinstance(value, str | list) and len(text) <= QUOTED else "('one', 'two')"
    if isinstance(outer, type) and issubclass(outer, Mapping):
        return "{'name': value}"
    if kind in {str, timedelta} and is_number:
        return f"str({value!r})" if kind is str else f"timedelta(days={value!r})"
    if kind in {int, float} and isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return value
    if kind is datetime and isinstance(value, date):
        return _moment(value)
    return " such as ".join(KINDS[kind]) if kind in KINDS else f"{kind.__name__}(...)"


def _moment(value: date) -> str:
    """Return a date or a moment as one in UTC is written."""
    moment = datetime.fromisoformat(value.isoformat())
    moment = moment.replace(tzinfo=UTC) if moment.utcoffset() is None else moment.astimezone(UTC)
    parts = moment.timetuple()[: 6 if moment.second else 5 if moment.hour or moment.minute else 3]
    return f"datetime({', '.join(map(str, parts))}, tzinfo=UTC)"
