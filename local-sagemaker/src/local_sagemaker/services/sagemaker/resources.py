"""The base of SageMaker's resources: how they are created and listed, with filters, order and pages."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import UnionType
from typing import Any, Literal, TypeVar

from local_sagemaker.errors import AwsError, ValidationException, translate
from local_sagemaker.services.context import Context
from local_sagemaker.storage.store import Query, Resource, TakenError

#: by SageMaker's word in SortBy
ORDERS: dict[str, Literal["name", "created", "modified", "status"]] = {
    "Name": "name",
    "CreationTime": "created",
    "LastModifiedTime": "modified",
    "Status": "status",
}
#: page size when MaxResults is not given
PAGE = 10
T = TypeVar("T")


def create(context: Context, resource: Resource, parameters: Mapping[str, Any], taken: AwsError) -> None:
    """Store a new resource with its request's tags; raise `taken` if there is one of that name."""
    with translate(TakenError, taken):
        context.store.insert(resource, pairs(parameters.get("Tags")))


def listed(
    context: Context,
    kind: str,
    parameters: Mapping[str, Any],
    *,
    parent: str | None = None,
    prefix: str | None = None,
    status: str | None = None,
    order: str = "CreationTime",
) -> tuple[list[Resource], str | None]:
    """Return one page of resources as the request filters and sorts them, and the token of the next page.

    Newest first unless the request says otherwise; `order` is the operation's default of SortBy.
    """
    size = parameters.get("MaxResults", PAGE)
    sort_by = ORDERS[_word(parameters.get("SortBy", order))]
    query = Query(
        name_contains=parameters.get("NameContains"),
        name_prefix=prefix,
        status=status or parameters.get("StatusEquals"),
        parent=parent,
        created_after=_seconds(parameters.get("CreationTimeAfter")),
        created_before=_seconds(parameters.get("CreationTimeBefore")),
        modified_after=_seconds(parameters.get("LastModifiedTimeAfter")),
        modified_before=_seconds(parameters.get("LastModifiedTimeBefore")),
        sort_by=sort_by,
        is_descending=parameters.get("SortOrder", "Descending") == "Descending",
        limit=size + 1,
        after=_position(parameters.get("NextToken")),
    )
    found = context.store.search(kind, query)
    page = found[:size]
    token = token_of(getattr(page[-1], sort_by), page[-1].name) if len(found) > size else None
    return page, token


def pairs(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Return a request's list of tags by key."""
    return {tag["Key"]: tag["Value"] for tag in tags or []}


def _word(sort_by: str) -> str:
    # ListModelPackageGroups and others know orders of their own; all of them begin with these words
    return next((word for word in ORDERS if sort_by.startswith(word)), "CreationTime")


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _position(token: str | None) -> tuple[str | float, str] | None:
    if token is None:
        return None
    value, name = position_of(token, float | str, str)
    return value, name


def page_of(items: Sequence[T], parameters: Mapping[str, Any]) -> tuple[Sequence[T], str | None]:
    """Return one page and the token of the next; the items must come in the same order every time."""
    given, size = parameters.get("NextToken"), parameters.get("MaxResults", PAGE)
    begin = 0 if given is None else max(0, position_of(given, int)[0])
    return items[begin : begin + size], token_of(begin + size) if begin + size < len(items) else None


def token_of(*place: object) -> str:
    """Return the token of a place in a list."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def position_of(given: str, *kinds: type | UnionType) -> list[Any]:
    """Return the place of a token, whose values are of these kinds; raise ValidationException for others."""
    refusal = ValidationException("Invalid NextToken: give it back as the last page had it.")
    with translate((ValueError, RecursionError), refusal):
        found = json.loads(base64.urlsafe_b64decode(given).decode())
        json.dumps(found, ensure_ascii=False).encode()  # half of a surrogate pair could not be looked for
    if (
        not isinstance(found, list)
        or len(found) != len(kinds)
        or not all(isinstance(value, kind) for value, kind in zip(found, kinds, strict=True))
    ):
        raise refusal
    return found
