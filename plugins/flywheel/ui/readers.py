"""Reads what the page shows of a cycle: ledger, watch records, registry, the endpoint's metrics."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from threading import Lock
from typing import Any

from flywheel.hooks.sagemaker import SageMakerHook
from flywheel.ui import summaries
from flywheel.ui.endpoint import endpoint
from flywheel.ui.objects import Json, ObjectCache
from flywheel.ui.traffic import Traffic
from flywheel.ui.windows import MonitoredWindows
from include.core.cycle import Cycle
from include.core.documents.codec import to_json
from include.core.documents.reports import Replay
from include.core.layout import REPLAY, join_uri, split_uri, version_number, version_of
from include.core.ledger import Ledger, production
from include.core.places import Places, output_path
from include.core.sagemaker.client import SageMaker
from include.core.settings import Settings, settings

#: what was read within so many seconds is shown again, with the time at which it was read
FRESH_S = 5.0
#: lines of the ledger that a cycle's view shows, besides all promotions
ENTRIES = 200
#: how much of an error's text is shown
ERROR_LIMIT = 400

log = logging.getLogger(__name__)

Parts = dict[str, dict[str, Any]]


@dataclass
class _Part:
    """What was read of one part."""

    lock: Lock = field(default_factory=Lock)
    value: Any = None
    #: when the value was read, in ISO 8601; None if it never was
    as_of: str | None = None
    error: str | None = None
    #: when reading was last tried, on a clock that never goes back, in seconds
    tried: float | None = None


class PartCache:
    """Parts of the page by name; of several requests for one at the same time one reads, the others wait.

    :param fresh_s: a part that was read within so many seconds is not read again
    :param clock: seconds on a clock that never goes back
    """

    def __init__(self, fresh_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._fresh_s, self._clock = fresh_s, clock
        self._parts: dict[str, _Part] = {}
        self._lock = Lock()

    def part(self, name: str, read: Callable[[], Any]) -> dict[str, Any]:
        """`{"as_of", "value", "error"}`: with an error, the value is the last that could be read, or null."""
        with self._lock:
            kept = self._parts.setdefault(name, _Part())
        with kept.lock:
            now = self._clock()
            if kept.tried is None or now - kept.tried >= self._fresh_s:
                self._read(name, kept, read)
            return {"as_of": kept.as_of, "value": kept.value, "error": kept.error}

    def _read(self, name: str, kept: _Part, read: Callable[[], Any]) -> None:
        as_of = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            kept.value, kept.as_of, kept.error = read(), as_of, None
        except Exception as error:
            log.warning("Cannot read %s for the page", name, exc_info=True)
            kept.error = f"{type(error).__name__}: {error}"[:ERROR_LIMIT]
        kept.tried = self._clock()


class Reader:
    """What one connection and bucket hold about cycles.

    :param hook: where S3 and SageMaker are
    :param of: the settings that name the bucket
    """

    def __init__(self, hook: SageMaker, of: Settings) -> None:
        self.hook, self.settings = hook, of
        self.parts = PartCache(FRESH_S)
        self.objects = ObjectCache(hook.s3)
        self._ledgers: dict[str, Ledger] = {}
        self._monitored: dict[str, MonitoredWindows] = {}
        self._traffic: dict[str, Traffic] = {}

    def card(self, cycle: Cycle) -> Parts:
        """Return the parts of a cycle's card."""
        return self._parts(
            cycle.name,
            ledger=("champion", lambda: self._champion(cycle)),
            watch=("newest", self.monitored(cycle).newest),
            endpoint=("endpoint", lambda: self._endpoint(cycle)),
        )

    def view(self, cycle: Cycle, windows: int) -> Parts:
        """Return the parts of a cycle's own view."""
        name, monitored = cycle.name, self.monitored(cycle)
        return self._parts(
            name,
            ledger=("ledger", lambda: self._ledger(cycle)),
            watch=(f"windows/{windows}", lambda: monitored.last(windows)),
            requests=("requests", monitored.requests),
            registry=("registry", lambda: list(self._versions(cycle))),
            replay=("replay", lambda: self._replay(cycle)),
            endpoint=("endpoint", lambda: self._endpoint(cycle)),
        )

    def _parts(self, cycle: str, **asked: tuple[str, Callable[[], Any]]) -> Parts:
        """Parts by their name in the answer, each with its name in the cache; read side by side."""

        def part(named: tuple[str, Callable[[], Any]]) -> dict[str, Any]:
            return self.parts.part(f"{cycle}/{named[0]}", named[1])

        with ThreadPoolExecutor(len(asked)) as pool:
            return dict(zip(asked, pool.map(part, asked.values()), strict=True))

    def window(self, cycle: Cycle, name: str) -> dict[str, Any]:
        """One window, as a part; all of it but the list of names is in memory or never changes."""
        return PartCache(FRESH_S).part(name, lambda: self.monitored(cycle).one(name))

    def traffic(self, cycle: Cycle) -> dict[str, Any]:
        """Return what the endpoint captured last, as a part."""
        known = self._traffic.setdefault(cycle.name, Traffic(self.objects, self.settings.bucket, cycle))
        return self.parts.part(f"{cycle.name}/traffic", known.summary)

    def monitored(self, cycle: Cycle) -> MonitoredWindows:
        """Return the cycle's watch records."""
        where = (self.hook.s3, self.objects, self.settings.bucket)
        known = MonitoredWindows(*where, cycle, self._ledger_of(cycle))
        return self._monitored.setdefault(cycle.name, known)

    def _ledger_of(self, cycle: Cycle) -> Ledger:
        """Return the cycle's ledger, which remembers what was read of it."""
        known = Ledger(self.hook.s3, self.settings.bucket, cycle.name)
        return self._ledgers.setdefault(cycle.name, known)

    def _endpoint(self, cycle: Cycle) -> Json | None:
        """Return the endpoint and the versions that it serves, which need not be the ledger's champion."""
        entries = self._ledger_of(cycle).entries()
        return endpoint(
            self.hook, cycle.name, {e.model_uri: version_of(e.version) for e in entries if e.version}
        )

    def _champion(self, cycle: Cycle) -> Json:
        entries = self._ledger_of(cycle).entries()
        champion = production(entries)
        return {
            "champion": summaries.entry(entries, champion) if champion else None,
            "last": summaries.entry(entries, entries[-1]) if entries else None,
            "entries": len(entries),
        }

    def _ledger(self, cycle: Cycle) -> Json:
        entries = self._ledger_of(cycle).entries()
        champion = production(entries)
        return {
            "champion": champion.number if champion else None,
            "total": len(entries),
            "promotions": [summaries.entry(entries, entry) for entry in entries if entry.kind == "promotion"],
            "entries": [summaries.entry(entries, entry) for entry in reversed(entries[-ENTRIES:])],
        }

    def _versions(self, cycle: Cycle) -> Iterator[Json]:
        """Return the registry's word about each version, the newest first."""
        api = self.hook.api
        pages = api.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=cycle.name,
            SortBy="CreationTime",
            SortOrder="Descending",
            PaginationConfig={"PageSize": 100},
        )
        try:
            for package in (item for answer in pages for item in answer["ModelPackageSummaryList"]):
                yield {
                    "version": version_of(package["ModelPackageArn"]),
                    "version_number": version_number(package["ModelPackageArn"]),
                    "arn": package["ModelPackageArn"],
                    "status": package["ModelApprovalStatus"],
                    "created": package["CreationTime"].isoformat(),
                }
        except api.exceptions.ClientError as error:
            if "not exist" not in str(error) and "ould not find" not in str(error):
                raise  # a group is made with its first version

    def _replay(self, cycle: Cycle) -> Json | None:
        """Return the newest comparison of champion, frozen first model and baselines on the same windows."""
        items = self.objects.items(*split_uri(Places(self.settings.bucket, cycle.name).step("compare")))
        replays = [item for item in items if item["Key"].endswith(f"/{REPLAY}")]
        newest = max(replays, key=lambda item: item["LastModified"], default=None)
        if newest is None:
            return None
        uri = join_uri(self.settings.bucket, newest["Key"])
        replay = self.objects.document(uri, Replay)
        if replay is None:
            return None
        return {
            "at": newest["LastModified"].isoformat(),
            "metric": replay.metric,
            "windows": [
                {
                    "interval": to_json(interval.interval),
                    "models": to_json(interval.models),
                    "rows": interval.rows,
                }
                for interval in replay.months
            ],
            "place": output_path(uri),
        }


@lru_cache(maxsize=1)
def reader() -> Reader:
    """Return the reader of this process."""
    of = settings()
    return Reader(SageMakerHook(of.aws_conn_id), of)
