"""Model quality on labels that have become known, in Model Monitor's schema."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from include.core.tasks import Metric
from include.ml.evaluation import comparison, metrics
from include.ml.evaluation.comparison import Answers
from include.ml.evaluation.intervals import Measure, estimate
from include.ml.evaluation.resampling import Sample

#: resamples behind a standard deviation
RESAMPLES = 200
SEED = 0
BOTH = 2
CURVE = "receiver_operating_characteristic_curve"

#: of these numbers no more is asked than a value and a standard deviation
PLAIN = Metric(name="", low=-math.inf, high=math.inf, needs=frozenset())


def model_quality(
    scored: pd.DataFrame, classes: Sequence[str], task: str, clusters: np.ndarray | None = None
) -> dict[str, Any]:
    """Return metrics with standard deviations by resampling; without rows or with one class, those defined.

    Parameters
    ----------
    scored
        Columns `truth` and `label` (texts of classes) and `score` (0 to 1).
    classes
        Texts of the classes; of two the last is the positive one.
    task
        "binary" or "multiclass".
    clusters
        What rows that share an unseen cause have in common, shape (n,); None when rows are independent.

    Examples
    --------
    >>> rows = pd.DataFrame({"truth": ["0", "1"], "label": ["0", "1"], "score": [0.1, 0.9]})
    >>> model_quality(rows, ["0", "1"], "binary")["binary_classification_metrics"]["auc"]["value"]
    1.0
    """
    values: dict[str, Any] = {}
    if len(scored):
        codes = {text: code for code, text in enumerate(classes)}
        truth = scored["truth"].map(codes).to_numpy(dtype=int)
        predicted = scored["label"].map(codes).to_numpy(dtype=int)
        is_ranked = task == "binary" and len(np.unique(truth)) == BOTH
        score = scored["score"].to_numpy(dtype=float) if is_ranked else None
        measure = _measure(truth, predicted, classes=len(classes), score=score, task=task)
        values |= _with_deviations(measure, Sample(truth, clusters, RESAMPLES, SEED))
        if score is not None:
            false, true = metrics.roc_curve(truth, score)
            values[CURVE] = {"false_positive_rates": false.tolist(), "true_positive_rates": true.tolist()}
        matrix = metrics.confusion(truth, predicted, len(classes)).tolist()
        values["confusion_matrix"] = {
            name: dict(zip(classes, row, strict=True)) for name, row in zip(classes, matrix, strict=True)
        }
    return {"version": 0.0, "dataset": {"item_count": len(scored)}, f"{task}_classification_metrics": values}


def _measure(
    truth: np.ndarray, predicted: np.ndarray, *, classes: int, score: np.ndarray | None, task: str
) -> Measure:
    """Return every metric as a function of each row's count; the area only if there is a ranking."""
    cells = np.eye(classes**2)[truth * classes + predicted]
    area = None
    if score is not None:
        area = comparison.metric_statistic("roc_auc", truth, Answers(np.column_stack([1 - score, score])))

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        matrices = (weights @ cells).reshape(len(weights), classes, classes)
        by_metric = _binary(matrices) if task == "binary" else _multiclass(matrices)
        return by_metric if area is None else {**by_metric, "auc": area(weights)}

    return measure


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return one count by another; 0 of nothing, as Model Monitor's metrics have it."""
    ratio: np.ndarray = np.divide(part, whole, out=np.zeros_like(part, dtype=float), where=whole > 0)
    return ratio


def _binary(matrices: np.ndarray) -> dict[str, np.ndarray]:
    (negative, false_positive), (false_negative, positive) = np.moveaxis(matrices, 0, -1)
    false_positive_rate = _ratio(false_positive, false_positive + negative)
    recall = _ratio(positive, positive + false_negative)
    return {
        "accuracy": _ratio(positive + negative, matrices.sum(axis=(1, 2))),
        "precision": _ratio(positive, positive + false_positive),
        "recall": recall,
        "f1": _ratio(2 * positive, 2 * positive + false_positive + false_negative),
        "true_positive_rate": recall,
        "false_positive_rate": false_positive_rate,
        "true_negative_rate": _ratio(negative, negative + false_positive),
        "false_negative_rate": _ratio(false_negative, positive + false_negative),
    }


def _multiclass(matrices: np.ndarray) -> dict[str, np.ndarray]:
    """Return accuracy, and the means of each class's metrics weighted by its rows."""
    hits = np.diagonal(matrices, axis1=1, axis2=2)
    rows, predicted = matrices.sum(axis=2), matrices.sum(axis=1)
    shares = rows / rows.sum(axis=1, keepdims=True)
    by_class = {
        "weighted_precision": _ratio(hits, predicted),
        "weighted_recall": _ratio(hits, rows),
        "weighted_f1": _ratio(2 * hits, rows + predicted),
    }
    means = {name: np.asarray((shares * values).sum(axis=1)) for name, values in by_class.items()}
    return {"accuracy": _ratio(hits.sum(axis=1), rows.sum(axis=1)), **means}


def _with_deviations(measure: Measure, sample: Sample) -> dict[str, dict[str, float | None]]:
    """Return values with deviations; a draw of clusters without one class has no area."""
    names = measure(np.ones((1, len(sample.classes))))
    return {
        name: {"value": estimated.value, "standard_deviation": estimated.standard_deviation}
        for name, estimated in estimate(measure, sample, dict.fromkeys(names, PLAIN)).items()
    }
