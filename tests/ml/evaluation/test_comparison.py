"""Gains between models: as a plain bootstrap has them, and with the properties of a comparison."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.stats import binomtest
from sklearn import metrics as reference

from include.core.tasks import TASKS
from include.ml.evaluation import resampling
from include.ml.evaluation.comparison import (
    Answers,
    BootstrapPlan,
    Gain,
    Holdout,
    gains,
    metric_statistic,
    slice_gains,
)
from include.ml.evaluation.resampling import Sample
from tests.examples import defined

PLAN = BootstrapPlan(repetitions=200)
GENERATOR = np.random.default_rng(0)
LABELS = (GENERATOR.random(300) < 0.3).astype(int)
IDS = np.array([f"e{place:03d}" for place in range(300)], dtype=object)


def answers(noise: float, seed: int, threshold: float = 0.4) -> Answers:
    """A model whose scores have two digits, so that many are equal."""
    drawn = np.random.default_rng(seed).normal(size=len(LABELS))
    scores = np.clip(np.round(1 / (1 + np.exp(-(1.5 * LABELS - 1 + noise * drawn))), 2), 0.01, 0.99)
    return Answers(np.column_stack([1 - scores, scores]), threshold)


GOOD, POOR = answers(1.0, seed=1), answers(2.0, seed=2, threshold=0.6)


def mcnemar(signs: np.ndarray) -> tuple[float, float]:
    """The exact interval of a difference of shares, by the rows that differ."""
    differ = int((signs != 0).sum())
    share = binomtest(int((signs > 0).sum()), differ).proportion_ci(method="exact")
    return (2 * share.low - 1) * differ / len(signs), (2 * share.high - 1) * differ / len(signs)


def measured(metric: str, labels: np.ndarray, found: Answers, weights: np.ndarray) -> float:
    """scikit-learn's metric of rows that are repeated as often as they were drawn; a loss is negated."""
    drawn = np.repeat(np.arange(len(labels)), weights.astype(int))
    truth, scores = labels[drawn], found.probabilities[drawn, 1]
    if metric == "roc_auc":
        return float(reference.roc_auc_score(truth, scores))
    if metric == "average_precision":
        return float(reference.average_precision_score(truth, scores))
    if metric == "accuracy":
        return float(reference.accuracy_score(truth, scores >= found.threshold))
    return -float(reference.log_loss(truth, scores))


