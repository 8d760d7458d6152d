"""Model quality on labels that have become known, in Model Monitor's schema."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import metrics

#: resamples behind a standard deviation
RESAMPLES = 100
SEED = 0

Metric = Callable[[NDArray[Any], NDArray[Any], NDArray[np.float64]], float]

BINARY: dict[str, Metric] = {
    "accuracy": lambda y, label, _: float(metrics.accuracy_score(y, label)),
    "precision": lambda y, label, _: float(metrics.precision_score(y, label, zero_division=0)),
    "recall": lambda y, label, _: float(metrics.recall_score(y, label, zero_division=0)),
    "f1": lambda y, label, _: float(metrics.f1_score(y, label, zero_division=0)),
    "auc": lambda y, _, score: float(metrics.roc_auc_score(y, score)),
}
MULTICLASS: dict[str, Metric] = {
    "accuracy": lambda y, label, _: float(metrics.accuracy_score(y, label)),
    "weighted_f1": lambda y, label, _: float(metrics.f1_score(y, label, average="weighted", zero_division=0)),
}


def model_quality(scored: pd.DataFrame, classes: Sequence[str], task: str) -> dict[str, Any]:
    """Metrics with standard deviations by resampling; without rows, or with one class, those that exist.

    Parameters
    ----------
    scored
        Columns `truth` and `label` (texts of classes) and `score` (0 to 1).
    classes
        Texts of the classes; of two the last is the positive one.
    task
        "binary" or "multiclass".

    Examples
    --------
    >>> rows = pd.DataFrame({"truth": ["0", "1"], "label": ["0", "1"], "score": [0.1, 0.9]})
    >>> model_quality(rows, ["0", "1"], "binary")["binary_classification_metrics"]["auc"]["value"]
    1.0
    """
    places = {text: place for place, text in enumerate(classes)}
    truth = scored["truth"].map(places).to_numpy(dtype=int)
    label = scored["label"].map(places).to_numpy(dtype=int)
    score = scored["score"].to_numpy(dtype=float)
    chosen = BINARY if task == "binary" else MULTICLASS
    values: dict[str, Any] = {
        name: found
        for name, metric in chosen.items()
        if (found := _with_deviation(metric, truth, label, score, needs_both=name == "auc")) is not None
    }
    if len(scored):
        matrix = metrics.confusion_matrix(truth, label, labels=range(len(classes)))
        values["confusion_matrix"] = {
            row: dict(zip(classes, counts.tolist(), strict=True))
            for row, counts in zip(classes, matrix, strict=True)
        }
    return {"version": 0.0, "dataset": {"item_count": len(scored)}, f"{task}_classification_metrics": values}


def _with_deviation(
    metric: Metric, truth: NDArray[Any], label: NDArray[Any], score: NDArray[np.float64], *, needs_both: bool
) -> dict[str, float] | None:
    if not len(truth) or (needs_both and len(set(truth.tolist())) == 1):
        return None
    random = np.random.default_rng(SEED)
    samples = []
    for _ in range(RESAMPLES):
        rows = random.integers(0, len(truth), len(truth))
        if not needs_both or len(set(truth[rows].tolist())) > 1:
            samples.append(metric(truth[rows], label[rows], score[rows]))
    return {"value": metric(truth, label, score), "standard_deviation": float(np.std(samples))}
