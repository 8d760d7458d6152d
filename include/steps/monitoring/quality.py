"""The part of `monitor` that judges predictions by known labels, and estimates where there are none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from include.core.documents.monitoring import (
    FacetBias,
    FacetValues,
    QualityEstimate,
    QualityEvidence,
    SliceScore,
    WindowQuality,
)
from include.core.layout import LABELS, MODEL_QUALITY, PREDICTIONS
from include.core.monitoring import Facet
from include.core.schedule import first_tick_from, window_schedule
from include.ml.evaluation.clusters import time_blocks
from include.ml.exceptions import InvalidInput
from include.ml.features.labels import as_text
from include.ml.monitoring import judging
from include.ml.monitoring.bias import bias_metrics
from include.ml.monitoring.estimation import estimate_quality
from include.ml.monitoring.judging import Standard
from include.ml.monitoring.quality import model_quality
from include.steps.contract import Step
from include.steps.manifest import write_json
from include.steps.monitoring.reference import (
    read_monitoring,
    read_operating,
    read_reference,
    read_standard,
)
from include.steps.tables import read_table


@dataclass(frozen=True)
class Window:
    """The predictions of a window and the labels known for them."""

    #: one answer to each event
    predictions: pd.DataFrame
    #: the answers given online, where the batch gave some too
    online: pd.DataFrame
    labels: pd.DataFrame
    #: when it is judged; the last knows every label that was there when the job ran
    cutoffs: list[datetime]
    standard: Standard


def monitor_quality(step: Step) -> tuple[QualityEvidence, dict[str, float]]:
    """Judge the predictions at each cut-off, and write model_quality.json for the last.

    The second value are metrics for the manifest.
    """
    window = read_window(step)
    judged = judging.judged_at(window.predictions, window.labels, window.cutoffs[-1])
    blocks = time_blocks(judged["event_time"], window.standard.block)
    metrics = write_quality(step, judged, blocks)
    rows = read_columns(step, judged)
    evidence = QualityEvidence(
        quality=judge_answers(step, window, window.predictions),
        online=judge_answers(step, window, window.online) if len(window.online) else (),
        estimate=estimate_window(step, window.predictions),
        bias=measure_bias(step, judged, rows, blocks),
        slices=score_slices(step, judged, rows, window.standard),
    )
    return evidence, {"scored": len(window.predictions), "judged": len(judged), **metrics}


def read_window(step: Step) -> Window:
    """Return the collected predictions and labels, and the moments to judge at."""
    root, classes = step.required("collected"), step.module("features").CLASSES
    predictions, labels = read_table(root / PREDICTIONS), read_table(root / LABELS)
    strange = sorted(set(predictions["label"]) - set(classes))
    if strange:
        raise InvalidInput(f"The collected predictions say {strange}, which are none of {list(classes)}.")
    chosen = judging.once_each(predictions)
    is_online = predictions["source"] == "online"
    beside = predictions[is_online] if not is_online.all() else predictions.iloc[:0]
    cutoffs = judging.cutoffs(labels["known_time"], window_ends(step, labels["known_time"]))
    return Window(chosen, beside.reset_index(drop=True), labels, cutoffs, read_standard(step))


def window_ends(step: Step, known_times: pd.Series) -> list[datetime]:
    """Return the window's end, and the later ones by which labels had become known.

    A label that no window's end comes after is never known.
    """
    ends, schedule = [step.end], window_schedule(step.description)
    for known in sorted(known_times.dropna().unique()):
        if known > ends[-1]:
            end = first_tick_from(schedule, known.to_pydatetime())
            if end is None:
                break
            ends.append(end)
    return ends


def judge_answers(step: Step, window: Window, predictions: pd.DataFrame) -> tuple[WindowQuality, ...]:
    """Return the quality at each cut-off."""
    evaluated = step.required("evaluated")
    reference, operating = read_reference(evaluated, window.standard.metric), read_operating(evaluated)
    return tuple(
        judging.quality_at(
            predictions,
            window.labels,
            cutoff,
            standard=window.standard,
            reference=reference,
            operating=operating,
        )
        for cutoff in window.cutoffs
    )


def estimate_window(step: Step, predictions: pd.DataFrame) -> QualityEstimate | None:
    """Return the quality estimated from scores, if the champion's evaluation left a calibration."""
    left = read_monitoring(step.required("evaluated"))
    if left is None or left.calibration is None:
        return None
    cycle, positive = step.description, step.module("features").CLASSES[-1]
    is_positive = (predictions["label"] == positive).to_numpy(bool) if cycle.task == "binary" else None
    return estimate_quality(left.calibration, predictions["score"].to_numpy(float), is_positive, cycle.metric)


