"""The quality of a model's answers by the labels known at a moment, beside that of its evaluation."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from include.core.documents.codec import narrow
from include.core.documents.model import Bounds, MeasuredMetric
from include.core.documents.monitoring import OperatingQuality, SliceScore, WindowQuality
from include.core.tasks import FLOORS, METRICS, Metric, task_of_classes
from include.ml.evaluation import comparison, intervals
from include.ml.evaluation.clusters import time_blocks
from include.ml.evaluation.comparison import Answers, Statistic
from include.ml.evaluation.intervals import Area, Kind, Rate
from include.ml.evaluation.operating import operating_metrics
from include.ml.evaluation.resampling import Sample, finite
from include.ml.features.labels import class_places
from include.ml.monitoring.ground_truth import labels_at

#: a slice of fewer judged rows tells more of chance than of the model
LEAST_SLICE_ROWS = 100
#: which answer to an event counts, where both kinds gave one
SOURCES = ("batch", "online")
REPETITIONS = 500


@dataclass(frozen=True, kw_only=True)
class Standard:
    """How a model is judged."""

    #: a name that the task's table calls deciding
    metric: str
    #: texts of the classes; of two the last is the positive one
    classes: tuple[str, ...]
    #: from this share of labelled events on the judgement counts
    matured_share: float
    #: by how much the metric may surely be worse than the reference, in its own unit
    quality_drop: float
    #: by how much an operating metric may surely be worse than its reference
    operating_drop: float = 0.1
    #: events of one stretch of time of this length are drawn as one; None where rows are independent
    block: timedelta | None = None
    repetitions: int = REPETITIONS
    seed: int = 0


def once_each(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return one answer to each event: that of the batch, or else the one given online.

    Parameters
    ----------
    predictions
        Columns `event_id` and `source` at least; one row for each event and source.

    Returns
    -------
    The rows that count, in the order of their event ids, so that the order of files is all one.
    """
    rank = predictions["source"].map({source: preference for preference, source in enumerate(SOURCES)})
    ordered = predictions.assign(rank=rank).sort_values(["event_id", "rank"], kind="stable")
    return ordered.drop_duplicates("event_id").drop(columns="rank").reset_index(drop=True)


def judged_at(predictions: pd.DataFrame, labels: pd.DataFrame, cutoff: datetime) -> pd.DataFrame:
    """Return the answers to events with a label at `cutoff`, as `truth`, in the order of event ids."""
    known = labels_at(labels, cutoff)[["event_id", "label"]].rename(columns={"label": "truth"})
    return predictions.merge(known, on="event_id", how="inner", validate="one_to_one").sort_values(
        "event_id", kind="stable", ignore_index=True
    )


def cutoffs(known_times: pd.Series, ends: Sequence[datetime]) -> list[datetime]:
    """Return the moments at which a window is judged: its end, and later ends by which labels had changed.

    Parameters
    ----------
    known_times
        When the labels of the window's events became known, corrections included.
    ends
        The ends of the window itself and of those after it, in their order.

    Examples
    --------
    >>> days = [datetime(2013, 2, day) for day in (1, 2, 3, 4)]
    >>> [each.day for each in cutoffs(pd.Series([datetime(2013, 2, 2, 12)]), days)]
    [1, 3]
    """
    times = pd.to_datetime(known_times, utc=True)
    later = [
        end
        for before, end in itertools.pairwise(ends)
        if ((times > pd.to_datetime(before, utc=True)) & (times <= pd.to_datetime(end, utc=True))).any()
    ]
    return [*ends[:1], *later]


def quality_at(
    predictions: pd.DataFrame,
    labels: pd.DataFrame,
    cutoff: datetime,
    *,
    standard: Standard,
    reference: Bounds | None,
    operating: Mapping[str, Bounds] | None = None,
) -> WindowQuality:
    """Return the quality by the labels known at `cutoff`.

    Parameters
    ----------
    predictions
        One row for each event (see `once_each`): `event_id`, `event_time`, `label` and `score`.
    labels
        Columns `event_id`, `label`, `known_time` and `version`; labels of other events are left aside.
    reference
        The metric in the model's own evaluation; None when it has none.
    operating
        How answers fared there, by the names of the task's operating metrics.

    Notes
    -----
    The model is worse when enough labels are there and even the better bound is worse than the reference
    leaves room for: before, what is missing may be what it is good at; and chance alone is no alarm.
    """
    judged = judged_at(predictions, labels, cutoff)
    coverage = len(judged) / len(predictions) if len(predictions) else None
    quality = measured(judged, standard)
    is_matured = coverage is not None and coverage >= standard.matured_share
    answered = judge_operating(judged, standard, operating, is_matured=is_matured) if operating else None
    worse = [
        name
        for name, judged_metric in (answered or {}).items()
        if judged_metric.is_worse and name != standard.metric
    ]
    if is_matured and is_surely_worse(quality, reference, METRICS[standard.metric], standard.quality_drop):
        worse.insert(0, standard.metric)
    return WindowQuality(
        cutoff=cutoff,
        metric=standard.metric,
        judged=len(judged),
        coverage=coverage,
        value=quality.value,
        low=quality.low,
        high=quality.high,
        reason=quality.reason,
        reference=reference,
        is_worse=bool(worse),
        worse=tuple(worse),
        operating=answered,
    )


