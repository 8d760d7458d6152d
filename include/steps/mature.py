"""mature: judge earlier windows again, by labels that came after they were monitored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from include.core.layout import LABELS, MATURED, PLAN, PREDICTIONS
from include.ml.exceptions import InvalidInput
from include.ml.monitoring.ground_truth import COLUMNS, label_history, labels_at
from include.ml.monitoring.judging import cutoffs, once_each, quality_at
from include.steps.contract import Step, parse_time, run
from include.steps.manifest import write_json, write_manifest
from include.steps.monitoring.reference import read_standard
from include.steps.tables import read_table
from include.steps.traffic import read_truth


@dataclass(frozen=True)
class Earlier:
    """One earlier window of plan.json."""

    #: start and end, ISO 8601
    window: list[str]
    #: key of the monitor that watched it
    monitor_key: str
    #: `<interval>/<key>/` of what it had collected, below the input `earlier`
    collected: str
    #: what its quality was compared with
    reference: dict[str, Any] | None


def mature(step: Step) -> dict[str, float]:
    """Write matured.json: the quality of each window at each cut-off at which its labels had changed."""
    (windows, ends), truth, standard = read_plan(step), read_truth(step), read_standard(step)
    quality: list[dict[str, Any]] = []
    rows = 0
    for earlier in windows:
        own_end = parse_time("end", earlier.window[1])
        folder = step.required("earlier") / earlier.collected
        predictions = once_each(read_table(folder / PREDICTIONS))
        rows += len(predictions)
        labels = Labels(read_table(folder / LABELS), truth.labels, predictions["event_id"])
        for cutoff in labels.changed([end for end in ends if end >= own_end]):
            found = quality_at(
                predictions, labels.now, cutoff, standard=standard, reference=earlier.reference
            )
            quality.append({"window": earlier.window, "monitor_key": earlier.monitor_key, **found})
    write_json(step.output / MATURED, {"quality": quality, "malformed": truth.faults.summary()})
    metrics = {"windows": len(windows), "matured": len(quality), "malformed": truth.faults.count}
    write_manifest(step, counts={"rows_in": rows, "rows_out": rows}, metrics=metrics)
    return {"rows": rows, **metrics}


def read_plan(step: Step) -> tuple[list[Earlier], list[datetime]]:
    """Return the earlier windows, and the ends of all windows from the first of them on, in order."""
    try:
        told = json.loads((step.required("plan") / PLAN).read_text(encoding="utf-8"))
        return [Earlier(**each) for each in told["windows"]], [parse_time("end", end) for end in told["ends"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InvalidInput(
            f"plan.json cannot be read ({error!r}). Clear the task, which writes it."
        ) from error


class Labels:
    """The labels of one window's events: those known when it was monitored, and all there are now."""

    def __init__(self, before: pd.DataFrame, truth: pd.DataFrame, events: pd.Series) -> None:
        self.before = before
        ours = truth[truth["event_id"].isin(events)]
        self.now = label_history(pd.concat([before[list(COLUMNS)], ours], ignore_index=True))

    def changed(self, ends: list[datetime]) -> Iterator[datetime]:
        """Yield the ends at which labels differ from those that the window's own monitor saw."""
        for cutoff in cutoffs(self.now["known_time"], ends):
            columns = ["event_id", "label"]
            now, before = (labels_at(each, cutoff)[columns] for each in (self.now, self.before))
            if not now.equals(before):
                yield cutoff


def main() -> None:
    """Run the step in its container."""
    run("mature", mature)