def write_quality(step: Step, judged: pd.DataFrame, clusters: np.ndarray | None) -> dict[str, float]:
    """Write model_quality.json in Model Monitor's schema; return the metrics by name."""
    features, task = step.module("features"), step.description.task
    quality = model_quality(judged, features.CLASSES, task, clusters)
    quality["dataset"] |= {"start_time": step.start.isoformat(), "end_time": step.end.isoformat()}
    write_json(step.output / MODEL_QUALITY, quality)
    values = quality[f"{task}_classification_metrics"]
    return {name: metric["value"] for name, metric in values.items() if "value" in metric}


def read_columns(step: Step, judged: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of slices and facets for the judged events, as texts.

    A column that the window lacks is left out; the violations report it.
    """
    facets = step.description.monitoring.facets
    wanted = {*step.module("estimator").SLICES, *(facet.column for facet in facets)}
    parts = []
    for path in sorted((step.required("prepared") / "rows").glob("*.parquet")):
        there = sorted(wanted & set(pq.read_schema(path).names))
        parts.append(read_table(path, ["event_id", *there]).set_index("event_id"))
    rows = pd.concat(parts).reindex(judged["event_id"])
    return pd.DataFrame({name: facet_texts(column) for name, column in rows.items()}, index=rows.index)


def facet_texts(column: pd.Series) -> pd.Series:
    """Return the column's values as a facet writes them: 1.0 is "1"."""
    return column.map({value: as_text(value) for value in column.dropna().unique().tolist()}).astype(object)


def score_slices(
    step: Step, judged: pd.DataFrame, rows: pd.DataFrame, standard: Standard
) -> tuple[SliceScore, ...]:
    """Return the metric by slice; values of private columns are left out."""
    shown = set(rows.columns) - set(step.description.monitoring.private)
    columns = [column for column in step.module("estimator").SLICES if column in shown]
    groups = {column: rows[column].fillna("").to_numpy(object) for column in columns}
    return judging.slice_scores(judged, groups, standard)


def measure_bias(
    step: Step, judged: pd.DataFrame, rows: pd.DataFrame, blocks: np.ndarray | None
) -> tuple[FacetBias, ...]:
    """Return the bias metrics of each declared facet, for two classes; all None for a missing column."""
    if step.description.task != "binary":
        return ()
    positive = step.module("features").CLASSES[-1]
    biases: list[FacetBias] = []
    for facet in step.description.monitoring.facets:
        chosen, is_group = facet_members(facet, rows)
        measured = bias_metrics(
            is_group,
            (judged["truth"] == positive).to_numpy(bool)[chosen],
            (judged["label"] == positive).to_numpy(bool)[chosen],
            None if blocks is None else blocks[chosen],
        )
        values = FacetValues(column=facet.column, values=facet.values)
        biases += [FacetBias(facet=values, metric=name, **vars(bounds)) for name, bounds in measured.items()]
    return tuple(biases)


def facet_members(facet: Facet, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that say whether they belong to a facet's group, and which of them do."""
    if facet.column not in rows:
        return np.zeros(0, dtype=int), np.zeros(0, dtype=bool)
    values = rows[facet.column]
    chosen = np.flatnonzero(values.notna())
    return chosen, values.iloc[chosen].isin(facet.values).to_numpy(bool)
