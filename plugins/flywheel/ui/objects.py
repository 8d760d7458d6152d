"""Objects of S3 that never change, read once and kept in memory.

Ledger, watch records, decisions, requests and steps' outputs are written once and never changed, so what was
read of them stays true; only the lists of their names are asked for again.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Lock
from typing import Any

from flywheel.names import split_uri

#: how much is kept at most, in bytes
KEPT_BYTES = 128 * 1024 * 1024
#: how many objects are read side by side
READERS = 16


class Remembered:
    """A client of S3, as far as journals and watch logs read with it, that asks for each object once.

    :param s3: a boto3 client for S3, which several threads may use
    """

    def __init__(self, s3: Any, kept_bytes: int = KEPT_BYTES) -> None:  # noqa: ANN401 - a boto3 client
        self._s3, self._limit = s3, kept_bytes
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def get_paginator(self, operation: str) -> Any:  # noqa: ANN401 - boto3's own type
        """The client's own: lists are always asked for."""
        return self._s3.get_paginator(operation)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        """An object, from memory if it was read before."""
        return {"Body": BytesIO(self._bytes(Bucket, Key))}

    def fetch(self, bucket: str, keys: Iterable[str]) -> None:
        """Read objects side by side, so that what asks for one after the other finds them in memory."""
        missing = [key for key in dict.fromkeys(keys) if (bucket, key) not in self._kept]
        if missing:
            with ThreadPoolExecutor(READERS) as pool:
                list(pool.map(lambda key: self._bytes(bucket, key), missing))

    def json(self, uri: str) -> Any:  # noqa: ANN401 - a JSON value
        """An object of JSON, or None if there is none. That there is none is not remembered."""
        bucket, key = split_uri(uri)
        try:
            return json.loads(self._bytes(bucket, key))
        except self._s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                return None
            raise

    def _bytes(self, bucket: str, key: str) -> bytes:
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
