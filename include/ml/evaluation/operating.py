"""What clients are answered: from which score on a model says yes, and how its answers fare.

The threshold is chosen on scores out of fold: each stretch of the training rows is scored by a model of all
others. Rows that a model was fitted to make it look surer than it is, and a few days of validation are few.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from include.core.documents.model import Bounds, MeasuredMetric
from include.core.tasks import FLOORS, TASKS, Metric
from include.ml.evaluation.comparison import Answers, BootstrapPlan, Gain, Holdout, answered_classes
from include.ml.evaluation.intervals import Difference, Measure, Rate, estimate
from include.ml.evaluation.metrics import threshold_measure
from include.ml.evaluation.resampling import Sample

#: models fitted besides the one that is kept, each without one stretch of the training rows
FOLDS = 3
#: rows that are asked together and left out together, where a model cannot answer one of them
SMALLEST_PART = 16
#: draws behind the interval of a threshold
REPETITIONS = 200
#: what a threshold can be, and what it takes to choose one
THRESHOLD = Metric(name="threshold", needs=frozenset({"both classes"}))


def time_folds(keys: np.ndarray, folds: int = FOLDS) -> np.ndarray:
    """Return the fold of each row, counted from 0: stretches of time of about equally many rows.

    Parameters
    ----------
    keys
        Blocks of time, or times, shape (n,); rows of one key are in one fold.

    >>> time_folds(np.array([3, 1, 1, 2, 2, 3])).tolist()
    [2, 0, 0, 1, 1, 2]
    """
    _, member, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    fold_of_key = (np.cumsum(sizes) - sizes) * folds // max(len(keys), 1)
    return np.asarray(fold_of_key[member])


def out_of_fold(
    predict: Callable[[np.ndarray, np.ndarray], np.ndarray], labels: np.ndarray, folds: np.ndarray
) -> np.ndarray:
    """Return each row's score by a model of the other folds, shape (n,); NaN where those lack a class.

    Parameters
    ----------
    predict
        Scores of the rows of the second mask by a model fitted to those of the first; one model at a time.
    labels
        0 or 1 of each row.
    """
    scores = np.full(len(labels), np.nan)
    for fold in np.unique(folds):
        held = folds == fold
        if len(np.unique(labels[~held])) == 2:  # noqa: PLR2004 - both classes
            scores[held] = predict(~held, held)
    return scores


def answered(predict: Callable[[pd.DataFrame], np.ndarray], table: pd.DataFrame, classes: int) -> np.ndarray:
    """Return probabilities, shape (rows, classes); NaN for rows that a model cannot answer, and near those.

    A category that the held rows alone have ends the prediction of all of them where an encoder refuses what
    it has not met. Parts are asked by halves, down to `SMALLEST_PART` rows.
    """
    try:
        return np.asarray(predict(table), dtype=float)
    except MemoryError:  # this says nothing of the rows
        raise
    except Exception:  # noqa: BLE001 - estimators raise what they like
        if len(table) <= SMALLEST_PART:
            return np.full((len(table), classes), np.nan)
    middle = len(table) // 2
    return np.concatenate([answered(predict, part, classes) for part in (table[:middle], table[middle:])])


def fit_threshold(labels: np.ndarray, scores: np.ndarray, blocks: np.ndarray | None) -> Bounds:
    """Return the threshold of the best F1 score with its 95 % interval; None where the rows lack a class.

    Rows whose score is NaN are left out.
    """
    known = np.isfinite(scores)
    sample = Sample(labels[known], None if blocks is None else blocks[known], REPETITIONS, is_stratified=True)
    measure = threshold_measure(labels[known], scores[known])

    def thresholds(weights: np.ndarray) -> dict[str, np.ndarray]:
        return {"threshold": measure(weights)}

    fitted = estimate(thresholds, sample, {"threshold": THRESHOLD})["threshold"]
    return Bounds(fitted.value, fitted.low, fitted.high, reason=fitted.reason)


def operating_metrics(
    task: str, labels: np.ndarray, predicted: np.ndarray, sample: Sample, classes: int = 2
) -> dict[str, MeasuredMetric]:
    """Return how answers fare, by the names of the task's operating metrics.

    Parameters
    ----------
    labels, said
        Places of the true and of the answered classes, shape (n,).
    classes
        How many there are.
    """
    measure = _measure(labels, predicted, classes)
    records = {metric.name: metric for metric in TASKS[task].operating}

    def chosen(weights: np.ndarray) -> dict[str, np.ndarray]:
        values = measure(weights)
        return {name: values[name] for name in records}

    every = np.ones(len(labels))
    kinds = {
        "accuracy": Rate(predicted == labels, every),
        "answer_share": Rate(predicted == 1, every),
        "false_alarm_rate": Rate(predicted == 1, labels == 0),
        "missed_share": Rate(predicted == 0, labels == 1),
    }
    return estimate(chosen, sample, records, kinds)


def operating_gains(
    task: str, holdout: Holdout, challenger: Answers, champion: Answers, plan: BootstrapPlan
) -> dict[str, Gain]:
    """Return by how much the challenger's answers are better, by the names of those metrics with a floor."""
    order = np.argsort(holdout.event_ids, kind="stable")
    rows = holdout.only(order)
    ours, theirs = (answered_classes(answers.only(order)) for answers in (challenger, champion))
    classes = challenger.probabilities.shape[1]
    our_measure, their_measure = (_measure(rows.labels, predicted, classes) for predicted in (ours, theirs))
    records = {metric.name: metric for metric in TASKS[task].operating if metric.name in FLOORS}

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        our_values, their_values = our_measure(weights), their_measure(weights)
        return {
            name: metric.sign * (our_values[name] - their_values[name]) for name, metric in records.items()
        }

    sample = Sample(rows.labels, rows.clusters, plan.repetitions, plan.seed, plan.confidence)
    unbounded = {name: replace(metric, low=-math.inf, high=math.inf) for name, metric in records.items()}
    signs = (ours == rows.labels).astype(int) - (theirs == rows.labels).astype(int)
    gains = estimate(measure, sample, unbounded, {"accuracy": Difference(signs)})
    return {name: Gain(gain.value, gain.low, gain.high, reason=gain.reason) for name, gain in gains.items()}


def _measure(labels: np.ndarray, predicted: np.ndarray, classes: int) -> Measure:
    """Return every operating metric as a function of each row's count; the last class is the positive one."""
    truth, answer = np.eye(classes)[labels], np.eye(classes)[predicted]

    def measure(weights: np.ndarray) -> Mapping[str, np.ndarray]:
        rows, given, hits = weights @ truth, weights @ answer, weights @ (truth * answer)
        total = weights.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            missed = 1 - hits / rows
            return {
                "accuracy": hits.sum(axis=1) / total,
                "balanced_error": _mean_of_defined(missed),
                "share_gap": np.abs(given - rows).sum(axis=1) / total / 2,
                "answer_share": given[:, -1] / total,
                "false_alarm_rate": missed[:, 0],
                "missed_share": missed[:, -1],
            }

    return measure


def _mean_of_defined(missed: np.ndarray) -> np.ndarray:
    """Return the mean over the classes that are there."""
    is_there = np.isfinite(missed)
    return np.asarray(np.where(is_there, missed, 0.0).sum(axis=1) / is_there.sum(axis=1))
