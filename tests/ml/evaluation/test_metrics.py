"""Metrics equal scikit-learn's, and their intervals behave."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sklearn import metrics as reference

from include.core.documents.model import ModelSignature
from include.ml.evaluation.metrics import (
    best_threshold,
    bootstrap,
    calibration,
    confusion,
    is_positive,
    metrics,
    permutation_importance,
    roc_curve,
    slice_metrics,
)
from include.steps.serving.inference import Model
from include.steps.serving.payload import CSV, format_answer
from tests.examples import defined, width

GENERATOR = np.random.default_rng(0)
LABELS = GENERATOR.integers(0, 2, 400)
#: two digits make many equal scores
SCORES = np.round(np.clip(LABELS * 0.2 + GENERATOR.uniform(0, 0.8, 400), 0.01, 0.99), 2)
BINARY = np.column_stack([1 - SCORES, SCORES])


def test_binary_metrics_are_scikit_learns() -> None:
    """Every metric, with ties among the scores."""
    said = SCORES >= 0.4
    expected = {
        "roc_auc": reference.roc_auc_score(LABELS, SCORES),
        "average_precision": reference.average_precision_score(LABELS, SCORES),
        "log_loss": reference.log_loss(LABELS, SCORES),
        "brier_loss": reference.brier_score_loss(LABELS, SCORES),
        "accuracy": reference.accuracy_score(LABELS, said),
        "precision": reference.precision_score(LABELS, said),
        "recall": reference.recall_score(LABELS, said),
        "f1_score": reference.f1_score(LABELS, said),
    }
    assert metrics(LABELS, BINARY, 0.4) == pytest.approx(expected)


def test_multiclass_metrics_are_scikit_learns() -> None:
    """Accuracy, log loss and mean F1 over classes."""
    labels = GENERATOR.integers(0, 4, 200)
    probabilities = GENERATOR.dirichlet(np.ones(4), 200)
    said = probabilities.argmax(axis=1)
    found = metrics(labels, probabilities)
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(labels, said))
    assert found["log_loss"] == pytest.approx(reference.log_loss(labels, probabilities))
    assert found["f1_score"] == pytest.approx(reference.f1_score(labels, said, average="macro"))
    np.testing.assert_array_equal(confusion(labels, said, 4), reference.confusion_matrix(labels, said))


def test_the_interval_holds_the_value_and_repeats() -> None:
    """The same seed draws the same rows; more rows make the interval narrower."""
    once, twice = bootstrap(LABELS, BINARY, seed=3), bootstrap(LABELS, BINARY, seed=3)
    few = bootstrap(LABELS[:100], BINARY[:100], seed=3)["roc_auc"]
    area = once["roc_auc"]
    assert once == twice
    assert defined(area.low) < defined(area.value) < defined(area.high)
    assert width(area) < width(few)


def test_metrics_of_one_class_are_undefined_not_wrong() -> None:
    """Without both classes there is no ROC curve; accuracy there still is."""
    found = metrics(np.zeros(3, dtype=int), BINARY[:3], 1.0)
    assert np.isnan(found["roc_auc"])
    assert found["accuracy"] == 1.0
    assert best_threshold(np.zeros(3, dtype=int), SCORES[:3]) == 0.5


def test_the_threshold_is_the_best_of_all() -> None:
    """No other threshold has a better F1 score."""
    best = metrics(LABELS, BINARY, best_threshold(LABELS, SCORES))["f1_score"]
    assert best == max(metrics(LABELS, BINARY, each)["f1_score"] for each in np.unique(SCORES))


#: scores with many ties, numbers of few digits and neighbours in single precision
THIRDS = some.sampled_from([0.0, 1 / 3, 0.5, 2 / 3, 1.0])
NEIGHBOURS = some.integers(-3, 3).map(
    lambda ulps: float(np.float32(0.3) + ulps * np.spacing(np.float32(0.3)))
)
ANY_SCORE = THIRDS | NEIGHBOURS | some.floats(0, 1) | some.floats(0, 1, width=32)


@settings(max_examples=300)
@given(rows=some.lists(some.tuples(some.booleans(), ANY_SCORE), min_size=2, max_size=40))
def test_a_threshold_keeps_its_answers_in_training_serving_and_evaluation(
    rows: list[tuple[bool, float]],
) -> None:
    """Written, read, compared in double or single precision, or sent as text: the same rows are positive."""
    labels, scores = (np.array(values) for values in zip(*rows, strict=True))
    labels = labels.astype(int)
    signature = ModelSignature(
        version=1,
        cycle="c",
        task="binary",
        id_column="event_id",
        columns=(),
        classes=("0", "1"),
        threshold=best_threshold(labels, scores),
        features=(),
    )
    stored = ModelSignature.from_text(json.dumps(signature.as_json()))
    single = scores.astype(np.float32)
    said = is_positive(scores, stored.threshold)
    model = Model(stored, dict, lambda numbers, _: numbers)
    served, answered = model.label(np.column_stack([1 - single, single]))
    lines = format_answer(served, answered, CSV).decode().splitlines()
    read = np.array([float(line.split(",")[1]) for line in lines])
    assert served == [str(int(each)) for each in said]
    for other in (is_positive(single, stored.threshold), is_positive(read, stored.threshold)):
        np.testing.assert_array_equal(other, said)
    if len(set(labels)) == 2:
        best = max(reference.f1_score(labels, single >= each) for each in np.unique(single))
        assert reference.f1_score(labels, said) == pytest.approx(best)


@pytest.mark.parametrize("score", [1 / 3, 2 / 3, float(np.float32(1 / 3)), 1e-9, 5e-324, 1.0])
def test_an_answer_reads_back_to_its_score(score: float) -> None:
    """Many rows share a score and the baseline has a bucket for it: no digit may be lost."""
    assert float(format_answer(["1"], [score], CSV).decode().split(",")[1]) == score


def test_the_threshold_of_thirds_finds_every_positive() -> None:
    """A nearest-neighbours model's scores have no end in decimals; all of its positives stay positive."""
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 0])
    scores = np.array([0, 0, 1 / 3, 2 / 3, 2 / 3, 2 / 3, 2 / 3, 1 / 3])
    assert best_threshold(labels, scores) == pytest.approx(0.5)


