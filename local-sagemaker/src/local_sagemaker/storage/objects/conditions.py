"""Conditional requests: If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from local_sagemaker.storage.objects.errors import NoSuchKey, NotModified, PreconditionFailed
from local_sagemaker.storage.objects.objects import Check, ObjectInfo

FAILED = "At least one of the pre-conditions you specified did not hold"


def _matches(header: str, etag: str) -> bool:
    """Whether `etag` is among those of a header such as `"a", W/"b"` or `*`."""
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    return "*" in tags or etag in tags


def _is_later(info: ObjectInfo, moment: datetime) -> bool:
    """Whether the object was changed after `moment`, in the whole seconds that headers carry."""
    return int(info.modified.timestamp()) > int(moment.timestamp())


def check_read(info: ObjectInfo, given: Mapping[str, Any], prefix: str = "") -> None:
    """Refuse a read whose conditions do not hold, in the order of RFC 9110; `prefix` is CopySource's."""
    match, none_match = given.get(f"{prefix}IfMatch"), given.get(f"{prefix}IfNoneMatch")
    since, unmodified = given.get(f"{prefix}IfModifiedSince"), given.get(f"{prefix}IfUnmodifiedSince")
    if match is not None:
        if not _matches(match, info.etag):
            raise PreconditionFailed(FAILED, Condition="If-Match")
    elif unmodified is not None and _is_later(info, unmodified):
        raise PreconditionFailed(FAILED, Condition="If-Unmodified-Since")
    if none_match is not None:
        is_unchanged = _matches(none_match, info.etag)
    else:
        is_unchanged = since is not None and not _is_later(info, since)
    if is_unchanged and prefix:
        raise PreconditionFailed(FAILED, Condition="If-None-Match")
    if is_unchanged:
        raise NotModified("Not Modified")


def write_check(given: Mapping[str, Any]) -> Check | None:
    """Return the check of a conditional write, to be made in the same instant as the write."""
    match, none_match = given.get("IfMatch"), given.get("IfNoneMatch")
    if match is None and none_match is None:
        return None

    def check(there: ObjectInfo | None) -> None:
        if match is not None and there is None:
            raise NoSuchKey("The specified key does not exist.", Key=given["Key"])
        if match is not None and there is not None and not _matches(match, there.etag):
            raise PreconditionFailed(FAILED, Condition="If-Match")
        if none_match is not None and there is not None and _matches(none_match, there.etag):
            raise PreconditionFailed(FAILED, Condition="If-None-Match")

    return check