@pytest.mark.parametrize("metric", TASKS["binary"].compared)
@pytest.mark.parametrize("clusters", [None, np.arange(300) // 20], ids=["rows", "clusters"])
def test_gains_are_those_of_a_plain_loop(metric: str, clusters: np.ndarray | None) -> None:
    """One draw after the other, rows really repeated, scikit-learn's metrics: the same interval."""
    is_ranked = metric in {"roc_auc", "average_precision"}
    (weights,) = Sample(LABELS, clusters, 100, seed=5, is_stratified=is_ranked).draws()
    loop = [measured(metric, LABELS, GOOD, each) - measured(metric, LABELS, POOR, each) for each in weights]
    once = np.ones(len(LABELS))
    value = measured(metric, LABELS, GOOD, once) - measured(metric, LABELS, POOR, once)
    units = Sample(LABELS, clusters).units
    low, high = resampling.bootstrap_interval(value, np.array(loop), 0.95, units)
    if metric == "accuracy" and clusters is None:
        right = [(found.probabilities[:, 1] >= found.threshold) == LABELS for found in (GOOD, POOR)]
        exact = mcnemar(right[0].astype(int) - right[1].astype(int))
        low, high = min(defined(low), exact[0]), max(defined(high), exact[1])
    plan = BootstrapPlan(repetitions=100, seed=5)
    found = gains(metric, Holdout(LABELS, IDS, clusters), GOOD, {"poor": POOR}, plan)["poor"]
    assert (found.value, found.low, found.high) == pytest.approx((value, low, high), abs=1e-9)


def test_an_independent_bootstrap_has_about_the_same_interval() -> None:
    """Rows drawn by another generator, class by class, give the same bounds but for chance."""
    generator = np.random.default_rng(99)
    classes = [np.flatnonzero(each == LABELS) for each in (0, 1)]
    loop = []
    for _ in range(300):
        drawn = np.concatenate([generator.choice(each, len(each)) for each in classes])
        weights = np.bincount(drawn, minlength=len(LABELS))
        loop.append(measured("roc_auc", LABELS, GOOD, weights) - measured("roc_auc", LABELS, POOR, weights))
    found = gains("roc_auc", Holdout(LABELS, IDS), GOOD, {"poor": POOR}, BootstrapPlan())["poor"]
    np.testing.assert_allclose(
        (defined(found.low), defined(found.high)), np.quantile(loop, [0.025, 0.975]), atol=0.012
    )


@pytest.mark.parametrize("metric", TASKS["binary"].compared)
@settings(max_examples=15)
@given(seed=some.integers(0, 2**32 - 1), is_clustered=some.booleans())
def test_order_and_direction_do_not_matter(metric: str, seed: int, *, is_clustered: bool) -> None:
    """Swapping the models flips the sign, permuting the rows changes nothing."""
    generator = np.random.default_rng(seed)
    one, other = answers(1.0, seed), answers(1.2, seed + 1)
    holdout = Holdout(LABELS, IDS, generator.integers(0, 12, len(LABELS)) if is_clustered else None)
    there = gains(metric, holdout, one, {"it": other}, PLAN)["it"]
    back = gains(metric, holdout, other, {"it": one}, PLAN)["it"]
    order = generator.permutation(len(LABELS))
    mixed = gains(metric, holdout.only(order), one.only(order), {"it": other.only(order)}, PLAN)["it"]
    mirrored = [-defined(number) for number in (there.value, there.high, there.low)]
    assert [back.value, back.low, back.high] == pytest.approx(mirrored)
    assert mixed == there


@pytest.mark.parametrize("metric", TASKS["binary"].compared)
def test_a_model_gains_nothing_over_itself(metric: str) -> None:
    """Neither the value nor the bounds are off zero by rounding."""
    assert gains(metric, Holdout(LABELS, IDS), GOOD, {"it": GOOD}, PLAN)["it"] == Gain(0.0, 0.0, 0.0)


@pytest.mark.parametrize("metric", TASKS["multiclass"].compared)
def test_several_classes_are_compared_alike(metric: str) -> None:
    """A model that knows the labels gains over one that guesses; ranking metrics are refused by name."""
    labels = GENERATOR.integers(0, 4, 200)
    sure, guess = Answers(np.eye(4)[labels] * 0.9 + 0.025), Answers(GENERATOR.dirichlet(np.ones(4), 200))
    found = gains(metric, Holdout(labels, np.arange(200)), sure, {"guess": guess}, PLAN)["guess"]
    assert 0 < defined(found.low) < defined(found.value) < defined(found.high)
    with pytest.raises(ValueError, match=r"4 classes .* 'roc_auc'"):
        metric_statistic("roc_auc", labels, sure)


def test_chunks_have_every_class_in_every_draw_and_bound_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each draw has the holdout's number of rows of each class; a chunk has no more cells than it may."""
    monkeypatch.setattr(resampling, "CELLS", 1000)
    chunks = list(Sample(LABELS, None, 10, seed=0, is_stratified=True).draws())
    weights = np.concatenate(chunks)
    assert [len(each) for each in chunks] == [3, 3, 3, 1]
    np.testing.assert_array_equal(weights.sum(axis=1), 300)
    np.testing.assert_array_equal(weights @ LABELS, LABELS.sum())


def test_one_cluster_tells_no_interval() -> None:
    """Where everything shares one cause, there is nothing to vary with: no bounds, so nothing is promoted."""
    found = gains("roc_auc", Holdout(LABELS, IDS, np.zeros(300)), GOOD, {"poor": POOR}, PLAN)["poor"]
    assert defined(found.value) > 0
    assert (found.low, found.high, found.reason) == (None, None, "one_block")


def test_slices_tell_where_a_model_is_worse() -> None:
    """A model spoilt for one carrier is under the floor there alone, and too small slices are left out."""
    carriers = np.array(["UA"] * 120 + ["B6"] * 150 + ["ZZ"] * 30, dtype=object)
    spoilt = GOOD.probabilities.copy()
    spoilt[:120, 1] = 1 - spoilt[:120, 1]
    found = slice_gains(
        "roc_auc",
        Holdout(LABELS, IDS),
        challenger=Answers(spoilt),
        champion=GOOD,
        groups={"carrier": carriers},
        floor={"carrier": -0.02}.__getitem__,
        plan=PLAN,
    )
    assert [(each.value, each.rows, each.is_under_floor) for each in found] == [
        ("UA", 120, True),
        ("B6", 150, False),
    ]
