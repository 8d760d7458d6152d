"""Append-only records in S3: numbered journals, objects that never change, and their compacted segments.

A record is an object of its own, written with `If-None-Match: *`: whoever takes a name first has it, and
nothing is ever changed or removed. Reading a thousand of them takes a thousand requests, so copies of many
are kept in one object, a compacted segment, below `<cycle>/volumes/`:

- A journal leaves a segment at every fifth entry. It holds the entries since the last hundred; at a full
  hundred, those since the last thousand.
- `ImmutableObjects`, which have no order, keep one segment that whoever reads many of them brings up to date.

A segment is no record. It says for each copy which ETag S3 gave the original, and a reader takes only what S3
still lists with that ETag. Without segments everything works, with more requests.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import takewhile
from typing import Any, Generic, TypeVar

from include.core.documents.codec import Document
from include.core.documents.ledger import Entry
from include.core.documents.retraining import RetrainingRequest
from include.core.exceptions import FlywheelError, InvalidDocument
from include.core.layout import join_uri
from include.core.objects import list_objects, read_object, read_objects, write_new
from include.core.places import compacted, entry_name

log = logging.getLogger(__name__)

#: how often an append may lose the race for a number before something else must be wrong
ATTEMPTS = 50
#: a journal leaves a segment whenever it has grown by so many entries ...
SEGMENT_EVERY = 5
#: ... that begins at the last multiple of this number, or of the next one where the segment ends a hundred
SEGMENT_SPANS = (100, 1000)
#: up to so many objects are asked for by name; of more, S3 is asked for a list first
FEW = 2


#: documents whose number the journal gives, from 1
E = TypeVar("E", Entry, RetrainingRequest)
#: an object's ETag and text in a segment
Copy = dict[str, str]


class Journal(Generic[E]):
    """Numbered entries of one kind below one prefix, as `<prefix><8 digits>.json`.

    An instance remembers what it has read: a second look lists and reads only what was appended since.

    :param s3: a boto3 client for S3
    :param prefix: `<cycle>/<journal>/`
    :param kind: the document that an entry is
    :param title: what errors call it
    """

    def __init__(self, s3: Any, bucket: str, prefix: str, *, kind: type[E], title: str) -> None:  # noqa: ANN401 - a boto3 client
        self._s3, self._bucket, self._prefix = s3, bucket, prefix
        self._kind: type[E] = kind
        self._title = title
        #: every entry read so far by its key, in order; replaced as a whole, since threads share a journal
        self._known: dict[str, E] = {}

    def entries(self) -> list[E]:
        """Return every entry, by number."""
        known = self._known
        listed = list_etags(self._s3, self._bucket, self._prefix, after=next(reversed(known), ""))
        if listed:
            bodies = self._read(listed)
            known = known | {key: self._parse(key, bodies.get(key, b"")) for key in sorted(listed)}
            self._known = known
        return list(known.values())

    def append(self, propose: Callable[[list[E]], E]) -> E:
        """Write what `propose` makes of the entries so far, under the next free number, and return it.

        `propose` is called again whenever another writer was faster. An entry that it finds among those it
        is given is returned as it is.
        """
        for _ in range(ATTEMPTS):
            entries = self.entries()
            entry = propose(entries)
            if entry in entries:
                return entry
            new: E = replace(entry, number=entries[-1].number + 1 if entries else 1)
            if write_record(self._s3, self._bucket, self._prefix + entry_name(new.number), new):
                if new.number % SEGMENT_EVERY == 0:
                    self._compact(new.number)
                return new
        raise FlywheelError(
            f"The {self._title} gave no free number in {ATTEMPTS} attempts. "
            f"Look at {join_uri(self._bucket, self._prefix)}: something writes there all the time."
        )

    def _read(self, listed: Mapping[str, str]) -> dict[str, bytes]:
        """Return the bytes of the listed entries, from segments where these have them."""
        bodies: dict[str, bytes] = {}
        if len(listed) >= SEGMENT_EVERY:
            segments = compacted(self._prefix)
            # The newest first: it says which of the older ones are needed.
            for segment in sorted(list_etags(self._s3, self._bucket, segments), reverse=True):
                last = f"{self._prefix}{segment.removeprefix(segments)}"
                if last in listed and last not in bodies:
                    bodies |= verified_copies(read_object(self._s3, self._bucket, segment), listed)
        return bodies | read_objects(self._s3, self._bucket, listed.keys() - bodies.keys())

    def _compact(self, number: int) -> None:
        """Write the segment that ends with an entry; the entry stands whether or not that works."""
        span = SEGMENT_SPANS[1] if number % SEGMENT_SPANS[0] == 0 else SEGMENT_SPANS[0]
        before = self._prefix + entry_name((number - 1) // span * span)
        segment = compacted(self._prefix) + entry_name(number)
        try:
            listed = list_etags(self._s3, self._bucket, self._prefix, after=before)
            write_segment(self._s3, self._bucket, segment, _copies(listed, self._read(listed)))
        except self._s3.exceptions.ClientError as error:
            log.warning(
                "Cannot compact the %s (%s): reading it takes more requests until a later segment is "
                "written. May this task write to %s?",
                *(self._title, error, join_uri(self._bucket, segment)),
            )

    def _parse(self, key: str, body: bytes) -> E:
        try:
            return self._kind.from_text(body)
        except InvalidDocument as error:
            raise FlywheelError(
                f"{join_uri(self._bucket, key)} is no entry of the {self._title} ({error}). "
                "Restore the object: entries are never rewritten."
            ) from error


class ImmutableObjects:
    """Objects below one prefix that are written once, each read once.

    :param s3: a boto3 client for S3
    :param prefix: `<cycle>/<folder>/`
    """

    #: so many objects that no segment holds make a new one worth its while
    WORTHWHILE = 5

    def __init__(self, s3: Any, bucket: str, prefix: str) -> None:  # noqa: ANN401 - a boto3 client
        self._s3, self._bucket, self._prefix = s3, bucket, prefix
        self._known: dict[str, bytes] = {}

    def keys(self, below: str = "") -> list[str]:
        """Return the keys of all objects, or of those in the folder `below`, sorted."""
        return list(list_etags(self._s3, self._bucket, self._prefix + below))

    def read(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the bytes of those among `keys` that exist."""
        wanted = list(dict.fromkeys(keys))
        missing = sorted(key for key in wanted if key not in self._known)
        if len(missing) > FEW:
            self._read_many(missing)
        else:
            self._known |= read_objects(self._s3, self._bucket, missing)
        return {key: self._known[key] for key in wanted if key in self._known}

    def _read_many(self, keys: list[str]) -> None:
        """Read what S3 lists of `keys`, and keep copies of it in the segment if they are many."""
        # One character less than the first key: `StartAfter` leaves out the key that it names.
        etags = list_etags(self._s3, self._bucket, self._prefix, after=keys[0][:-1], until=keys[-1])
        listed = {key: etags[key] for key in keys if key in etags}
        if len(listed) <= FEW:
            self._known |= read_objects(self._s3, self._bucket, listed)
            return
        key_of_segment = compacted(self._prefix) + entry_name(0)
        segment = read_object(self._s3, self._bucket, key_of_segment)
        copies = verified_copies(segment, listed)
        rest = read_objects(self._s3, self._bucket, listed.keys() - copies.keys())
        self._known |= copies | rest
        if len(rest) >= self.WORTHWHILE:
            self._compact(key_of_segment, _entries(segment) | _copies(listed, rest))

    def _compact(self, key: str, copies: Mapping[str, Copy]) -> None:
        """Write the segment anew. Of two writers at once one is lost, and what it added is read singly."""
        try:
            write_segment(self._s3, self._bucket, key, copies)
        except self._s3.exceptions.ClientError as error:
            log.warning(
                "Cannot write %s (%s): reading goes on without it.", join_uri(self._bucket, key), error
            )


