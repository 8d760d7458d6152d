"""Journals bound in volumes: copies of many entries in one object, for readers who want all of them.

An entry is an object of its own, so whoever reads a journal of a thousand asks a thousand times. Whenever a
journal has grown by `SIZE` entries, a copy of these is left at `<cycle>/volumes/<journal>/<8 digits>.json`,
named for the last of them and written once. A volume is no record: it says of each entry which ETag S3 gave
it, and a reader takes only what S3 still lists with that ETag. Without volumes everything is as it is with
them, and slower. Needs no Airflow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from include.core.layout import compacted, entry_name

#: entries to a volume
SIZE = 100


def bind(s3: Any, bucket: str, prefix: str, size: int = SIZE) -> list[str]:  # noqa: ANN401 - a boto3 client
    """Write the volumes that a journal lacks; their keys.

    Two at once write the same, since what they copy never changes.
    """
    listed = dict(_listed(s3, bucket, prefix))
    keys = sorted(listed)
    names = {compacted(prefix) + entry_name(end): keys[end - size : end] for end in _ends(len(keys), size)}
    there = dict(_listed(s3, bucket, compacted(prefix))) if names else {}
    missing = [name for name in names if name not in there]
    for name in missing:
        copies = {key: {"etag": listed[key], "text": _bytes(s3, bucket, key).decode()} for key in names[name]}
        body = json.dumps({"entries": copies}).encode()
        s3.put_object(Bucket=bucket, Key=name, Body=body, ContentType="application/json")
    return missing


def bound(volume: bytes, listed: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """The entries of a volume that are what S3 lists, by key; none of one that is damaged.

    :param listed: the ETags of the journal's objects, by key
    """
    try:
        entries = {
            key: (copy["etag"], copy["text"].encode()) for key, copy in json.loads(volume)["entries"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    for key, (etag, text) in entries.items():
        if listed.get(key) == etag:
            yield key, text


def _ends(count: int, size: int) -> range:
    return range(size, count + 1, size)


def _listed(s3: Any, bucket: str, prefix: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - a boto3 client
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            yield item["Key"], item["ETag"]


def _bytes(s3: Any, bucket: str, key: str) -> bytes:  # noqa: ANN401 - a boto3 client
    body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return body
