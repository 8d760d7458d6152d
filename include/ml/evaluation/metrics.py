"""How good predictions are: metrics, their intervals, slices and calibration."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from include.core.documents.model import CalibrationBin, MeasuredMetric
from include.core.tasks import METRICS, task_of_classes
from include.ml.evaluation import intervals
from include.ml.evaluation.intervals import Area, Rate
from include.ml.evaluation.resampling import Sample, finite

#: probabilities are kept this far from 0 and 1 before their logarithm is taken
SMALLEST = 1e-7


def metrics(labels: np.ndarray, probabilities: np.ndarray, threshold: float = 0.5) -> dict[str, float]:
    """Return every metric of the task, computed once on all rows.

    Parameters
    ----------
    labels
        Places of the true classes, shape (n,).
    probabilities
        Shape (n, classes); two columns mean a binary task, the second being the positive class.
    threshold
        From which probability on a binary prediction is positive.

    Returns
    -------
    dict
        Binary: roc_auc, average_precision, log_loss, brier_loss, accuracy, precision, recall, f1_score.
        Multiclass: accuracy, log_loss, brier_loss, f1_score (mean over classes).

    >>> found = metrics(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]))
    >>> found["roc_auc"], found["accuracy"]
    (1.0, 1.0)
    """
    if not len(labels):
        return {metric.name: math.nan for metric in task_of_classes(probabilities.shape[1]).metrics}
    once = np.ones((1, len(labels)))
    return {
        name: float(values[0]) for name, values in weighted(labels, probabilities, once, threshold).items()
    }


def bootstrap(
    labels: np.ndarray,
    probabilities: np.ndarray,
    *,
    threshold: float = 0.5,
    clusters: np.ndarray | None = None,
    resamples: int = 500,
    seed: int = 0,
) -> dict[str, MeasuredMetric]:
    """Return every metric with its 95 % interval; `clusters` are the blocks of `resampling.Sample`.

    The same seed draws the same rows, whichever model is measured.
    """
    return intervals.estimate(
        lambda weights: weighted(labels, probabilities, weights, threshold),
        Sample(labels, clusters, resamples, seed),
        {metric.name: metric for metric in task_of_classes(probabilities.shape[1]).metrics},
        _kinds(labels, probabilities, threshold),
    )


def _kinds(labels: np.ndarray, probabilities: np.ndarray, threshold: float) -> dict[str, Rate | Area]:
    """Return of what rows the metrics are shares, and of what scores the area is."""
    every = np.ones(len(labels))
    if probabilities.shape[1] > 2:  # noqa: PLR2004 - two classes
        return {"accuracy": Rate(probabilities.argmax(axis=1) == labels, every)}
    predicted, positive = is_positive(probabilities[:, 1], threshold), labels == 1
    return {
        "roc_auc": Area(probabilities[:, 1]),
        "accuracy": Rate(predicted == positive, every),
        "precision": Rate(positive, predicted),
        "recall": Rate(predicted, positive),
    }


def weighted(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray, threshold: float
) -> dict[str, np.ndarray]:
    """Return every metric for each row of weights, shape (draws, n); NaN where a draw leaves it undefined."""
    classes = probabilities.shape[1]
    total = weights.sum(axis=1)
    truth = np.eye(classes)[labels]
    losses = -np.log(np.clip(probabilities[np.arange(len(labels)), labels], SMALLEST, 1.0))
    # the convention of scikit-learn: one column of a binary task, all columns of others
    squares = (probabilities - truth) ** 2
    brier = squares[:, 1] if classes == 2 else squares.sum(axis=1)  # noqa: PLR2004 - two classes
    values = {"log_loss": weights @ losses / total, "brier_loss": weights @ brier / total}
    if classes > 2:  # noqa: PLR2004 - two classes
        predicted = probabilities.argmax(axis=1)
        accuracy = weights @ (predicted == labels) / total
        return {"accuracy": accuracy, **values, "f1_score": _mean_f1(labels, predicted, weights, classes)}
    scores = probabilities[:, 1]
    area, precision = ranking(labels, scores, weights)
    return {
        "roc_auc": area,
        "average_precision": precision,
        **values,
        **_at(threshold, labels, scores, weights),
    }


def ranking(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Area under the ROC curve and average precision for each row of weights; equal scores are one step."""
    order = np.argsort(-scores, kind="stable")
    ordered = weights[:, order]
    positive = ordered * labels[order]
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    true = np.cumsum(positive, axis=1)[:, ends]
    false = np.cumsum(ordered, axis=1)[:, ends] - true
    gained = np.diff(true, axis=1, prepend=0.0)
    missed = np.diff(false, axis=1, prepend=0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        area = (missed * (true - gained / 2)).sum(axis=1) / (true[:, -1] * false[:, -1])
        precisions = np.nan_to_num(true / (true + false))
        mean = (gained * precisions).sum(axis=1) / true[:, -1]
        return area, np.where(false[:, -1] > 0, mean, np.nan)


def _at(
    threshold: float, labels: np.ndarray, scores: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    predicted = is_positive(scores, threshold)
    hits = weights @ (predicted & (labels == 1))
    said_total, positives = weights @ predicted, weights @ (labels == 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "accuracy": weights @ (predicted == (labels == 1)) / weights.sum(axis=1),
            "precision": hits / said_total,
            "recall": hits / positives,
            "f1_score": np.where(positives > 0, 2 * hits / (said_total + positives), np.nan),
        }


def _mean_f1(labels: np.ndarray, predicted: np.ndarray, weights: np.ndarray, classes: int) -> np.ndarray:
    """Return the mean of the F1 scores of the classes that are there or are predicted."""
    scores = []
    with np.errstate(invalid="ignore", divide="ignore"):
        for label in range(classes):
            hits = weights @ ((predicted == label) & (labels == label))
            sizes = weights @ (predicted == label) + weights @ (labels == label)
            scores.append(2 * hits / sizes)
    stacked = np.stack(scores)
    there = np.isfinite(stacked)
    mean: np.ndarray = np.where(there, stacked, 0.0).sum(axis=0) / there.sum(axis=0)
    return mean


def is_positive(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Return whether each answer is the positive class, shape (n,).

    Compared in double precision: NumPy compares an array of single precision with a float in single
    precision, which moves a threshold onto a score below it.
    """
    return np.asarray(np.asarray(scores, dtype=np.float64) >= threshold)


def best_threshold(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the probability from which a positive answer gives the best F1 score; 0.5 for one class.

    It lies halfway between the lowest score that is to be positive and the next lower one, in double and in
    single precision, so that a score that was rounded to single precision is answered alike. Scores that are
    equal in single precision are one step: no served model can tell them apart.

    >>> best_threshold(np.array([0, 0, 1]), np.array([0.125, 0.25, 0.5]))
    0.375
    """
    if len(np.unique(labels)) < 2:  # noqa: PLR2004 - both classes
        return 0.5
    return float(threshold_measure(labels, scores)(np.ones((1, len(labels))))[0])


def threshold_measure(labels: np.ndarray, scores: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the best threshold as a function of how often each row counts, shape (draws,)."""
    order = np.argsort(-scores, kind="stable")
    ordered = np.asarray(scores, dtype=np.float64)[order]
    single, positive = ordered.astype(np.float32), labels[order] == 1
    ends = np.flatnonzero(np.append(np.diff(single) != 0, True)) if len(order) else np.empty(0, dtype=int)
    high = np.minimum(ordered[ends], single[ends])
    starts = ends[:-1] + 1
    low = np.append(np.maximum(ordered[starts], single[starts]), np.minimum(0.0, high[-1:]))
    middle = low + (high - low) / 2
    between = np.where(middle.astype(np.float32) > low.astype(np.float32), middle, high)

    def measure(weights: np.ndarray) -> np.ndarray:
        drawn = np.take(weights, order, axis=1)
        hits = np.cumsum(drawn * positive, axis=1)
        every = np.cumsum(drawn, axis=1)[:, ends] + hits[:, -1:]
        f1 = np.divide(2 * hits[:, ends], every, out=np.zeros_like(every), where=every > 0)
        return np.asarray(between[f1.argmax(axis=1)])

    return measure


def slice_metrics(
    labels: np.ndarray,
    probabilities: np.ndarray,
    groups: Mapping[str, np.ndarray],
    metric: str,
    *,
    threshold: float = 0.5,
    least_rows: int = 50,
) -> list[dict[str, object]]:
    """Return the metric for each value of each column, where there are at least `least_rows` rows of it.

    It is None, with the reason, where the rows lack what it needs.
    """
    slices: list[dict[str, object]] = []
    for column, values in groups.items():
        for value in np.unique(values):
            chosen = values == value
            if chosen.sum() < least_rows:
                continue
            score = finite(metrics(labels[chosen], probabilities[chosen], threshold)[metric])
            row = {"column": column, "value": str(value), "rows": int(chosen.sum()), metric: score}
            missing = Sample(labels[chosen]).missing(METRICS[metric].needs)
            slices.append(row if score is not None or not missing else row | {"reason": missing[0]})
    return slices


def calibration(is_true: np.ndarray, scores: np.ndarray, bins: int = 10) -> tuple[CalibrationBin, ...]:
    """Return mean score and observed share of bins of about equally many rows, by ascending score.

    Rows of one score share a bin: which of them would come first is chance.

    >>> [each.rows for each in calibration(np.array([0, 1, 1, 0]), np.array([0.2, 0.2, 0.2, 0.9]), 2)]
    [3, 1]
    """
    order = np.argsort(scores, kind="stable")
    ends = np.linspace(0, len(order), bins + 1).round().astype(int)[1:]
    ends = np.unique(np.searchsorted(scores[order], scores[order][ends[ends > 0] - 1], side="right"))
    parts = [part for part in np.split(order, ends) if len(part)]
    return tuple(
        CalibrationBin(rows=len(part), score=float(scores[part].mean()), share=float(is_true[part].mean()))
        for part in parts
    )


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Return counts by true class (row) and predicted class (column)."""
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def roc_curve(labels: np.ndarray, scores: np.ndarray, points: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rates from (0, 0) to (1, 1), at most about `points` of them.

    Rates of a class that is not there are 0.
    """
    if not len(scores):
        return np.zeros(1), np.zeros(1)
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    ends = ends[np.unique(np.linspace(0, len(ends) - 1, points).astype(int))]
    true = np.append(0, np.cumsum(labels[order])[ends])
    false = np.append(0, ends + 1) - true
    return false / max(false[-1], 1), true / max(true[-1], 1)


def permutation_importance(
    predict: Callable[[dict[str, np.ndarray]], np.ndarray],
    columns: Mapping[str, np.ndarray],
    labels: np.ndarray,
    metric: str,
    *,
    threshold: float = 0.5,
    rows: int = 2000,
    seed: int = 0,
) -> dict[str, float | None]:
    """Return by how much worse the metric gets when a column is shuffled (Breiman 2001, section 10).

    Computed on a sample of up to `rows` rows. Columns that tell the same share their importance. None where
    the metric is undefined.

    Parameters
    ----------
    predict
        Probabilities of shape (n, classes) from columns of n rows.
    columns
        One array for each column that clients send.
    labels
        Places of the true classes, shape (n,).
    """
    missing = Sample(labels).missing(METRICS[metric].needs)
    if missing and missing[0] in {"empty", "one_class"}:
        return dict.fromkeys(columns)
    generator = np.random.default_rng(seed)
    chosen = np.sort(generator.choice(len(labels), min(rows, len(labels)), replace=False))
    sample = {name: values[chosen] for name, values in columns.items()}

    def measure(values: dict[str, np.ndarray]) -> float:
        return metrics(labels[chosen], predict(values), threshold)[metric]

    whole = measure(sample)
    losses = {}
    for name, values in sample.items():
        shuffled = measure({**sample, name: generator.permutation(values)})
        losses[name] = METRICS[metric].gain(whole, shuffled)
    ordered = sorted(losses.items(), key=lambda item: -item[1])
    return {name: finite(loss) for name, loss in ordered}