# Segments


def write_segment(s3: Any, bucket: str, key: str, copies: Mapping[str, Copy]) -> None:  # noqa: ANN401 - a boto3 client
    """Write a segment of these copies to `place`."""
    body = json.dumps({"entries": dict(copies)}).encode()
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")


def _copies(etags: Mapping[str, str], bodies: Mapping[str, bytes]) -> dict[str, Copy]:
    """Return copies of objects by key, without those that are no text."""
    copies: dict[str, Copy] = {}
    for key, body in sorted(bodies.items()):
        with suppress(UnicodeDecodeError):
            copies[key] = {"etag": etags[key], "text": body.decode()}
    return copies


def verified_copies(segment: bytes | None, listed: Mapping[str, str]) -> dict[str, bytes]:
    """Return the copies in a segment that are what S3 lists, by key; none if the segment is damaged.

    :param listed: the ETags of the originals, by key
    """
    return {
        key: copy["text"].encode()
        for key, copy in _entries(segment).items()
        if listed.get(key) == copy["etag"]
    }


def _entries(segment: bytes | None) -> dict[str, Copy]:
    """Return the entries of a segment, without those that are damaged."""
    try:
        entries = json.loads(segment or b"")["entries"].items()
        return {key: copy for key, copy in entries if {"etag", "text"} <= copy.keys()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def list_etags(
    s3: Any,  # noqa: ANN401 - a boto3 client
    bucket: str,
    prefix: str,
    *,
    after: str = "",
    until: str | None = None,
) -> dict[str, str]:
    """Return the ETags of the objects below a prefix by key, in order.

    :param after: list only keys that sort after this one
    :param until: list only keys up to this one
    """
    listed = list_objects(s3, bucket, prefix, after=after)
    return {
        item["Key"]: item["ETag"]
        for item in takewhile(lambda item: until is None or item["Key"] <= until, listed)
    }


def write_record(s3: Any, bucket: str, key: str, record: Document) -> bool:  # noqa: ANN401 - a boto3 client
    """Write a record and return True, or return False if its name is taken."""
    body = json.dumps(record.as_json(), indent=1, ensure_ascii=False).encode()
    return write_new(s3, bucket, key, body, ContentType="application/json")
