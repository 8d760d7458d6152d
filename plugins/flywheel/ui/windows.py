"""What monitoring found, window by window, as a cycle's view shows it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from flywheel.asking import is_open
from flywheel.deciding import Deciding
from flywheel.names import Interval
from flywheel.retraining import Finding, Json
from flywheel.ui import told
from flywheel.ui.objects import READERS, Remembered
from flywheel.watch import Requests, Snapshot, WatchLog
from include.cycles.cycle import Cycle

#: how long the list of all windows is good for counting them and finding the last ones, in seconds: new ones
#: come at its end, and there they are looked for each time
FOLDERS_S = 300.0
FOLDER = re.compile(r"[\dT-]+_[\dT-]+")


class Watched:
    """The watch records of one cycle.

    :param objects: what S3 holds
    """

    def __init__(self, objects: Remembered, bucket: str, cycle: Cycle) -> None:
        self._objects, self._bucket, self._cycle = objects, bucket, cycle
        self._prefix = f"{cycle.name}/watch/"
        self._journal = objects.journal()
        #: the folders of all windows, and when they were listed
        self._folders: tuple[float, list[str]] = (-FOLDERS_S, [])
        #: what other steps wrote for a window, by the step, the window, and what had been decided about it
        self._beside: dict[tuple[str, str, str], str] = {}

    def newest(self) -> Json:
        """The newest window, for the cycle's card."""
        snapshot, _ = self._last(1)
        last = snapshot.windows()[-1:]
        findings = snapshot.findings(last[0].start) if last else {}
        return {
            "window": self._window(snapshot, last[0], findings) if last else None,
            "decision": told.decision(_content(snapshot.decision(last[0]))) if last else None,
        }

    def last(self, count: int) -> Json:
        """The last `count` windows, oldest first, and how many there are."""
        snapshot, total = self._last(count)
        chosen = snapshot.windows()[-count:]
        findings = snapshot.findings(chosen[0].start) if chosen else {}
        with ThreadPoolExecutor(READERS) as pool:
            windows = list(pool.map(lambda each: self._window(snapshot, each, findings), chosen))
        return {"windows": windows, "total": total, "rule": _rule(self._cycle)}

    def one(self, name: str) -> Json | None:
        """All that is known of one window, by the name of its folder; None if nobody watched it."""
        if not FOLDER.fullmatch(name):
            return None
        snapshot = self._since(name)
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
            "coverage": self._covered(window, record["at"]),
            "monitor": told.place(record["monitor_uri"]),
        }

    def requests(self) -> list[Json]:
        """What monitoring asked for, the newest first."""
        requests = Requests(self._journal, self._bucket, self._cycle.name).entries()
        windows = self._last(1)[0].windows() if requests else []
        deciding = Deciding(self._journal, self._bucket, self._cycle, {})
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
        evidence, decision = record["evidence"], _content(snapshot.decision(window))
        report = self._written("report", "report.html", window, (decision or record)["at"])
        return told.finding(findings[window]) | {
            "at": record["at"],
            "by": record["by"],
            "rows": evidence["rows"],
            "features": told.features(evidence),
            "estimate": evidence["estimate"],
            "answers": (self._covered(window, record["at"]) or {}).get("answers"),
            "decision": told.decision(decision),
            "report": told.place(report.rpartition("/")[0]) if report else None,
        }

    def _last(self, count: int) -> tuple[Snapshot, int]:
        """The log from the last `count` windows on, and how many windows there are."""
        listed, folders = self._folders
        if time.monotonic() - listed > FOLDERS_S or not folders:
            folders = self._objects.folders(self._bucket, self._prefix)
            self._folders = (time.monotonic(), folders)
        snapshot = self._since(folders[-count] if len(folders) > count else "")
        return snapshot, len({*folders, *map(str, snapshot.windows())})

    def _since(self, folder: str) -> Snapshot:
        """The log from a window on, its records read side by side."""
        after = f"{self._prefix}{folder}" if folder else ""
        keys = [item["Key"] for item in self._objects.items(self._bucket, self._prefix, after)]
        self._objects.fetch(self._bucket, keys)
        return Snapshot(WatchLog(self._objects.after(after), self._bucket, self._cycle.name))

    def _covered(self, window: Interval, at: str) -> Json | None:
        """What the window's newest collect told of labels and traffic."""
        uri = self._written("collect", "coverage.json", window, at)
        found: Json | None = self._objects.json(uri) if uri else None
        return found

    def _written(self, step: str, file: str, window: Interval, at: str) -> str | None:
        """The newest of what a step wrote for a window; once found, looked for again when `at` changes."""
        name = (step, str(window), at)
        if name not in self._beside:
            items = self._objects.items(self._bucket, f"{self._cycle.name}/{step}/{window}/")
            found = [item for item in items if item["Key"].endswith(f"/{file}")]
            if not found:
                return None
            newest = max(found, key=lambda item: item["LastModified"])
            self._beside[name] = f"s3://{self._bucket}/{newest['Key']}"
        return self._beside[name]


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
