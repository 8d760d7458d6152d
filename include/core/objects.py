"""Objects of S3 through a boto3 client: read one or many, list them, and write one once."""
# ruff: noqa: ANN401 - boto3 makes its clients' types at run time

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

#: objects that are read side by side; a boto3 client has ten connections
READERS = 8

#: an object of a listing: `Key`, `ETag`, `Size` and `LastModified`
Item = dict[str, Any]


def error_code(error: Any) -> str:
    """Return the error code of AWS's answer, given botocore's ClientError."""
    return str(error.response["Error"]["Code"])


def read_object(s3: Any, bucket: str, key: str) -> bytes | None:
    """Return an object's bytes, or None if there is none."""
    try:
        body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3.exceptions.ClientError as error:
        if error_code(error) in {"NoSuchKey", "404"}:
            return None
        raise
    return body


def read_objects(s3: Any, bucket: str, keys: Iterable[str], pool: Executor | None = None) -> dict[str, bytes]:
    """Return the bytes of those objects that exist, read side by side.

    :param pool: reads them, by default one that is made for this call
    """
    wanted = sorted(set(keys))
    with nullcontext(pool) if pool else ThreadPoolExecutor(min(READERS, len(wanted)) or 1) as readers:
        bodies = readers.map(lambda key: read_object(s3, bucket, key), wanted)
        return {key: body for key, body in zip(wanted, bodies, strict=True) if body is not None}


def list_objects(s3: Any, bucket: str, prefix: str, *, after: str = "") -> Iterator[Item]:
    """Yield the objects below a prefix in the order of their keys, a page for each request.

    :param after: list only keys that sort after this one
    """
    where = {"StartAfter": after} if after else {}
    for answer in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **where):
        yield from answer.get("Contents", [])


def list_folders(s3: Any, bucket: str, prefix: str) -> list[str]:
    """Return the names of the folders below a prefix, without their slashes."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
    folders = (item["Prefix"] for answer in pages for item in answer.get("CommonPrefixes", []))
    return [folder.removeprefix(prefix).rstrip("/") for folder in folders]


def write_new(s3: Any, bucket: str, key: str, body: bytes, **members: str) -> bool:
    """Write an object and return True, or return False if its name is taken.

    :param members: further members of PutObject
    """
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*", **members)
    except s3.exceptions.ClientError as error:
        # S3 answers 412 if the object exists, 409 if another request is writing it at this instant.
        if error_code(error) in {"PreconditionFailed", "ConditionalRequestConflict"}:
            return False
        raise
    return True
