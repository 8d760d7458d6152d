"""Parameters that keep to botocore's model, and name what is in the world wherever they can."""
# ruff: noqa: ANN401 (values of a model's shapes can be anything)

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from hypothesis import strategies as st

from local_sagemaker.protocol.validation import expression
from local_sagemaker.services import members
from sagemaker_kit.made_up import HEADER_TEXT, IN_HEAD, MOMENTS, Values

#: members whose names end alike are for things of one sort
SORTS = re.compile(r"(Arn|Uri|Url|Path|Token|Marker|Id|Name|Prefix|Key|Bucket|Regex|Value)$")
#: longer than this, made-up texts cost more than they find
LONG = 60
OTHERS = {"boolean": st.booleans(), "timestamp": MOMENTS, "blob": st.binary(min_size=1, max_size=20)}
NUMBERS = st.floats(0, 100) | st.floats(allow_nan=False, allow_infinity=False)


class Valid(Values):
    """Values within the constraints of their shapes."""

    def __init__(self, words: Mapping[str, Sequence[str]]) -> None:
        self._words = words
        self._sorts: dict[str, list[str]] = {}
        for name, found in words.items():
            sort = SORTS.search(name)
            if sort:
                self._sorts.setdefault(sort.group(), []).extend(found)

    def sizes(self, shape: Any) -> tuple[int, int]:
        """As the model says, but few."""
        low = shape.metadata.get("min", 0)
        return low, max(low, min(shape.metadata.get("max", 2), 2))

    def single(self, shape: Any, name: str) -> st.SearchStrategy[Any]:
        """A word of the world, more often than not; else whatever the model allows."""
        if shape.type_name in ("integer", "long"):
            return _whole(shape.metadata)
        if shape.type_name in ("float", "double"):
            return _number(shape.metadata)
        if shape.type_name == "string":
            return st.sampled_from(shape.enum) if shape.enum else self._text(shape, name)
        return OTHERS[shape.type_name]

    def near(self, shape: Any, known: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
        """What is known to be good, as it is or with one member, at any depth, made up."""

        def varied(name: str) -> st.SearchStrategy[dict[str, Any]]:
            member, inner = shape.members[name], known.get(name)
            drawn = self.of(member, name)
            if isinstance(inner, dict) and member.type_name == "structure":
                drawn = self.near(member, inner) | drawn
            return drawn.map(lambda value: {**known, name: value})

        return st.just(dict(known)) | st.sampled_from(list(shape.members)).flatmap(varied)

    def _text(self, shape: Any, name: str) -> st.SearchStrategy[str]:
        is_in_head = shape.serialization.get("location") == "header"
        fresh = HEADER_TEXT if is_in_head else _fresh(shape)
        if shape.serialization.get("location") in IN_HEAD:
            fresh = fresh.filter(bool)
        choices = [fresh]
        sort = SORTS.search(name)
        for found in (self._sorts.get(sort.group(), []) if sort else [], *[self._words.get(name, [])] * 3):
            if found:
                choices.insert(0, st.sampled_from(_carried(found, is_in_head=is_in_head)))
        return st.one_of(choices)


def emulated(service: str, name: str, shape: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` without what the service refuses of an operation, or of the shape `name` inside one."""
    known, kept = members.rules(service)[name], {}
    for member, value in given.items():
        allowed, inner = known.honoured.get(member), members.structure_in(shape.members[member])
        if allowed:
            kept[member] = value if value in allowed else min(allowed)
        elif allowed is not None and inner is not None and member not in known.whole:
            kept[member] = _inside(value, partial(emulated, service, inner.name, inner))
        elif allowed is not None or member in known.ignored:
            kept[member] = value
    return kept


def _inside(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, list):
        return [_inside(one, change) for one in value]
    return change(value)


def _carried(words: Sequence[str], *, is_in_head: bool) -> list[str]:
    return [word for word in words if not is_in_head or (word.isascii() and word.isprintable())] or ["x"]


def _fresh(shape: Any) -> st.SearchStrategy[str]:
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max", LONG)
    pattern = shape.metadata.get("pattern")
    if pattern is None or pattern in (".*", r"[\S\s]*"):
        return st.text(min_size=low, max_size=max(low, min(high, LONG)))
    return st.from_regex(expression(pattern), fullmatch=True).filter(lambda text: low <= len(text) <= high)


def _whole(limits: Mapping[str, int]) -> st.SearchStrategy[int]:
    low, high = limits.get("min", -1), limits.get("max", 2**31 - 1)
    few = max(low, min(high, 1))
    return st.one_of(
        st.just(few), st.just(few), st.integers(low, min(high, low + 100)), st.integers(low, high)
    )


def _number(limits: Mapping[str, float]) -> st.SearchStrategy[float]:
    if "min" in limits or "max" in limits:
        return st.floats(limits.get("min", -1e6), limits.get("max", 1e6))
    return NUMBERS
