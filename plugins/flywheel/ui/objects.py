"""Objects of S3 that never change, read once and kept in memory.

Ledger, watch records, decisions, requests and steps' outputs are written once and never changed, so what was
read of them stays true; only the lists of their names are asked for again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

from include.core.documents.codec import D
from include.core.layout import split_uri
from include.core.objects import READERS, Item, list_folders, list_objects, read_objects

#: how much is kept at most, in bytes
KEPT_BYTES = 128 * 1024 * 1024
#: a list that was read within so many seconds is not read again: several parts look at the same ones
LISTED_S = 2.0
#: how many lists are kept at most
KEPT_LISTS = 1000

#: an object of JSON
Json = dict[str, Any]


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
        # one for all: with those who list meanwhile it takes as many connections as a client has
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="flywheel-page")

    def after(self, bucket: str, prefix: str, key: str) -> ObjectsAfter:
        """Return the objects below a prefix that sort after `key`, as a watch log reads them."""
        return ObjectsAfter(self, bucket, prefix, key)

    def items(self, bucket: str, prefix: str, after: str = "") -> list[Item]:
        """Return the objects below a prefix, each with its `Key` and `LastModified`."""
        listing = (bucket, prefix, after)
        known = self._listed.get(listing)
        if known is None or time.monotonic() - known[0] > LISTED_S:
            known = (time.monotonic(), list(list_objects(self._s3, bucket, prefix, after=after)))
            with self._lock:
                self._listed[listing] = known
                while len(self._listed) > KEPT_LISTS:
                    self._listed.pop(next(iter(self._listed)))
        return known[1]

    def folders(self, bucket: str, prefix: str) -> list[str]:
        """Return the names of the folders below a prefix."""
        return list_folders(self._s3, bucket, prefix)

    def read(self, bucket: str, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the bytes of those objects that exist, read side by side and not kept."""
        return read_objects(self._s3, bucket, keys, self._readers)

    def fetch(self, bucket: str, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the bytes of those objects that exist; what is not in memory is read side by side."""
        wanted = set(keys)
        with self._lock:
            kept = {key: self._kept[bucket, key] for key in wanted if (bucket, key) in self._kept}
            for key in kept:
                self._kept.move_to_end((bucket, key))
        new = self.read(bucket, wanted - kept.keys())
        with self._lock:
            for key, body in new.items():
                self._size += len(body) - len(self._kept.pop((bucket, key), b""))
                self._kept[bucket, key] = body
            while self._size > self._limit:
                self._size -= len(self._kept.popitem(last=False)[1])
        return kept | new

    def document(self, uri: str, kind: type[D]) -> D | None:
        """Return a document, or None if there is none. That there is none is not remembered."""
        body = self.find_object(*split_uri(uri))
        return None if body is None else kind.from_text(body)

    def find_object(self, bucket: str, key: str) -> bytes | None:
        """Return an object's bytes, or None if there is none."""
        return self.fetch(bucket, [key]).get(key)


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
        return self._objects.fetch(self._bucket, keys)
