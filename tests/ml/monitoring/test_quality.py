"""Model quality in Model Monitor's schema has scikit-learn's numbers."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from include.ml.monitoring.quality import model_quality


def answers(rows: int, classes: int, seed: int = 0) -> pd.DataFrame:
    """Answers of which two thirds are right."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, classes, rows)
    said = np.where(generator.random(rows) < 0.66, truth, generator.integers(0, classes, rows))
    score = np.round(np.clip(said * 0.3 + generator.uniform(0, 0.7, rows), 0, 1), 2)
    return pd.DataFrame({"truth": truth.astype(str), "label": said.astype(str), "score": score})


def test_binary_metrics_are_scikit_learns() -> None:
    """Every number, each with its standard deviation."""
    rows = answers(400, 2)
    truth, said = rows["truth"].astype(int), rows["label"].astype(int)
    found = model_quality(rows, ["0", "1"], "binary")["binary_classification_metrics"]
    expected = {
        "accuracy": reference.accuracy_score(truth, said),
        "precision": reference.precision_score(truth, said),
        "recall": reference.recall_score(truth, said),
        "f1": reference.f1_score(truth, said),
        "auc": reference.roc_auc_score(truth, rows["score"]),
        "true_positive_rate": reference.recall_score(truth, said),
        "true_negative_rate": reference.recall_score(truth, said, pos_label=0),
        "false_positive_rate": 1 - reference.recall_score(truth, said, pos_label=0),
        "false_negative_rate": 1 - reference.recall_score(truth, said),
    }
    assert {name: found[name]["value"] for name in expected} == pytest.approx(expected)
    assert all(0.005 < found[name]["standard_deviation"] < 0.06 for name in expected)
    matrix = reference.confusion_matrix(truth, said)
    assert found["confusion_matrix"]["1"] == {"0": matrix[1, 0], "1": matrix[1, 1]}
    curve = found["receiver_operating_characteristic_curve"]
    area = reference.auc(curve["false_positive_rates"], curve["true_positive_rates"])
    assert area == pytest.approx(expected["auc"], abs=0.01)


def test_multiclass_metrics_are_scikit_learns() -> None:
    """Means over classes are weighted by their rows."""
    rows = answers(300, 4)
    found = model_quality(rows, list("0123"), "multiclass")["multiclass_classification_metrics"]
    pair, mean = (rows["truth"], rows["label"]), {"average": "weighted"}
    expected = {
        "accuracy": reference.accuracy_score(*pair),
        "weighted_precision": reference.precision_score(*pair, **mean),
        "weighted_recall": reference.recall_score(*pair, **mean),
        "weighted_f1": reference.f1_score(*pair, **mean),
    }
    assert {name: found[name]["value"] for name in expected} == pytest.approx(expected)


def test_days_that_err_together_deviate_more() -> None:
    """Whole clusters are drawn."""
    rows = answers(1000, 2)
    days = np.repeat(np.arange(10), 100)
    rows["label"] = np.where(days % 2 == 0, rows["truth"], rows["label"])
    alone, together = (
        model_quality(rows, ["0", "1"], "binary", clusters)["binary_classification_metrics"]["accuracy"]
        for clusters in (None, days)
    )
    assert together["value"] == alone["value"]
    assert together["standard_deviation"] > 1.5 * alone["standard_deviation"]


def test_what_does_not_exist_is_left_out() -> None:
    """Without rows there is no metric, with one class no ranking; of no yes the precision is 0."""
    rows = pd.DataFrame({"truth": ["0"] * 5, "label": ["0"] * 5, "score": [0.1] * 5})
    one = model_quality(rows, ["0", "1"], "binary")["binary_classification_metrics"]
    none = model_quality(rows.iloc[:0], ["0", "1"], "binary")
    assert "auc" not in one
    assert one["precision"] == {"value": 0.0, "standard_deviation": 0.0}
    assert none == {"version": 0.0, "dataset": {"item_count": 0}, "binary_classification_metrics": {}}
    json.dumps(one, allow_nan=False)
