"""Every field of a cycle's description has a check: a type that is known, and limits if it is a number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from datetime import datetime, timedelta
from types import NoneType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from include.core.checks import Limits
from include.core.cycle import Cycle

#: numbers that may be any: a gain or a floor may lie on either side of 0
UNLIMITED = {"Promotion.minimum_gain", "Promotion.slice_floor", "Promotion.slice_floors"}
NUMBERS = (int, float, timedelta)


def leaves(name: str, hint: Any, *, is_limited: bool = False) -> Iterator[tuple[str, Any, bool]]:  # noqa: ANN401 - an annotation
    """Every type in an annotation, and in the records inside it, with whether it has limits."""
    outer, arguments = get_origin(hint), get_args(hint)
    if outer is Annotated:
        is_limited |= any(isinstance(mark, Limits) for mark in arguments[1:])
        yield from leaves(name, arguments[0], is_limited=is_limited)
    elif isinstance(hint, type) and is_dataclass(hint):
        for field, inner in get_type_hints(hint, include_extras=True).items():
            yield from leaves(f"{hint.__name__}.{field}", inner)
    elif outer is Literal or outer is None:
        yield name, outer or hint, is_limited
    else:
        assert outer is Union or outer in (type(int | None), tuple, Mapping, Sequence), (name, hint)
        for argument in arguments:
            if argument is not Ellipsis:
                yield from leaves(name, argument, is_limited=is_limited)


FIELDS = list(leaves("", Cycle))


def test_every_field_of_a_description_is_of_a_type_that_is_checked() -> None:
    """A type that nobody knows would be taken as it is."""
    known = {str, bool, datetime, NoneType, Literal, *NUMBERS}
    assert [(name, kind) for name, kind, _ in FIELDS if kind not in known] == []


def test_every_number_of_a_description_has_limits() -> None:
    """Write `Share`, `Count` or another type of include/core/checks.py, or list it here with a reason."""
    bare = {name for name, kind, is_limited in FIELDS if kind in NUMBERS and not is_limited}
    assert bare == UNLIMITED
