"""The records of monitoring: findings, decisions and requests, as append-only objects in S3.

docs/explanation/monitoring.md, "Records", is the rule. Needs no Airflow: other programs read it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any, Protocol

from include.core.documents.codec import digest
from include.core.documents.monitoring import RetrainingRequest
from include.core.exceptions import FlywheelError
from include.core.journal import ImmutableObjects, Journal, json_object, write_new
from include.core.layout import Interval, join_uri, split_uri
from include.core.places import Places
from include.core.retraining.rule import Finding, Json

#: parts of a record about its writing, not about what was found
CIRCUMSTANCES = ("at", "by")


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

    def put_record(self, window: Interval, record: Json) -> str:
        """Write a watch record, named by the key of monitor, unless it counts already; return its URI.

        :param record: `key`, `monitor_uri`, `evidence`, `matured`, `at`, `by`
        """
        name = partial(self._places.watch_record, window, record["key"])
        return self._put(window, name, record, Snapshot.record)

    def put_decision(self, window: Interval, decision: Json) -> str:
        """Write a decision, named by its content, unless it counts already; return its URI."""
        name = partial(self._places.watch_decision, window, digest(_content(decision)))
        return self._put(window, name, decision, Snapshot.decision)

    def _put(self, window: Interval, name: Callable[[int], str], value: Json, last: Lookup) -> str:
        """Write what is to count; if its name belongs to something outdated, append a number to it."""
        for number in count(1):
            known = last(Snapshot(self, window), window)
            if known is not None and _content(known[1]) == _content(value):
                return known[0]
            uri = name(number)
            if write_new(self._s3, *split_uri(uri), value):
                return uri
        raise AssertionError("unreachable: count() has no end")

    def names(self, window: Interval | None = None) -> list[str]:
        """Return the names of all records and decisions, or of one window's, below the log's folder."""
        keys = self._objects.keys(f"{window}/" if window else "")
        return [key.removeprefix(self._prefix) for key in keys]

    def read(self, names: Iterable[str]) -> dict[str, tuple[str, Json]]:
        """Return the URI and the content of records and decisions.

        :raises FlywheelError: one of them is none
        """
        keys = {name: self._prefix + name for name in names}
        bodies = self._objects.read(keys.values())
        return {name: self._parse(key, bodies.get(key, b"")) for name, key in keys.items()}

    def _parse(self, key: str, body: bytes) -> tuple[str, Json]:
        uri = join_uri(self._bucket, key)
        try:
            found = json_object(body)
            datetime.fromisoformat(found["at"])
        except (ValueError, KeyError, TypeError) as error:
            raise FlywheelError(
                f"{uri} is no record of monitoring ({error!r}). Restore it: records are never rewritten."
            ) from error
        return uri, found


class Snapshot:
    """The log as it was when this was made: what is written later is not seen.

    :param only: the one window to look at; by default all
    """

    def __init__(self, log: MonitoringLog, only: Interval | None = None) -> None:
        self._log = log
        self._read: dict[str, tuple[str, Json]] = {}
        self._names: dict[Interval, list[str]] = {}
        for name in log.names(only):
            self._names.setdefault(_window(name.partition("/")[0]), []).append(name)

    def windows(self) -> list[Interval]:
        """Return every window with a record, in order of time."""
        return sorted(window for window, names in self._names.items() if any(_is_record(n) for n in names))

    def record(self, window: Interval) -> tuple[str, Json] | None:
        """Return a window's watch record that counts, the last one written, with its URI."""
        return self._last(window, _is_record)

    def decision(self, window: Interval) -> tuple[str, Json] | None:
        """Return a window's decision that counts, the last one written, with its URI."""
        return self._last(window, lambda name: not _is_record(name))

    def findings(self, since: datetime) -> dict[Interval, Finding]:
        """Return the finding of every window that starts at `since` or later, late labels included."""
        windows = [window for window in self.windows() if window.start >= since]
        self._fetch(name for window in windows for name in self._names[window] if _is_record(name))
        records = {window: self.record(window) for window in windows}
        found = {window: record for window, record in records.items() if record is not None}
        late: dict[Interval, list[Json]] = {}
        for _, record in found.values():
            for entry in record["matured"]:
                late.setdefault(Interval.from_iso(entry["window"]), []).append(entry)
        return {
            window: Finding.of(record["evidence"], late.get(window, ()), record=uri)
            for window, (uri, record) in found.items()
        }

    def _fetch(self, names: Iterable[str]) -> None:
        """Read what was not read before, all at once."""
        missing = [name for name in names if name not in self._read]
        if missing:
            self._read |= self._log.read(missing)

    def _last(self, window: Interval, fits: Callable[[str], bool]) -> tuple[str, Json] | None:
        names = [name for name in self._names.get(window, []) if fits(name)]
        self._fetch(names)
        found = [self._read[name] for name in names]
        return max(found, key=lambda each: datetime.fromisoformat(each[1]["at"]), default=None)


#: a way to look up what counts for a window
Lookup = Callable[[Snapshot, Interval], tuple[str, Json] | None]


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


def now() -> str:
    """Return the time as records write it, fine enough to order two of them."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _content(record: Mapping[str, Any]) -> Json:
    return {name: value for name, value in record.items() if name not in CIRCUMSTANCES}


def _is_record(name: str) -> bool:
    return "/decisions/" not in name


def _window(folder: str) -> Interval:
    """Return the window that a folder is named for."""
    try:
        return Interval.parse(folder)
    except FlywheelError as error:
        raise FlywheelError(f"A folder among the watch records is named for no window: {error}") from error
