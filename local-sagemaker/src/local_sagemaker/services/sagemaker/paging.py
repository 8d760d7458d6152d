"""Pages of lists that are put together in memory, and the tokens of all lists."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, TypeVar

from local_sagemaker.errors import ValidationException

T = TypeVar("T")
#: page size when MaxResults is not given
PAGE = 10


def page(items: Sequence[T], parameters: Mapping[str, Any]) -> tuple[Sequence[T], str | None]:
    """One page, and the token of the next; the items must come in the same order every time."""
    given, size = parameters.get("NextToken"), parameters.get("MaxResults", PAGE)
    begin = 0 if given is None else max(0, position(given, int)[0])
    return items[begin : begin + size], token(begin + size) if begin + size < len(items) else None


def token(*place: object) -> str:
    """The token of a place in a list."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def position(given: str, *kinds: type | UnionType) -> list[Any]:
    """The place that a token stands for, of values of these kinds; ValidationException if it is none."""
    try:
        found = json.loads(base64.urlsafe_b64decode(given).decode())
        json.dumps(found, ensure_ascii=False).encode()  # half of a surrogate pair could not be looked for
    except (ValueError, RecursionError):
        found = None
    if (
        not isinstance(found, list)
        or len(found) != len(kinds)
        or not all(isinstance(value, kind) for value, kind in zip(found, kinds, strict=True))
    ):
        raise ValidationException("Invalid NextToken: give it back as the last page had it.")
    return found
