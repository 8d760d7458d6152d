"""What a copy is taken from: the CopySource header."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from local_sagemaker.storage.objects import conditions
from local_sagemaker.storage.objects.errors import InvalidArgument, InvalidRange
from local_sagemaker.storage.objects.objects import ObjectInfo, ObjectStore

RANGE = re.compile(r"bytes=(\d{1,19})-(\d{1,19})")


def source_of(store: ObjectStore, given: Mapping[str, Any]) -> ObjectInfo:
    """Return the object that a copy is taken from, if the copy's conditions hold."""
    path, _, version = unquote(given["CopySource"]).partition("?versionId=")
    bucket, _, key = path.removeprefix("/").partition("/")
    if not key or version not in ("", "null"):
        raise InvalidArgument(
            f"Copy Source must mention the source bucket and key, without a version: {given['CopySource']}"
        )
    info = store.info(bucket, key)
    conditions.check_read(info, given, "CopySource")
    return info


def part_of(header: str | None, info: ObjectInfo) -> tuple[int, int]:
    """Offset and length of what is copied; here a range must lie within the object."""
    if header is None:
        return 0, info.size
    match = RANGE.fullmatch(header)
    if match is None:
        raise InvalidArgument(f"The x-amz-copy-source-range value must be bytes=first-last: {header}")
    first, last = int(match.group(1)), int(match.group(2))
    if first > last or last >= info.size:
        raise InvalidRange(f"Range {header} is not within the source, which has {info.size} bytes")
    return first, last - first + 1
