"""What a request says of the object that it reads, copies or replaces: conditions, range and source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from local_sagemaker.storage.objects.errors import (
    InvalidArgument,
    InvalidPartNumber,
    InvalidRange,
    NoSuchKey,
    NotModified,
    PreconditionFailed,
)
from local_sagemaker.storage.objects.objects import Check, ObjectInfo, ObjectStore

#: the Range header; Python makes no number of more than 4,300 digits
RANGE = re.compile(r"bytes=(\d{0,4000})-(\d{0,4000})")
#: the range of a copy, whose ends are both given
COPY_RANGE = re.compile(r"bytes=(\d{1,19})-(\d{1,19})")

#: the highest number of a part
PART_LIMIT = 10_000
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
        raise NotModified(info.etag, info.modified)


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


def range_of(header: str | None, size: int) -> tuple[int, int] | None:
    """Offset and length of the part that `header` asks for; None: the whole.

    A header that is not understood asks for the whole, as S3 has it. InvalidRange when nothing is left.
    """
    match = RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first == "":
        length = min(int(last), size)
        start, end = size - length, size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < int(first):
            return None
    if start >= size or start == end:
        raise InvalidRange(
            "The requested range is not satisfiable", RangeRequested=header, ActualObjectSize=size
        )
    return start, end - start


def part_of(number: int, info: ObjectInfo) -> tuple[int, int]:
    """Return offset and length of an object's part, counted from 1; an object put in one piece has one."""
    if not 1 <= number <= PART_LIMIT:
        raise InvalidArgument(f"Part number must be an integer between 1 and {PART_LIMIT}, inclusive")
    sizes = [size for size, _ in info.properties.parts] or [info.size]
    if number > len(sizes):
        raise InvalidPartNumber(
            "The requested partnumber is not satisfiable",
            PartNumberRequested=number,
            ActualPartCount=len(sizes),
        )
    return sum(sizes[: number - 1]), sizes[number - 1]


def source_of(store: ObjectStore, given: Mapping[str, Any]) -> ObjectInfo:
    """Return the object that a copy is taken from, if the copy's conditions hold."""
    path, _, version = given["CopySource"].partition("?versionId=")
    # whoever encodes a whole source encodes its slashes, too, and a space may be written as in forms
    bucket, _, key = unquote(path.replace("+", " ")).removeprefix("/").partition("/")
    if not key or version not in ("", "null"):
        raise InvalidArgument(
            f"Copy Source must mention the source bucket and key, without a version: {given['CopySource']}"
        )
    info = store.info(bucket, key)
    check_read(info, given, "CopySource")
    return info


def copied_range(header: str | None, info: ObjectInfo) -> tuple[int, int]:
    """Offset and length of what is copied; here a range must lie within the object."""
    if header is None:
        return 0, info.size
    match = COPY_RANGE.fullmatch(header)
    if match is None:
        raise InvalidArgument(f"The x-amz-copy-source-range value must be bytes=first-last: {header}")
    first, last = int(match.group(1)), int(match.group(2))
    if first > last or last >= info.size:
        raise InvalidRange(f"Range {header} is not within the source, which has {info.size} bytes")
    return first, last - first + 1
