"""Reads what the page shows of a cycle: ledger, watch records, registry, the endpoint's metrics."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import Any

from flywheel.hooks.sagemaker import SageMaker
from flywheel.journal import keys_below
from flywheel.ledger import Ledger, production
from flywheel.names import Interval
from flywheel.retraining import Finding, Json
from flywheel.ui import told
from flywheel.ui.endpoint import endpoint
from flywheel.ui.objects import Remembered
from flywheel.ui.shelf import Shelf
from flywheel.watch import Requests, Snapshot, WatchLog
from include.cycles.cycle import Cycle
from include.settings import Settings, settings

#: what was read within so many seconds is shown again, with the time at which it was read
FRESH_S = 5.0
#: lines of the ledger and windows that a cycle's view shows unless it is asked for more
ENTRIES, WINDOWS = 200, 36


class Reader:
    """What one connection and bucket hold about cycles.

    :param hook: where S3 and SageMaker are
    :param of: the settings that name the bucket
    """

    def __init__(self, hook: SageMaker, of: Settings) -> None:
        self.hook, self.settings = hook, of
        self.shelf = Shelf(FRESH_S)
        self.objects = Remembered(hook.s3)

    def card(self, cycle: Cycle) -> dict[str, Any]:
        """The parts of a cycle's card."""
        return {
            "ledger": self.shelf.part(f"{cycle.name}/card/ledger", lambda: self._champion(cycle)),
            "watch": self.shelf.part(f"{cycle.name}/card/watch", lambda: self._newest(cycle)),
            "endpoint": self.shelf.part(f"{cycle.name}/endpoint", lambda: endpoint(self.hook, cycle.name)),
        }

    def ledger(self, cycle: Cycle) -> Ledger:
        """The cycle's ledger, its entries in memory."""
        self._fetch(f"{cycle.name}/ledger/")
        return Ledger(self.objects, self.settings.bucket, cycle.name)

    def _champion(self, cycle: Cycle) -> Json:
        entries = self.ledger(cycle).entries()
        champion = production(entries)
        return {
            "champion": told.entry(entries, champion) if champion else None,
            "last": told.entry(entries, entries[-1]) if entries else None,
            "entries": len(entries),
        }

    def _newest(self, cycle: Cycle) -> Json:
        """The newest window that was watched."""
        snapshot = Snapshot(WatchLog(self.objects, self.settings.bucket, cycle.name))
        windows = snapshot.windows()
        if not windows:
            return {"window": None, "decision": None, "open_requests": []}
        return {
            "window": self._window(snapshot, windows[-1]),
            "decision": told.decision((snapshot.decision(windows[-1]) or (None, None))[1]),
        }

    def _window(self, snapshot: Snapshot, window: Interval) -> Json:
        findings = snapshot.findings(window.start)
        record = snapshot.record(window)
        assert record is not None  # noqa: S101 - snapshots name only windows that have one
        evidence = record[1]["evidence"]
        return told.finding(findings[window]) | {
            "rows": evidence["rows"],
            "features": told.features(evidence),
            "estimate": evidence["estimate"],
            "broken": evidence["broken"],
        }

    def _fetch(self, prefix: str) -> None:
        """Read all objects below a prefix side by side."""
        bucket = self.settings.bucket
        self.objects.fetch(bucket, keys_below(self.hook.s3, bucket, prefix))


@lru_cache(maxsize=1)
def reader() -> Reader:
    """The reader of this process."""
    with _LOCK:
        of = settings()
        return Reader(SageMaker(of.aws_conn_id), of)


_LOCK = Lock()
__all__ = ["ENTRIES", "WINDOWS", "Finding", "Reader", "Requests", "reader"]
