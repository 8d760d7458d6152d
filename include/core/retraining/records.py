"""The records of monitoring: findings, decisions and requests, as append-only objects in S3.

docs/reference/documents.md shows them. Needs no Airflow: other programs read them too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any, Protocol, TypeVar

from include.core.documents.codec import digest
from include.core.documents.monitoring import MaturedQuality, WatchRecord
from include.core.documents.retraining import RetrainingDecision, RetrainingRequest
from include.core.exceptions import FlywheelError, InvalidDocument
from include.core.journal import ImmutableObjects, Journal, write_record
from include.core.layout import Interval, join_uri, split_uri
from include.core.places import Places
from include.core.retraining.rule import Finding

#: parts of a record about its writing, not about what was found
CIRCUMSTANCES = ("at", "by")
R = TypeVar("R", WatchRecord, RetrainingDecision)


class Objects(Protocol):
    """How a log lists and reads its objects."""

    def keys(self, below: str = "") -> list[str]:
        """Return the keys of all objects, or of those in the folder `below`, sorted."""

    def read(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the bytes of those among `keys` that exist."""


class MonitoringLog:
    """The watch records and decisions of one cycle in one bucket.

    :param s3: a boto3 client for S3
    :param objects: reads what the log holds; by default through compacted segments
    """

    def __init__(self, s3: Any, bucket: str, cycle: str, objects: Objects | None = None) -> None:  # noqa: ANN401 - a boto3 client
        self._s3, self._places = s3, Places(bucket, cycle)
        self._bucket, self._prefix = split_uri(self._places.watch)
        self._objects = objects or ImmutableObjects(s3, bucket, self._prefix)

    def put_record(self, record: WatchRecord) -> str:
        """Write a watch record, named by the key of monitor, unless it counts already; return its URI."""
        window = record.evidence.window
        return self._put(window, partial(self._places.watch_record, window, record.key), record)

    def put_decision(self, decision: RetrainingDecision) -> str:
        """Write a decision, named by its content, unless it counts already; return its URI."""
        window, content = decision.window, digest(_content(decision))
        return self._put(window, partial(self._places.watch_decision, window, content), decision)

    def _put(self, window: Interval, name: Callable[[int], str], value: R) -> str:
        """Write what is to count; if its name belongs to something outdated, append a number to it."""
        for number in count(1):
            known = Snapshot(self, window).last(window, type(value))
            if known is not None and _content(known[1]) == _content(value):
                return known[0]
            uri = name(number)
            if write_record(self._s3, *split_uri(uri), value):
                return uri
        raise AssertionError("unreachable: count() has no end")

    def names(self, window: Interval | None = None) -> list[str]:
        """Return the names of all records and decisions, or of one window's, below the log's folder."""
        return [key.removeprefix(self._prefix) for key in self._objects.keys(f"{window}/" if window else "")]

    def read(self, names: Iterable[str]) -> dict[str, tuple[str, Any]]:
        """Return the URI and the content of records and decisions.

        :raises FlywheelError: one of them is none
        """
        keys = {name: self._prefix + name for name in names}
        bodies = self._objects.read(keys.values())
        return {name: self._parse(name, key, bodies.get(key, b"")) for name, key in keys.items()}

    def _parse(self, name: str, key: str, body: bytes) -> tuple[str, WatchRecord | RetrainingDecision]:
        uri = join_uri(self._bucket, key)
        try:
            return uri, _kind(name).from_text(body)
        except InvalidDocument as error:
            raise FlywheelError(
                f"{uri} is no record of monitoring ({error}). Restore it: records are never rewritten."
            ) from error


class Snapshot:
    """The log as it was when this was made: what is written later is not seen.

    :param only: the one window to look at; by default all
    """

    def __init__(self, log: MonitoringLog, only: Interval | None = None) -> None:
        self._log = log
        self._read: dict[str, tuple[str, Any]] = {}
        self._names: dict[Interval, list[str]] = {}
        for name in log.names(only):
            self._names.setdefault(_window(name.partition("/")[0]), []).append(name)

    def windows(self) -> list[Interval]:
        """Return every window with a record, in order of time."""
        return sorted(window for window in self._names if self._named(window, WatchRecord))

    def record(self, window: Interval) -> tuple[str, WatchRecord] | None:
        """Return a window's watch record that counts, the last one written, with its URI."""
        return self.last(window, WatchRecord)

    def decision(self, window: Interval) -> tuple[str, RetrainingDecision] | None:
        """Return a window's decision that counts, the last one written, with its URI."""
        return self.last(window, RetrainingDecision)

    def findings(self, since: datetime) -> dict[Interval, Finding]:
        """Return the finding of every window that starts at `since` or later, late labels included."""
        windows = [window for window in self.windows() if window.start >= since]
        self._fetch(name for window in windows for name in self._named(window, WatchRecord))
        counting = [record for window in windows if (record := self.record(window)) is not None]
        late: dict[Interval, list[MaturedQuality]] = {}
        for quality in (quality for _, record in counting for quality in record.matured):
            late.setdefault(quality.window, []).append(quality)
        return {
            (window := record.evidence.window): Finding.of(record.evidence, late.get(window, ()), record=uri)
            for uri, record in counting
        }

    def last(self, window: Interval, kind: type[R]) -> tuple[str, R] | None:
        """Return what counts of a window and a kind, the last one written, with its URI."""
        names = self._named(window, kind)
        self._fetch(names)
        return max((self._read[name] for name in names), key=lambda record: record[1].at, default=None)

    def _named(self, window: Interval, kind: type) -> list[str]:
        return [name for name in self._names.get(window, []) if _kind(name) is kind]

    def _fetch(self, names: Iterable[str]) -> None:
        """Read what was not read before, all at once."""
        missing = [name for name in names if name not in self._read]
        if missing:
            self._read |= self._log.read(missing)


@dataclass(frozen=True)
class RequestOutcome:
    """The request that is open after a run asked for one, and whether that run made it."""

    request: RetrainingRequest
    is_ours: bool


class RetrainingRequests(Journal[RetrainingRequest]):
    """The requests for retraining of one cycle in one bucket.

    :param s3: a boto3 client for S3
    """

    def __init__(self, s3: Any, bucket: str, cycle: str) -> None:  # noqa: ANN401 - boto3 makes its clients' types at run time
        title = f"log of requests of {cycle}"
        super().__init__(s3, *split_uri(Places(bucket, cycle).requests), kind=RetrainingRequest, title=title)

    def ask(self, wanted: RetrainingRequest, is_open: Callable[[RetrainingRequest], bool]) -> RequestOutcome:
        """Append a request unless one is open, and return the open one."""

        def propose(entries: list[RetrainingRequest]) -> RetrainingRequest:
            return next((request for request in reversed(entries) if is_open(request)), wanted)

        request = self.append(propose)
        return RequestOutcome(request, is_ours=request.window == wanted.window and request.by == wanted.by)


def _content(record: WatchRecord | RetrainingDecision) -> dict[str, Any]:
    """Return what a record says, without who wrote it and when."""
    return {name: value for name, value in record.as_json().items() if name not in CIRCUMSTANCES}


def _kind(name: str) -> type[WatchRecord | RetrainingDecision]:
    """Return what a name of the log belongs to."""
    return RetrainingDecision if "/decisions/" in name else WatchRecord


def _window(folder: str) -> Interval:
    """Return the window that a folder is named for."""
    try:
        return Interval.parse(folder)
    except FlywheelError as error:
        raise FlywheelError(f"A folder among the watch records is named for no window: {error}") from error
