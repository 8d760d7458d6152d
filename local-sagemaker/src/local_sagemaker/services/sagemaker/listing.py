"""What all List operations of SageMaker share: filters, order, pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from local_sagemaker.services.context import Context
from local_sagemaker.services.sagemaker import paging
from local_sagemaker.storage.store import Query, Resource

#: by SageMaker's word in SortBy
ORDERS: dict[str, Literal["name", "created", "modified", "status"]] = {
    "Name": "name",
    "CreationTime": "created",
    "LastModifiedTime": "modified",
    "Status": "status",
}
#: page size when MaxResults is not given
PAGE = 10


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
    """One page of a kind's resources as the request filters and sorts them, and the token of the next page.

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
    token = paging.token(getattr(page[-1], sort_by), page[-1].name) if len(found) > size else None
    return page, token


def pairs(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """A request's list of tags by key."""
    return {tag["Key"]: tag["Value"] for tag in tags or []}


def _word(sort_by: str) -> str:
    # ListModelPackageGroups and others know orders of their own; all of them begin with these words
    return next((word for word in ORDERS if sort_by.startswith(word)), "CreationTime")


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _position(token: str | None) -> tuple[str | float, str] | None:
    if token is None:
        return None
    value, name = paging.position(token, float | str, str)
    return value, name
