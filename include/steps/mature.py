"""mature: judge earlier windows again, by labels that came after they were monitored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pandas as pd

from include.core.documents.monitoring import Matured, MaturedQuality, MaturePlan
from include.core.layout import LABELS, MATURED, PLAN, PREDICTIONS
from include.ml.monitoring.ground_truth import COLUMNS, label_history, labels_at
from include.ml.monitoring.judging import cutoffs, once_each, quality_at
from include.steps.contract import Step, read_document, run
from include.steps.manifest import write_document, write_manifest
from include.steps.monitoring.reference import read_standard
from include.steps.tables import read_table
from include.steps.traffic import read_truth


def mature(step: Step) -> dict[str, float]:
    """Write matured.json: the quality of each window at each cut-off at which its labels had changed."""
    plan = read_document(
        step.required("plan") / PLAN, MaturePlan.from_text, "Clear the task, which writes it."
    )
    truth, standard = read_truth(step), read_standard(step)
    quality: list[MaturedQuality] = []
    rows = 0
    for earlier in plan.windows:
        folder = step.required("earlier") / earlier.collected
        predictions = once_each(read_table(folder / PREDICTIONS))
        rows += len(predictions)
        labels = Labels(read_table(folder / LABELS), truth.labels, predictions["event_id"])
        for cutoff in labels.changed([end for end in plan.ends if end >= earlier.window.end]):
            judged = quality_at(
                predictions,
                labels.now,
                cutoff,
                standard=standard,
                reference=earlier.reference,
                operating=earlier.operating,
            )
            quality.append(
                MaturedQuality(window=earlier.window, monitor_key=earlier.monitor_key, **vars(judged))
            )
    matured = Matured(quality=tuple(quality), malformed=truth.faults.summary())
    write_document(step.output / MATURED, matured)
    metrics = {"windows": len(plan.windows), "matured": len(quality), "malformed": truth.faults.count}
    write_manifest(step, counts={"rows_in": rows, "rows_out": rows}, metrics=metrics)
    return {"rows": rows, **metrics}


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
            now, before = (labels_at(labels, cutoff)[columns] for labels in (self.now, self.before))
            if not now.equals(before):
                yield cutoff


def main() -> None:
    """Run the step in its container."""
    run("mature", mature)
