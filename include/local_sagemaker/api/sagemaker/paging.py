"""Pages of lists that are put together in memory."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from include.local_sagemaker.errors import ValidationException

T = TypeVar("T")
#: page size when MaxResults is not given
PAGE = 10


def page(items: Sequence[T], parameters: Mapping[str, Any]) -> tuple[Sequence[T], str | None]:
    """One page, and the token of the next; the items must come in the same order every time."""
    begin, size = _begin(parameters.get("NextToken")), parameters.get("MaxResults", PAGE)
    token = base64.urlsafe_b64encode(str(begin + size).encode()).decode()
    return items[begin : begin + size], token if begin + size < len(items) else None


def _begin(token: str | None) -> int:
    try:
        return 0 if token is None else max(0, int(base64.urlsafe_b64decode(token)))
    except ValueError as error:
        raise ValidationException("Invalid NextToken: give it back as the last page had it.") from error
