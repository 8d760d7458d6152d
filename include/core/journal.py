"""Append-only records as objects in S3: numbered journals, and objects that are written once.

Everything is written with `If-None-Match: *`: whoever takes a name first has it. Nothing is ever changed or
removed. Needs no Airflow: other programs read it too.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from include.core.compaction import SIZE, bind
from include.core.exceptions import FlywheelError, InvalidDocument
from include.core.layout import compacted, entry_name, join_uri

log = logging.getLogger(__name__)

#: how often an append may lose the race for a number before something else must be wrong
ATTEMPTS = 50


class Numbered(Protocol):
    """A document whose number the journal gives, from 1."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def number(self) -> int:
        """Its place in the journal."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""

    @classmethod
    def from_json(cls, value: Any) -> Self:  # noqa: ANN401 - any JSON value
        """Return the entry that JSON values describe."""


E = TypeVar("E", bound=Numbered)


class Journal(Generic[E]):
    """Numbered entries of one kind below one prefix, as `<prefix><8 digits>.json`.

    :param s3: a boto3 client for S3
    :param kind: the document that an entry is
    :param called: what to call it in errors
    """

    def __init__(self, s3: Any, bucket: str, prefix: str, *, kind: type[E], called: str) -> None:  # noqa: ANN401 - boto3 makes its clients' types at run time
        self._s3, self._bucket, self._prefix = s3, bucket, prefix
        self._kind, self._called = kind, called

    def entries(self) -> list[E]:
        """Every entry, by number."""
        return [self._read(key) for key in keys_below(self._s3, self._bucket, self._prefix)]

    def append(self, propose: Callable[[list[E]], E]) -> E:
        """Write what `propose` makes of the entries so far, under the next free number.

        Asked again whenever another writer was faster. What it finds among them is recorded already.
        """
        for _ in range(ATTEMPTS):
            entries = self.entries()
            entry = propose(entries)
            if entry in entries:
                return entry
            numbered = replace(entry, number=entries[-1].number + 1 if entries else 1)
            key = f"{self._prefix}{entry_name(numbered.number)}"
            if write_new(self._s3, self._bucket, key, numbered.as_json()):
                if numbered.number % SIZE == 0:
                    self._bind()
                return numbered
        raise FlywheelError(
            f"The {self._called} gave no free number in {ATTEMPTS} attempts. "
            f"Look at {join_uri(self._bucket, self._prefix)}: something writes there all the time."
        )

    def _bind(self) -> None:
        """Leave copies for those who read all; the entry stands, whether or not that works."""
        try:
            bind(self._s3, self._bucket, self._prefix)
        except self._s3.exceptions.ClientError as error:
            log.warning(
                "The %s is not bound in volumes (%s): who reads all of it reads more slowly, until it is "
                "with the next hundred. May this task write to %s?",
                *(self._called, error, join_uri(self._bucket, compacted(self._prefix))),
            )

    def _read(self, key: str) -> E:
        try:
            return self._kind.from_json(read_object(self._s3, self._bucket, key))
        except (ValueError, InvalidDocument) as error:
            raise FlywheelError(
                f"{join_uri(self._bucket, key)} is no entry of the {self._called} ({error}). "
                "Restore the object: entries are never rewritten."
            ) from error


def keys_below(s3: Any, bucket: str, prefix: str) -> list[str]:  # noqa: ANN401 - a boto3 client
    """The keys of all objects below a prefix, sorted."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return sorted(item["Key"] for page in pages for item in page.get("Contents", []))


def read_object(s3: Any, bucket: str, key: str) -> dict[str, Any]:  # noqa: ANN401 - a boto3 client
    """An object of JSON.

    :raises ValueError: it is none
    """
    value = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    if not isinstance(value, dict):
        raise ValueError(f"a {type(value).__name__} instead of an object")  # noqa: TRY004 - as json itself says it
    return value


def write_new(s3: Any, bucket: str, key: str, value: Any) -> bool:  # noqa: ANN401 - a boto3 client, a JSON value
    """Write an object of JSON if its name is free; whether it was."""
    body = json.dumps(value, indent=1, ensure_ascii=False).encode()
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json", IfNoneMatch="*")
    except s3.exceptions.ClientError as error:
        # S3 answers 412 when the object is there, 409 when both are being written at this instant.
        if error.response["Error"]["Code"] in {"PreconditionFailed", "ConditionalRequestConflict"}:
            return False
        raise
    return True
