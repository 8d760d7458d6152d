"""What monitoring found, window by window, as a cycle's view shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flywheel.asking import is_open
from flywheel.deciding import Deciding
from flywheel.names import Interval
from flywheel.retraining import Finding, Json
from flywheel.ui import told
from flywheel.ui.objects import Remembered
from flywheel.watch import Requests, Snapshot, WatchLog
from include.cycles.cycle import Cycle


class Watched:
    """The watch records of one cycle.

    :param objects: what S3 holds
    """

    def __init__(self, objects: Remembered, bucket: str, cycle: Cycle) -> None:
        self._objects, self._bucket, self._cycle = objects, bucket, cycle
        self._log = WatchLog(objects, bucket, cycle.name)
        #: what collect told of a window, by the window and the monitor that came after it
        self._coverage: dict[tuple[str, str], Json | None] = {}

    def newest(self) -> Json:
        """The newest window, for the cycle's card."""
        snapshot = Snapshot(self._log)
        last = snapshot.windows()[-1:]
        findings = snapshot.findings(last[0].start) if last else {}
        return {
            "window": self._window(snapshot, last[0], findings) if last else None,
            "decision": told.decision(_content(snapshot.decision(last[0]))) if last else None,
        }

    def last(self, count: int) -> Json:
        """The last `count` windows, oldest first, and how many there are."""
        keys = self._log.keys()
        folders = sorted({key.partition("/")[0] for key in keys})[-count:]
        wanted = [f"{self._cycle.name}/watch/{key}" for key in keys if key.partition("/")[0] in set(folders)]
        self._objects.fetch(self._bucket, wanted)
        snapshot = Snapshot(self._log)
        windows = snapshot.windows()
        chosen = windows[-count:]
        findings = snapshot.findings(chosen[0].start) if chosen else {}
        reports = self._reports()
        shown = [self._window(snapshot, each, findings) for each in chosen]
        return {
            "windows": [each | {"report": reports.get(each["name"])} for each in shown],
            "total": len(windows),
            "rule": _rule(self._cycle),
        }

    def one(self, name: str) -> Json | None:
        """All that is known of one window, by the name of its folder; None if nobody watched it."""
        snapshot = Snapshot(self._log)
        window = next((each for each in snapshot.windows() if str(each) == name), None)
        if window is None:
            return None
        found = snapshot.record(window)
        assert found is not None  # noqa: S101 - snapshots name only windows that have one
        record = found[1]
        evidence = record["evidence"]
        names = ("separability", "predictions", "online", "bias", "slices", "broken")
        return self._window(snapshot, window, snapshot.findings(window.start)) | {
            **{part: evidence.get(part) for part in names},
            "distributions": self._objects.json(f"{record['monitor_uri']}distributions.json"),
            "coverage": self._covered(window, record),
            "monitor": told.place(record["monitor_uri"]),
            "report": self._reports().get(name),
        }

    def requests(self) -> list[Json]:
        """What monitoring asked for, the newest first."""
        requests = Requests(self._objects, self._bucket, self._cycle.name).entries()
        windows = Snapshot(self._log).windows() if requests else []
        deciding = Deciding(self._objects, self._bucket, self._cycle, {})
        past = deciding.past(windows[-1]) if windows else None
        return [
            {
                "number": each.number,
                "at": each.at,
                "by": dict(each.by),
                "window": each.window,
                "reasons": each.reasons,
                "train_interval": each.train_interval,
                "is_open": bool(past and is_open(each, past, past.trainings)),
            }
            for each in reversed(requests)
        ]

    def _window(self, snapshot: Snapshot, window: Interval, findings: Mapping[Interval, Finding]) -> Json:
        found = snapshot.record(window)
        assert found is not None  # noqa: S101 - snapshots name only windows that have one
        record = found[1]
        evidence = record["evidence"]
        return told.finding(findings[window]) | {
            "at": record["at"],
            "by": record["by"],
            "rows": evidence["rows"],
            "features": told.features(evidence),
            "estimate": evidence["estimate"],
            "answers": (self._covered(window, record) or {}).get("answers"),
            "decision": told.decision(_content(snapshot.decision(window))),
        }

    def _covered(self, window: Interval, record: Json) -> Json | None:
        """coverage.json of the window's newest collect; asked for once for each monitor of the window."""
        name = (str(window), record["key"])
        if name not in self._coverage:
            prefix = f"{self._cycle.name}/collect/{window}/"
            found = [
                i for i in self._objects.items(self._bucket, prefix) if i["Key"].endswith("/coverage.json")
            ]
            newest = max(found, key=lambda item: item["LastModified"], default=None)
            uri = f"s3://{self._bucket}/{newest['Key']}" if newest else None
            self._coverage[name] = self._objects.json(uri) if uri else None
        return self._coverage[name]

    def _reports(self) -> dict[str, str]:
        """The places of the windows' newest reports, by the windows' names."""
        found: dict[str, tuple[Any, str]] = {}
        for item in self._objects.items(self._bucket, f"{self._cycle.name}/report/"):
            _, _, window, key, *file = item["Key"].split("/")
            if file == ["report.html"]:
                found[window] = max(
                    found.get(window, (item["LastModified"], "")), (item["LastModified"], key)
                )
        return {window: f"report/{window}/{key}" for window, (_, key) in found.items()}


def _content(found: tuple[str, Json] | None) -> Json | None:
    return found[1] if found else None


def _rule(cycle: Cycle) -> Json:
    """What it takes to alarm, and to ask for retraining."""
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
