"""The subset of JSONPath that batch transform's InputFilter and OutputFilter understand.

`$`, `.name`, `.*`, `[*]`, `['a','b']`, `[1,3]`, `[-1]`, `[start:end]`. A step that names one child selects
it. A step that names several children selects all of them, and the result is an array; a final `['a','b']`
keeps the names and gives an object.
"""
# ruff: noqa: ANN401 (any JSON value)

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: how many characters of a value an error shows
SHOWN = 120
NAME = r"[^\s.\[\]'\"*,$()?@]+"
QUOTED = r"'[^']*'|\"[^\"]*\""
STEP = re.compile(
    rf"\.?\[\s*(?P<names>(?:{QUOTED})(?:\s*,\s*(?:{QUOTED}))*)\s*\]"
    r"|\.?\[\s*(?P<start>-?\d+)?\s*:\s*(?P<end>-?\d+)?\s*\]"
    r"|\.?\[\s*(?P<indices>-?\d+(?:\s*,\s*-?\d+)*)\s*\]"
    r"|(?P<all>\.\*|\.?\[\s*\*\s*\])"
    rf"|\.(?P<name>{NAME})"
)


class JsonPathError(ValueError):
    """A path cannot be parsed, or selects nothing in a given value."""


@dataclass(frozen=True)
class _Step:
    """One step of a path."""

    text: str
    #: returns the children that the step selects of a value
    children: Callable[[Any], list[Any]]
    #: whether it always selects exactly one child
    is_single: bool = False
    #: for `['a','b']`: the names of the resulting object if the step is the last one
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class JsonPath:
    """A parsed path.

    >>> JsonPath.parse("$[1:]").apply(["id-7", 0.5, 2])
    [0.5, 2]
    >>> JsonPath.parse("$['id','SageMakerOutput']").apply({"id": 7, "x": 1, "SageMakerOutput": 0.9})
    {'id': 7, 'SageMakerOutput': 0.9}
    """

    text: str
    steps: tuple[_Step, ...]

    @classmethod
    def parse(cls, text: str) -> JsonPath:
        """Parse `text`; raise JsonPathError if it leaves the subset."""
        if not text.startswith("$"):
            raise JsonPathError(f"The JSONPath {text!r} does not begin with '$', the root of a record.")
        steps, position = [], 1
        while position < len(text):
            match = STEP.match(text, position)
            if match is None:
                raise JsonPathError(
                    f"The JSONPath {text!r} cannot be parsed from {text[position:]!r} on. Use $, .name, *, "
                    "['a','b'], [1,3], [-1] and [start:end]."
                )
            steps.append(_step(match))
            position = match.end()
        return cls(text, tuple(steps))

    @property
    def is_root(self) -> bool:
        """Return whether the path selects the whole value."""
        return not self.steps

    def apply(self, value: Any, unfold: Callable[[Any], Any] = lambda value: value) -> Any:
        """Return what the path selects in `value`; raise JsonPathError if a name or an index is missing.

        :param unfold: returns the dict or list of children that a value stands for.
        """
        selected, is_single = [value], True
        for number, step in enumerate(self.steps, start=1):
            is_last = number == len(self.steps)
            selected = [
                child
                for parent in selected
                for child in self._children(step, unfold(parent), is_last=is_last)
            ]
            is_single = is_single and (step.is_single or (is_last and bool(step.names)))
        return selected[0] if is_single else selected

    def _children(self, step: _Step, parent: Any, *, is_last: bool) -> list[Any]:
        try:
            children = step.children(parent)
        except (KeyError, IndexError, TypeError) as error:
            raise JsonPathError(
                f"The JSONPath {self.text!r} leads nowhere: {step.text!r} is not in {parent!r:.{SHOWN}}"
            ) from error
        return [dict(zip(step.names, children, strict=True))] if is_last and step.names else children


def _step(match: re.Match[str]) -> _Step:
    text = match.group()
    if match["name"] is not None:
        return _Step(text, lambda value: [_object(value)[match["name"]]], is_single=True)
    if match["names"] is not None:
        names = tuple(quoted[1:-1] for quoted in re.findall(QUOTED, match["names"]))
        is_single = len(names) == 1
        kept = () if is_single else names
        return _Step(text, lambda value: [_object(value)[name] for name in names], is_single, kept)
    if match["indices"] is not None:
        indices = [int(index) for index in match["indices"].split(",")]
        return _Step(text, lambda value: [_array(value)[index] for index in indices], len(indices) == 1)
    if match["all"] is not None:
        return _Step(text, lambda value: [*value.values()] if isinstance(value, dict) else _array(value))
    start, end = (int(bound) if bound else None for bound in (match["start"], match["end"]))
    return _Step(text, lambda value: _array(value)[start:end])


def _array(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return value
