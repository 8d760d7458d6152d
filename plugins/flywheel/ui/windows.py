"""What monitoring found, window by window, as a cycle's view shows it."""

from __future__ import annotations

import time
from typing import Any

from flywheel.ui import summaries
from flywheel.ui.objects import Json, ObjectCache
from include.core.cycle import Cycle
from include.core.documents.codec import to_json
from include.core.documents.data import Distributions
from include.core.documents.reports import Coverage
from include.core.exceptions import FlywheelError
from include.core.layout import COVERAGE, DISTRIBUTIONS, REPORT, Interval, join_uri, split_uri
from include.core.ledger import Ledger
from include.core.places import Places, output_path, parse_place
from include.core.retraining.decisions import past_of
from include.core.retraining.records import MonitoringLog, RetrainingRequests, Snapshot
from include.core.retraining.requests import is_open
from include.core.retraining.rule import Finding

#: how long the list of all windows is good for counting them and finding the last ones, in seconds: new ones
#: come at its end, and there they are looked for each time
FOLDERS_S = 300.0


class MonitoredWindows:
    """The watch records of one cycle.

    :param s3: a boto3 client for S3
    :param objects: what was read with it
    :param ledger: the cycle's ledger
    """

    def __init__(self, s3: Any, objects: ObjectCache, bucket: str, cycle: Cycle, ledger: Ledger) -> None:  # noqa: ANN401 - a boto3 client
        self._s3, self._objects, self._bucket, self._cycle = s3, objects, bucket, cycle
        self._ledger, self._requests = ledger, RetrainingRequests(s3, bucket, cycle.name)
        self._places = Places(bucket, cycle.name)
        _, self._prefix = split_uri(self._places.watch)
        #: the folders of all windows, and when they were listed
        self._folders: tuple[float, list[str]] = (-FOLDERS_S, [])

    def newest(self) -> Json:
        """Return the newest window, for the cycle's card."""
        snapshot, _ = self._last(1)
        last = snapshot.windows()[-1:]
        return {
            "window": self._windows(snapshot, last)[0] if last else None,
            "decision": summaries.decision(snapshot.decision(last[0])) if last else None,
        }

    def last(self, count: int) -> Json:
        """Return the last `count` windows, oldest first, and how many there are."""
        snapshot, total = self._last(count)
        windows = self._windows(snapshot, snapshot.windows()[-count:])
        return {"windows": windows, "total": total, "rule": _rule(self._cycle)}

    def one(self, name: str) -> Json | None:
        """Return all that is known of a window, by the name of its folder; None if it was not monitored."""
        try:
            window = Interval.parse(name)
        except FlywheelError:
            return None
        snapshot = self._since(window)
        known = snapshot.record(window)
        if known is None:
            return None
        record, names = known[1], ("separability", "predictions", "online", "bias", "slices", "broken")
        return self._windows(snapshot, [window])[0] | {
            **{name: to_json(getattr(record.evidence, name)) for name in names},
            "distributions": to_json(
                self._objects.document(f"{record.monitor_uri}{DISTRIBUTIONS}", Distributions)
            ),
            "coverage": self._coverage(self._written("collect", COVERAGE, [window]).get(str(window))),
        }

    def requests(self) -> list[Json]:
        """Return what monitoring asked for, the newest first."""
        requests = self._requests.entries()
        windows = self._last(1)[0].windows() if requests else []
        past = past_of(self._cycle, windows[-1], self._ledger.entries()) if windows else None
        shown = ("number", "at", "by", "window", "reasons", "train_interval")
        return [
            {name: value for name, value in request.as_json().items() if name in shown}
            | {
                "decision": summaries.path(request.decision_uri),
                "is_open": bool(past and is_open(request, past, past.trainings)),
            }
            for request in reversed(requests)
        ]

    def _windows(self, snapshot: Snapshot, windows: list[Interval]) -> list[Json]:
        """Return windows that follow each other, with what other steps wrote about them."""
        findings = snapshot.findings(windows[0].start) if windows else {}
        reports = self._written("report", REPORT, windows)
        collected = self._written("collect", COVERAGE, windows)
        self._objects.fetch(self._bucket, collected.values())
        return [
            self._window(snapshot, window, findings[window])
            | {
                "answers": (self._coverage(collected.get(str(window))) or {}).get("answers"),
                "collect": self._place(collected.get(str(window))),
                "report": self._place(reports.get(str(window))),
            }
            for window in windows
        ]

    def _window(self, snapshot: Snapshot, window: Interval, finding: Finding) -> Json:
        known = snapshot.record(window)
        assert known is not None  # noqa: S101 - snapshots name only windows that have one
        uri, record = known
        return summaries.finding(finding) | {
            "at": to_json(record.at),
            "by": record.by,
            "rows": record.evidence.rows,
            "features": to_json(record.evidence.features),
            "estimate": to_json(record.evidence.estimate),
            "decision": summaries.decision(snapshot.decision(window)),
            "record": summaries.path(uri),
            "monitor": output_path(record.monitor_uri),
        }

    def _last(self, count: int) -> tuple[Snapshot, int]:
        """Return the log from the last `count` windows on, and how many windows there are."""
        listed, folders = self._folders
        if time.monotonic() - listed > FOLDERS_S or not folders:
            folders = self._objects.folders(self._bucket, self._prefix)
            self._folders = (time.monotonic(), folders)
        snapshot = self._since(Interval.parse(folders[-count]) if len(folders) > count else None)
        return snapshot, len({*folders, *map(str, snapshot.windows())})

    def _since(self, window: Interval | None) -> Snapshot:
        """Return the log from a window on, its records read side by side."""
        # Of a day's windows the one that begins at midnight is named last, so all of the day are listed.
        after = f"{self._prefix}{window.day}" if window else ""
        objects = self._objects.after(self._bucket, self._prefix, after)
        objects.read(objects.keys())
        return Snapshot(MonitoringLog(self._s3, self._bucket, self._cycle.name, objects))

    def _place(self, key: str | None) -> str | None:
        """Return the place of a file, as the page addresses it."""
        return output_path(join_uri(self._bucket, key)) if key else None

    def _coverage(self, key: str | None) -> Json | None:
        """Return what a window's newest collect told of labels and traffic."""
        return to_json(self._objects.document(join_uri(self._bucket, key), Coverage)) if key else None

    def _written(self, step: str, file: str, windows: list[Interval]) -> dict[str, str]:
        """Return the newest of what a step wrote for each of some windows, as keys by the window's name."""
        if not windows:
            return {}
        if len(windows) == 1:
            items = self._objects.items(*split_uri(self._places.outputs(step, windows[0])))
        else:
            bucket, prefix = split_uri(self._places.step(step))
            items = self._objects.items(bucket, prefix, after=f"{prefix}{windows[0].day}")
        written = [item for item in items if item["Key"].endswith(f"/{file}")]
        written.sort(key=lambda item: item["LastModified"])
        places = {item["Key"]: parse_place(item["Key"]) for item in written}
        return {p.parts["interval"]: key for key, p in places.items() if p and p.kind == "output"}


def _rule(cycle: Cycle) -> Json:
    """Return what it takes to alarm, and to ask for retraining."""
    names = (
        "minimum_rows",
        "minimum_distance",
        "significance",
        "alarms",
        "windows",
        "matured_share",
        "quality_drop",
    )
    return {name: getattr(cycle.monitoring, name) for name in names}
