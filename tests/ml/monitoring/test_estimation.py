"""The estimate is near the truth while scores keep their meaning, and tells nothing when they lose it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from include.core.documents.codec import to_json
from include.core.documents.model import Bounds, Calibration
from include.core.documents.monitoring import QualityEstimate
from include.ml.monitoring.estimation import (
    IDENTITY,
    calibrated,
    calibration_error,
    calibration_map,
    estimate_quality,
)
from tests.examples import defined

THRESHOLD = 0.4


def world(
    rows: int, *, mean: float = 0.0, spread: float = 1.0, turn: float = 1.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores of records; the model is overconfident, and `turn` changes what records mean."""
    generator = np.random.default_rng(seed)
    record = generator.normal(mean, spread, rows)
    labels = generator.random(rows) < expit(turn * 1.2 * record - 0.5)
    return labels, expit(2.4 * record - 1.0)


def area_and_accuracy(labels: np.ndarray, scores: np.ndarray) -> list[float]:
    """What labels say of the answers."""
    return [float(roc_auc_score(labels, scores)), float((labels == (scores >= THRESHOLD)).mean())]


@lru_cache
def fitted(rows: int) -> Calibration:
    """The map of a holdout of the unshifted world."""
    return calibration_map(*world(rows, seed=1))


def estimated(scores: np.ndarray, metric: str = "roc_auc", holdout: int = 20_000) -> QualityEstimate:
    """The estimate by a map from a holdout of the unshifted world."""
    found = estimate_quality(fitted(holdout), scores, scores >= THRESHOLD, metric)
    assert found is not None
    return found


def width(found: QualityEstimate) -> float:
    """How much the interval leaves open."""
    return defined(found.high) - defined(found.low)


@pytest.mark.parametrize(
    ("mean", "spread"), [(0.0, 1.0), (1.2, 1.0), (-1.5, 1.0), (0.0, 0.4), (0.5, 2.0), (-1.0, 0.6)]
)
def test_under_covariate_shift_the_estimate_is_near_the_truth(mean: float, spread: float) -> None:
    """Other records, each meaning what it meant: accuracy moves by up to 0.25, the estimate with it."""
    labels, scores = world(20_000, mean=mean, spread=spread, seed=2)
    found = estimated(scores)
    assert [found.value, found.accuracy] == pytest.approx(area_and_accuracy(labels, scores), abs=0.015)
    assert found.positive_share == pytest.approx(labels.mean(), abs=0.015)


def test_uncalibrated_scores_would_promise_too_much() -> None:
    """The map is what makes the estimate: an overconfident model's own scores are far off."""
    labels, scores = world(20_000, seed=2)
    own = replace(fitted(20_000), **dict(zip("abc", IDENTITY.tolist(), strict=True)))
    found = estimate_quality(own, scores, scores >= THRESHOLD, "roc_auc")
    truth, _ = area_and_accuracy(labels, scores)
    assert found is not None
    assert defined(found.value) - truth > 0.1


def test_the_estimate_tells_nothing_of_concept_drift() -> None:
    """The documented limit: records that came to mean the opposite leave scores, and the estimate, alone."""
    before, scores = world(20_000, seed=2)
    after, same = world(20_000, turn=-1.0, seed=2)
    np.testing.assert_array_equal(scores, same)
    found = estimated(same)
    assert found.value == pytest.approx(area_and_accuracy(before, scores)[0], abs=0.015)
    assert defined(found.value) - area_and_accuracy(after, same)[0] > 0.4


def test_the_area_is_that_of_all_pairs() -> None:
    """By hand: pairs in order, weighted by the chance that the one is positive and the other is not."""
    scores = np.array([0.2, 0.5, 0.5, 0.9])
    calibration = calibration_map(np.array([0, 0, 1, 1]), scores)
    chance = calibrated([calibration.a, calibration.b, calibration.c], scores)
    won = total = 0.0
    for i in range(4):
        for j in set(range(4)) - {i}:
            weight = chance[i] * (1 - chance[j])
            total += weight
            won += weight * (1.0 if scores[i] > scores[j] else 0.5 if scores[i] == scores[j] else 0.0)
    found = estimate_quality(calibration, scores, scores >= 0.5, "roc_auc")
    assert found is not None
    assert found.value == pytest.approx(won / total)