def test_slices_leave_out_what_is_too_small() -> None:
    """A value with few rows says nothing."""
    groups = {"carrier": np.array(["UA"] * 380 + ["ZZ"] * 20)}
    found = slice_metrics(LABELS, BINARY, groups, "roc_auc")
    assert [(each["value"], each["rows"]) for each in found] == [("UA", 380)]


def test_calibration_counts_every_row_once() -> None:
    """Bins have all rows between them, ordered by score."""
    found = calibration(LABELS == 1, SCORES)
    assert sum(each.rows for each in found) == 400
    assert [each.score for each in found] == sorted(each.score for each in found)


def test_importance_is_of_the_answers_that_clients_get() -> None:
    """Accuracy is by the model's own threshold: from 0 on, nothing that a column says matters."""
    column = {"score": SCORES}

    def predict(columns: dict[str, np.ndarray]) -> np.ndarray:
        return np.column_stack([1 - columns["score"], columns["score"]])

    at = {
        threshold: permutation_importance(predict, column, LABELS, "accuracy", threshold=threshold)["score"]
        for threshold in (0.0, 0.4)
    }
    assert at[0.0] == 0
    assert defined(at[0.4]) > 0
    alone = permutation_importance(predict, column, np.zeros(400, dtype=int), "roc_auc")
    assert alone == {"score": None}


def test_the_roc_curve_has_the_area() -> None:
    """The curve's area is the metric, up to the points left out."""
    false, true = roc_curve(LABELS, SCORES)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(true, false) == pytest.approx(metrics(LABELS, BINARY)["roc_auc"])


def test_calibration_keeps_equal_scores_together() -> None:
    """A constant model has one bin, whatever the order of its rows."""
    found = calibration(LABELS == 1, np.full(400, 0.3))
    (only,) = found
    assert [only.rows, only.score, only.share] == pytest.approx([400, 0.3, LABELS.mean()])


def test_intervals_of_clusters_stay_where_the_metric_can_be() -> None:
    """Few blocks make wide intervals, which end at 0 and 1 all the same; undefined bounds stay undefined."""
    found = bootstrap(LABELS, BINARY, threshold=0.95, clusters=np.arange(400) // 100)
    bounds = [(defined(each.low), defined(each.high)) for name, each in found.items() if name != "log_loss"]
    assert all(0 <= low <= high <= 1 for low, high in bounds)
    alone = bootstrap(LABELS, BINARY, clusters=np.zeros(400))["roc_auc"]
    assert (alone.low, alone.high, alone.reason) == (None, None, "one_block")
