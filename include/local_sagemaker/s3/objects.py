"""Objects as plain files: what the jobs' runner and the S3 operations work with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class ObjectInfo:
    """What is known of one object."""

    bucket: str
    key: str
    #: bytes
    size: int
    #: entity tag without quotes
    etag: str
    modified: datetime
    content_type: str
    metadata: Mapping[str, str]
    #: the file with the object's bytes; read only
    path: Path


class ObjectStore:
    """All buckets below one directory.

    The Python API (all of it blocking, safe in threads):
    `create_bucket(bucket)`, `has_bucket(bucket)`, `buckets()`, `info(bucket, key) -> ObjectInfo` (NoSuchKey),
    `path(bucket, key) -> Path` (NoSuchKey), `list(bucket, prefix="") -> Iterator[ObjectInfo]` in key order,
    `put_bytes(bucket, key, content, ...)`, `put_file(bucket, key, path, ...)` atomic and durable,
    `delete(bucket, key)`, `copy(source bucket, key, target bucket, key)`.
    """
