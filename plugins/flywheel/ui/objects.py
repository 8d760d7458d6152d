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
from io import BytesIO
from threading import Lock
from typing import Any

from flywheel.names import split_uri

#: how much is kept at most, in bytes
KEPT_BYTES = 128 * 1024 * 1024
#: how many objects are read side by side
READERS = 16
#: a list that was read within so many seconds is not read again: several parts look at the same ones
LISTED_S = 2.0

Pages = list[dict[str, Any]]


class Remembered:
    """A client of S3, as far as journals and watch logs read with it, that asks for each object once.

    :param s3: a boto3 client for S3, which several threads may use
    """

    def __init__(self, s3: Any, kept_bytes: int = KEPT_BYTES) -> None:  # noqa: ANN401 - a boto3 client
        self._s3, self._limit = s3, kept_bytes
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._listed: dict[tuple[str, str], tuple[float, Pages]] = {}
        self._size = 0
        self._lock = Lock()

    def get_paginator(self, operation: str) -> _Lists:
        """Of lists of objects alone."""
        assert operation == "list_objects_v2"  # noqa: S101 - journals and watch logs list nothing else
        return _Lists(self)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        """An object, from memory if it was read before."""
        return {"Body": BytesIO(self.bytes(Bucket, Key))}

    def pages(self, bucket: str, prefix: str) -> Pages:
        """The list of the objects below a prefix, as S3 gives it."""
        known = self._listed.get((bucket, prefix))
        if known is None or time.monotonic() - known[0] > LISTED_S:
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            known = (time.monotonic(), list(pages))
            self._listed[bucket, prefix] = known
        return known[1]

    def items(self, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
        """The objects below a prefix, each with its `Key` and `LastModified`."""
        return (item for page in self.pages(bucket, prefix) for item in page.get("Contents", []))

    def fetch(self, bucket: str, keys: Iterable[str]) -> None:
        """Read objects side by side, so that what asks for one after the other finds them in memory."""
        missing = [key for key in dict.fromkeys(keys) if (bucket, key) not in self._kept]
        if missing:
            with ThreadPoolExecutor(READERS) as pool:
                list(pool.map(lambda key: self.bytes(bucket, key), missing))

    def json(self, uri: str) -> Any:  # noqa: ANN401 - a JSON value
        """An object of JSON, or None if there is none. That there is none is not remembered."""
        found = self.find(*split_uri(uri))
        return None if found is None else json.loads(found)

    def find(self, bucket: str, key: str) -> bytes | None:
        """An object's bytes, or None if there is none."""
        try:
            return self.bytes(bucket, key)
        except self._s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                return None
            raise

    def bytes(self, bucket: str, key: str) -> bytes:
        """An object's bytes."""
        with self._lock:
            if (found := self._kept.get((bucket, key))) is not None:
                self._kept.move_to_end((bucket, key))
                return found
        body: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        with self._lock:
            if (bucket, key) not in self._kept:
                self._kept[bucket, key] = body
                self._size += len(body)
            while self._size > self._limit:
                self._size -= len(self._kept.popitem(last=False)[1])
        return body


class _Lists:
    """What boto3 calls a paginator."""

    def __init__(self, objects: Remembered) -> None:
        self._objects = objects

    def paginate(self, *, Bucket: str, Prefix: str) -> Pages:  # noqa: N803 - boto3's names
        """The pages of one list."""
        return self._objects.pages(Bucket, Prefix)