def judge_operating(
    judged: pd.DataFrame, standard: Standard, references: Mapping[str, Bounds], *, is_matured: bool
) -> dict[str, OperatingQuality]:
    """Return how the answers fared beside the evaluation; those with a floor can be surely worse."""
    task, truth = task_of_classes(len(standard.classes)), _truth(judged, standard)
    predicted = class_places(judged["label"], standard.classes) if len(judged) else truth
    blocks = time_blocks(judged["event_time"], standard.block)
    sample = Sample(truth, blocks, standard.repetitions, standard.seed)
    measured = operating_metrics(task.name, truth, predicted, sample, len(standard.classes))
    records = {metric.name: metric for metric in task.operating}
    return {
        name: OperatingQuality(
            **vars(narrow(Bounds, number)),
            reference=references[name],
            is_worse=is_matured
            and name in FLOORS
            and is_surely_worse(number, references[name], records[name], standard.operating_drop),
        )
        for name, number in measured.items()
        if name in references
    }


def is_surely_worse(quality: Bounds, reference: Bounds | None, metric: Metric, drop: float) -> bool:
    """Whether even the better bound is worse than the reference by more than a drop leaves room for."""
    best = quality.high if metric.is_higher_better else quality.low
    if reference is None or reference.value is None or best is None:
        return False
    return metric.sign * best < metric.sign * reference.value - drop


def measured(judged: pd.DataFrame, standard: Standard) -> MeasuredMetric:
    """Return the metric of judged answers and its 95 % interval, by the standard's blocks, if any."""
    metric = task_of_classes(len(standard.classes)).metric(standard.metric)
    truth = _truth(judged, standard)
    sample = Sample(
        truth,
        time_blocks(judged["event_time"], standard.block),
        standard.repetitions,
        standard.seed,
        is_stratified="both classes" in metric.needs,
    )
    kinds: dict[str, Kind] = {}
    if metric.name == "accuracy":
        kinds = {metric.name: Rate(_is_right(judged), np.ones(len(judged)))}
    elif metric.name == "roc_auc":
        kinds = {metric.name: Area(judged["score"].to_numpy(dtype=float))}
    statistic = statistic_of(judged, truth, standard) if len(judged) else None

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        return {metric.name: statistic(weights)} if statistic else {}

    return intervals.estimate(measure, sample, {metric.name: metric}, kinds)[metric.name]


def _truth(judged: pd.DataFrame, standard: Standard) -> np.ndarray:
    if not len(judged):
        return np.empty(0, dtype=np.intp)
    return np.asarray(class_places(judged["truth"], standard.classes))


def _is_right(judged: pd.DataFrame) -> np.ndarray:
    return np.asarray(judged["label"].to_numpy(object) == judged["truth"].to_numpy(object), dtype=float)


def statistic_of(judged: pd.DataFrame, truth: np.ndarray, standard: Standard) -> Statistic:
    """Return the metric as a function of each row's count, NaN where it is undefined.

    An answer is right by what it said: each model has a threshold of its own.
    """
    if standard.metric == "accuracy":
        right = _is_right(judged)
        return lambda weights: np.asarray(weights @ right / weights.sum(axis=1))
    score = judged["score"].to_numpy(dtype=float)
    answers = Answers(np.column_stack([1 - score, score]))
    return comparison.metric_statistic(standard.metric, truth, answers)


def slice_scores(
    judged: pd.DataFrame, groups: Mapping[str, np.ndarray], standard: Standard
) -> tuple[SliceScore, ...]:
    """Return the metric by slice of at least LEAST_SLICE_ROWS judged rows, the worst first.

    A slice in which the metric is undefined, or is of too few rows of a class, has the score None with the
    reason, and comes last.
    """
    scored, sign = [], METRICS[standard.metric].sign
    for column, values in groups.items():
        names = values.astype(str)
        for value, count in zip(*np.unique(names, return_counts=True), strict=True):
            if count < LEAST_SLICE_ROWS:
                continue
            rows = judged[names == value]
            truth = _truth(rows, standard)
            missing = Sample(truth).missing(METRICS[standard.metric].needs)
            score = None
            if not missing:
                score = finite(float(statistic_of(rows, truth, standard)(np.ones((1, len(truth))))[0]))
            scored.append(
                SliceScore(
                    column=column,
                    value=str(value),
                    rows=int(count),
                    metric=standard.metric,
                    score=score,
                    reason=missing[0] if missing else None,
                )
            )
    return tuple(sorted(scored, key=lambda slice_: (slice_.score is None, sign * (slice_.score or 0.0))))
