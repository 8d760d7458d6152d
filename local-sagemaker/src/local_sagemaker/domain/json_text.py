"""JSON values as the text they were written in: what nobody looks into keeps its characters.

A number has as many digits as it was given, an object its duplicate keys, and 1e999 is no Infinity.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

BLANK = " \t\r\n"
BLANKS = re.compile(f"[{BLANK}]*")


class JsonText(str):
    """The text of one valid JSON value, without blanks around it."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> JsonText:
        """Return the value that `text` is; raise ValueError if it is none, or is nested too deeply."""
        stripped = text.strip(BLANK)
        try:
            _, end = READER.raw_decode(stripped)
        except RecursionError:
            raise ValueError("it is nested too deeply to be read") from None
        if end != len(stripped):
            raise ValueError(f"there is more behind its end, from character {end} on")
        return cls(stripped)


def unfold(value: Any) -> Any:  # noqa: ANN401 - a JsonText, or what was already made of some
    """Return an object's values by name (the last of several of one name), an array's items, else `value`."""
    if not isinstance(value, JsonText) or value[0] not in "[{":
        return value
    is_object, at = value[0] == "{", _next(value, 1)
    names: list[str] = []
    children: list[JsonText] = []
    while value[at] not in "]}":
        if is_object:
            name, end = NAMES.raw_decode(value, at)
            names.append(name)
            at = _next(value, _next(value, end) + 1)
        _, end = READER.raw_decode(value, at)
        children.append(JsonText(value[at:end]))
        at = _next(value, end)
        if value[at] == ",":
            at = _next(value, at + 1)
    return dict(zip(names, children, strict=True)) if is_object else children


def text_of(value: Any) -> str:  # noqa: ANN401 - a JsonText, or arrays and objects of some
    """Return the text of a value; what was not unfolded stands in it as it was."""
    if isinstance(value, JsonText):
        return value
    if isinstance(value, dict):
        pairs = (f"{json.dumps(name, ensure_ascii=False)}:{text_of(child)}" for name, child in value.items())
        return "{" + ",".join(pairs) + "}"
    return "[" + ",".join(map(text_of, value)) + "]"


def _next(text: str, at: int) -> int:
    match = BLANKS.match(text, at)
    return at if match is None else match.end()


def _nothing(_: object) -> None:
    return None


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


#: finds where values end and makes nothing of them
READER = json.JSONDecoder(
    object_pairs_hook=_nothing, parse_int=_nothing, parse_float=_nothing, parse_constant=_refuse
)
NAMES = json.JSONDecoder()
