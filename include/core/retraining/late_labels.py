"""Find earlier windows to judge again, because their ground truth came after they were monitored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from include.core.cycle import Cycle
from include.core.documents.codec import digest
from include.core.documents.manifest import KeyRecord, Manifest
from include.core.documents.monitoring import EarlierWindow, MaturePlan
from include.core.layout import LABELS, MANIFEST, PLAN, PREDICTIONS, Interval
from include.core.places import Places, below_step
from include.core.retraining.records import MonitoringLog, Snapshot
from include.core.sagemaker.captures import File, files_by_hour, identity, truth_files
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.requests import Source, StepInput
from include.core.schedule import last_windows
from include.core.settings import Settings

#: what mature reads of a collect's output
READ = (PREDICTIONS, LABELS)


@dataclass(frozen=True)
class LateWindow:
    """An earlier window with labels that its monitor did not see."""

    earlier: EarlierWindow
    #: what was collected for it
    files: tuple[File, ...]


class LateLabels:
    """Find late labels by the records of earlier windows, never by what is newest."""

    def __init__(self, hook: SageMaker, settings: Settings, cycle: Cycle) -> None:
        self.hook, self.settings, self.cycle = hook, settings, cycle
        self._places = Places(settings.bucket, cycle.name)

    def windows(self, window: Interval, champion: str | None) -> list[LateWindow]:
        """Return the earlier windows of the same champion whose ground truth has changed since."""
        snapshot = Snapshot(MonitoringLog(self.hook.s3, self.settings.bucket, self.cycle.name))
        late = (self._late(earlier, snapshot, champion) for earlier in self._last(window)[:-1])
        return [item for item in late if item is not None]

    def _last(self, window: Interval) -> list[Interval]:
        """Return the window and those before it whose labels are still waited for, see `captures.horizon`."""
        return last_windows(self.cycle, window, self.cycle.monitoring.windows + 1)

    def _late(self, window: Interval, snapshot: Snapshot, champion: str | None) -> LateWindow | None:
        known = snapshot.record(window)
        if known is None or known[1].evidence.champion.version != champion:
            return None
        record = known[1]
        manifest = self._collected(window, self._inputs(record.key).get("collected"))
        if manifest is None:
            return None
        seen = self._inputs(manifest.key).get("truth", identity([]))
        if seen == identity(truth_files(self.hook, self.settings, self.cycle, window)):
            return None
        first = next(iter(record.evidence.quality), None)
        answered = first.operating if first else None
        collected = below_step(self._places.output("collect", window, manifest.key))
        earlier = EarlierWindow(
            window=window,
            monitor_key=record.key,
            collected=collected,
            reference=first.reference if first else None,
            operating={name: metric.reference for name, metric in answered.items()} if answered else None,
        )
        return LateWindow(earlier, _files(collected, manifest))

    def _inputs(self, key: str) -> Mapping[str, str]:
        """Return the inputs of a job, by the record of its key."""
        record = self.hook.read_document(self._places.key_record(key), KeyRecord)
        return record.inputs if record else {}

    def _collected(self, window: Interval, content: str | None) -> Manifest | None:
        """Return the manifest of a collect of the window with that content; of equal ones any."""
        outputs = self._places.outputs("collect", window)
        for name in sorted(self.hook.sizes(outputs)):
            if name.endswith(f"/{MANIFEST}"):
                manifest = self.hook.read_document(outputs + name, Manifest)
                if manifest is not None and manifest.digest == content:
                    return manifest
        return None

    def truth(self, window: Interval, late: Iterable[Interval]) -> list[File]:
        """Return the ground truth of late windows that was delivered by the end of `window`."""
        first = min((interval.start for interval in late), default=None)
        if first is None:
            return []
        return list(files_by_hour(self.hook, self._places.ground_truth, "", first, window.end))

    def put_plan(self, window: Interval, late: Iterable[LateWindow]) -> StepInput:
        """Write what the job needs to know about the windows, and return it as an input."""
        ends = tuple(interval.end for interval in self._last(window))
        content = MaturePlan(windows=tuple(item.earlier for item in late), ends=ends).as_json()
        folder = self._places.plan(digest(content))
        self.hook.put_document(f"{folder}{PLAN}", content)
        return StepInput(Source(folder), digest(content))


def _files(folder: str, manifest: Manifest) -> tuple[File, ...]:
    files = {file.name: file for file in manifest.files}
    return tuple(File(folder + name, files[name].sha256, files[name].bytes) for name in READ)
