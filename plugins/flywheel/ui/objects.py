"""Objects of S3 that never change, read once and kept in memory.

Ledger, watch records, decisions, requests and steps' outputs are written once and never changed, so what was
read of them stays true; only the lists of their names are asked for again.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

from include.core.layout import split_uri

#: how much is kept at most, in bytes
KEPT_BYTES = 128 * 1024 * 1024
#: how many objects are read side by side: with those who list meanwhile as many as a client has connections
READERS = 8
#: a list that was read within so many seconds is not read again: several parts look at the same ones
LISTED_S = 2.0

#: how many lists are kept at most
KEPT_LISTS = 1000

Item = dict[str, Any]


class ObjectCache:
    """What was read of S3, by a client that asks for each object once.

    :param s3: a boto3 client for S3, which several threads may use
    """

    def __init__(self, s3: Any, kept_bytes: int = KEPT_BYTES) -> None:  # noqa: ANN401 - a boto3 client
        self._s3, self._limit = s3, kept_bytes
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._listed: dict[tuple[str, str, str], tuple[float, list[Item]]] = {}
        self._size = 0
        self._lock = Lock()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="flywheel-page")

    def after(self, bucket: str, prefix: str, key: str) -> ObjectsAfter:
        """Return the objects below a prefix that sort after `key`, as a watch log reads them."""
        return ObjectsAfter(self, bucket, prefix, key)

    def items(self, bucket: str, prefix: str, after: str = "") -> list[Item]:
        """Return the objects below a prefix, each with its `Key` and `LastModified`."""
        place = (bucket, prefix, after)
        known = self._listed.get(place)
        if known is None or time.monotonic() - known[0] > LISTED_S:
            pages = self._list(Bucket=bucket, Prefix=prefix, StartAfter=after)
            known = (time.monotonic(), [item for page in pages for item in page.get("Contents", [])])
            with self._lock:
                self._listed[place] = known
                while len(self._listed) > KEPT_LISTS:
                    self._listed.pop(next(iter(self._listed)))
        return known[1]

    def folders(self, bucket: str, prefix: str) -> list[str]:
        """Return the names of the folders below a prefix."""
        pages = self._list(Bucket=bucket, Prefix=prefix, Delimiter="/")
        found = [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])]
        return [name.removeprefix(prefix).rstrip("/") for name in found]

    def _list(self, **asked: str) -> Iterator[dict[str, Any]]:
        pages: Iterator[dict[str, Any]] = iter(self._s3.get_paginator("list_objects_v2").paginate(**asked))
        return pages

    def fetch(self, bucket: str, keys: Iterable[str]) -> None:
        """Read objects side by side, so that what asks for one after the other finds them in memory."""
        list(self._readers.map(lambda key: self.content(bucket, key), self._missing(bucket, keys)))

    def read(self, bucket: str, keys: Iterable[str]) -> Iterator[bytes]:
        """Return the bytes of objects, read side by side and not kept."""
        return self._readers.map(lambda key: self._get(bucket, key), keys)

    def _missing(self, bucket: str, keys: Iterable[str]) -> list[str]:
        return [key for key in dict.fromkeys(keys) if (bucket, key) not in self._kept]

    def json(self, uri: str) -> Any:  # noqa: ANN401 - a JSON value
        """Return an object of JSON, or None if there is none. That there is none is not remembered."""
        found = self.find(*split_uri(uri))
        return None if found is None else json.loads(found)

    def find(self, bucket: str, key: str) -> bytes | None:
        """Return an object's bytes, or None if there is none."""
        try:
            return self.content(bucket, key)
        except self._s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                return None
            raise

    def content(self, bucket: str, key: str) -> bytes:
        """Return an object's bytes."""
        with self._lock:
            if (found := self._kept.get((bucket, key))) is not None:
                self._kept.move_to_end((bucket, key))
                return found
        body = self._get(bucket, key)
        self._keep(bucket, key, body)
        return body

    def _get(self, bucket: str, key: str) -> bytes:
        body: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def _keep(self, bucket: str, key: str, body: bytes) -> None:
        with self._lock:
            if (bucket, key) not in self._kept:
                self._kept[bucket, key] = body
                self._size += len(body)
            while self._size > self._limit:
                self._size -= len(self._kept.popitem(last=False)[1])


class ObjectsAfter:
    """The objects below a prefix that sort after a key, listed and read through what is remembered."""

    def __init__(self, objects: ObjectCache, bucket: str, prefix: str, after: str) -> None:
        self._objects, self._bucket, self._prefix, self._after = objects, bucket, prefix, after

    def keys(self, below: str = "") -> list[str]:
        """Return the keys of all objects, or of those in the folder `below`, sorted."""
        items = self._objects.items(self._bucket, self._prefix, self._after)
        return [item["Key"] for item in items if item["Key"].startswith(self._prefix + below)]

    def read(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the bytes of objects, read side by side."""
        wanted = list(keys)
        self._objects.fetch(self._bucket, wanted)
        return {key: self._objects.content(self._bucket, key) for key in wanted}