def test_several_classes_have_an_accuracy_alone() -> None:
    """The score of the label that was said is, calibrated, its chance of being right."""
    generator = np.random.default_rng(3)
    scores = generator.uniform(0.4, 1.0, 20_000)
    is_right = generator.random(20_000) < scores**2
    calibration = calibration_map(is_right[:10_000], scores[:10_000])
    later = scores[10_000:] > 0.7
    found = estimate_quality(calibration, scores[10_000:][later], None, "accuracy")
    assert found is not None
    assert found.value == found.accuracy
    assert found.value == pytest.approx(is_right[10_000:][later].mean(), abs=0.02)
    assert found.positive_share is None


def test_a_short_holdout_leaves_much_open() -> None:
    """The interval narrows as the holdout grows, and is there in JSON."""
    _, scores = world(2000, seed=2)
    short, long = estimated(scores, holdout=300), estimated(scores, holdout=10_000)
    assert defined(short.low) <= defined(short.value) <= defined(short.high)
    assert width(short) > 2 * width(long)
    json.dumps(to_json(short), allow_nan=False)


def test_days_that_err_together_leave_more_open() -> None:
    """Rows of one cluster are not independent."""
    generator = np.random.default_rng(4)
    days = np.repeat(np.arange(10), 200)
    _, scores = world(2000, seed=5)
    labels = generator.random(2000) < expit(2 * generator.normal(size=10)[days] + 1.2 * np.log(scores))
    widths = []
    for clusters in (None, days):
        found = estimate_quality(calibration_map(labels, scores, clusters), scores, scores > 0.5, "accuracy")
        assert found is not None
        widths.append(width(found))
    assert widths[1] > 2 * widths[0]


def test_the_calibration_error_is_small_for_what_the_map_can_mend() -> None:
    """An overconfident model is mended; a score whose meaning is not monotone cannot be."""
    labels, scores = world(20_000)
    mended = calibration_error(labels, scores)
    u_shaped = np.random.default_rng(6).random(20_000) < np.abs(2 * scores - 1)
    broken = calibration_error(u_shaped, scores)
    assert defined(mended.value) < 0.02
    assert defined(broken.low) > 0.1


@pytest.mark.parametrize("label", [0, 1])
def test_a_holdout_of_one_class_leaves_numbers_finite(label: int) -> None:
    """Few rows draw the map a little, never to the end of the world."""
    scores = np.linspace(0.05, 0.95, 40)
    calibration = calibration_map(np.full(40, label), scores)
    assert np.isfinite([calibration.a, calibration.b, calibration.c]).all()
    json.dumps(to_json(calibration), allow_nan=False)


def test_certain_scores_are_no_infinity() -> None:
    """Zero and one are probabilities that models give."""
    calibration = calibration_map(np.array([0, 1, 0, 1]), np.array([0.0, 1.0, 0.2, 0.7]))
    found = estimate_quality(calibration, np.array([0.0, 1.0]), np.array([False, True]), "accuracy")
    assert found is not None
    assert 0 < defined(found.accuracy) < 1


def test_without_rows_there_is_no_estimate() -> None:
    """Neither a map of nothing nor an estimate of nothing stops a job."""
    nothing = np.empty(0)
    calibration = calibration_map(nothing, nothing)
    assert calibration.calibration_error == Bounds(None, None, None, reason="empty")
    assert [calibration.a, calibration.b, calibration.c] == IDENTITY.tolist()
    assert estimate_quality(calibration, nothing, nothing.astype(bool), "roc_auc") is None
