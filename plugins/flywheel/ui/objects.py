"""Objects of S3 that never change, read once and kept in memory.

Ledger, watch records, decisions, requests and steps' outputs are written once and never changed, so what was
read of them stays true; only the lists of their names are asked for again.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Lock
from typing import Any

from include.core.compaction import SIZE, bound
from include.core.layout import compacted, split_uri

#: how much is kept at most, in bytes
KEPT_BYTES = 128 * 1024 * 1024
#: how many objects are read side by side: with those who list meanwhile as many as a client has connections
READERS = 8
#: a list that was read within so many seconds is not read again: several parts look at the same ones
LISTED_S = 2.0

#: how many lists are kept at most
KEPT_LISTS = 1000

Item = dict[str, Any]


class Remembered:
    """What was read of S3, by a client that asks for each object once.

    :param s3: a boto3 client for S3, which several threads may use
    """

    def __init__(self, s3: Any, kept_bytes: int = KEPT_BYTES) -> None:  # noqa: ANN401 - a boto3 client
        self._s3, self._limit = s3, kept_bytes
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._listed: dict[tuple[str, str, str], tuple[float, list[Item]]] = {}
        self._journals: dict[tuple[str, str], list[Item]] = {}
        self._size = 0
        self._lock = Lock()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="flywheel-page")

    def journal(self) -> Listed:
        """The client for numbered journals, which only grow at their end: only new numbers are listed."""
        return Listed(self, self._grown)

    def after(self, key: str) -> Listed:
        """The client for a log of which only what is named after `key` is wanted."""
        return Listed(self, lambda bucket, prefix: self.items(bucket, prefix, after=key))

    def items(self, bucket: str, prefix: str, after: str = "") -> list[Item]:
        """The objects below a prefix, each with its `Key` and `LastModified`."""
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
        """The names of the folders below a prefix."""
        pages = self._list(Bucket=bucket, Prefix=prefix, Delimiter="/")
        found = [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])]
        return [name.removeprefix(prefix).rstrip("/") for name in found]

    def _grown(self, bucket: str, prefix: str) -> list[Item]:
        with self._lock:
            known = self._journals.get((bucket, prefix), [])
        new = self.items(bucket, prefix, after=known[-1]["Key"] if known else "")
        all_ = [*known, *(item for item in new if not known or item["Key"] > known[-1]["Key"])]
        with self._lock:
            self._journals[bucket, prefix] = all_
        return all_

    def _list(self, **asked: str) -> Iterator[dict[str, Any]]:
        pages: Iterator[dict[str, Any]] = iter(self._s3.get_paginator("list_objects_v2").paginate(**asked))
        return pages

    def fetch(self, bucket: str, keys: Iterable[str]) -> None:
        """Read objects side by side, so that what asks for one after the other finds them in memory."""
        list(self._readers.map(lambda key: self.content(bucket, key), self._missing(bucket, keys)))

    def read(self, bucket: str, keys: Iterable[str]) -> Iterator[bytes]:
        """The bytes of objects, read side by side and not kept."""
        return self._readers.map(lambda key: self._get(bucket, key), keys)

    def fetch_journal(self, bucket: str, prefix: str) -> None:
        """Read a journal: what is bound in volumes from these, the rest of it side by side."""
        listed = {item["Key"]: item["ETag"] for item in self._grown(bucket, prefix)}
        if len(self._missing(bucket, listed)) >= SIZE:
            volumes = [item["Key"] for item in self.items(bucket, compacted(prefix))]
            for volume in self.read(bucket, volumes):
                for key, body in bound(volume, listed):
                    self._keep(bucket, key, body)
        self.fetch(bucket, listed)

    def _missing(self, bucket: str, keys: Iterable[str]) -> list[str]:
        return [key for key in dict.fromkeys(keys) if (bucket, key) not in self._kept]

    def json(self, uri: str) -> Any:  # noqa: ANN401 - a JSON value
        """An object of JSON, or None if there is none. That there is none is not remembered."""
        found = self.find(*split_uri(uri))
        return None if found is None else json.loads(found)

    def find(self, bucket: str, key: str) -> bytes | None:
        """An object's bytes, or None if there is none."""
        try:
            return self.content(bucket, key)
        except self._s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                return None
            raise

    def content(self, bucket: str, key: str) -> bytes:
        """An object's bytes."""
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


class Listed:
    """A client of S3 as far as journals and watch logs read with it, which lists in its own way."""

    def __init__(self, objects: Remembered, items: Callable[[str, str], list[Item]]) -> None:
        self._objects, self._items = objects, items

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        """An object, from memory if it was read before."""
        return {"Body": BytesIO(self._objects.content(Bucket, Key))}

    def get_paginator(self, operation: str) -> Listed:
        """Of lists of objects alone."""
        assert operation == "list_objects_v2"  # noqa: S101 - journals and watch logs list nothing else
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> list[dict[str, Any]]:  # noqa: N803 - boto3's names
        """One page with all that is listed."""
        return [{"Contents": self._items(Bucket, Prefix)}]
