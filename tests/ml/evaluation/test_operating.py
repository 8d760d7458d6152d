"""The threshold comes from scores out of fold, and no model is promoted whose answers are worse."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from include.core.tasks import FLOORS
from include.ml.evaluation.comparison import Answers, BootstrapPlan, Gain, Holdout, answered_classes, gains
from include.ml.evaluation.metrics import best_threshold
from include.ml.evaluation.operating import (
    fit_threshold,
    operating_gains,
    operating_metrics,
    out_of_fold,
    time_folds,
)
from include.ml.evaluation.promotion import decide_promotion
from include.ml.evaluation.resampling import Sample
from tests.examples import defined, width

PLAN = BootstrapPlan(repetitions=200)
SURE = Gain(0.03, 0.01, 0.05)


def scores_of(generator: np.random.Generator, labels: np.ndarray, area: float, threshold: float) -> Answers:
    """A model of a known area, with a threshold of its own."""
    noise = generator.normal(size=len(labels))
    scores = stats.norm.cdf(np.sqrt(2) * stats.norm.ppf(area) * labels + noise - 1)
    return Answers(np.column_stack([1 - scores, scores]), threshold)


def test_folds_are_stretches_of_time_that_part_no_block() -> None:
    """In order of time, about equally long, whatever the order of the rows."""
    blocks = np.random.default_rng(0).permutation(np.repeat(np.arange(30), 20))
    folds = time_folds(blocks)
    assert [len(set(folds[blocks == block])) for block in range(30)] == [1] * 30
    assert [int(blocks[folds == fold].max()) for fold in range(3)] == [9, 19, 29]


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_few_rows_have_folds(rows: int) -> None:
    """None is lost."""
    assert len(time_folds(np.arange(rows))) == rows


def test_no_row_is_scored_by_a_model_that_has_seen_it() -> None:
    """Nor where the other folds have one class alone: those rows tell nothing."""
    labels, folds = np.array([0, 1, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 2, 2])
    asked = []

    def predict(known: np.ndarray, held: np.ndarray) -> np.ndarray:
        asked.append((set(folds[known]), set(folds[held])))
        return np.full(held.sum(), 0.5)

    assert np.isfinite(out_of_fold(predict, labels, folds)).all()
    assert asked == [({1, 2}, {0}), ({0, 2}, {1}), ({0, 1}, {2})]
    alone = out_of_fold(predict, np.array([1, 0, 0, 0, 0, 0]), folds)
    assert np.isnan(alone).tolist() == [True, True, False, False, False, False]


def test_a_threshold_is_told_with_what_it_is_sure_of() -> None:
    """The interval holds it, and is narrower with more rows; without a class there is none."""
    generator = np.random.default_rng(1)
    few, many = ((generator.random(rows) < 0.3).astype(int) for rows in (300, 6000))
    found = [
        fit_threshold(y, scores_of(generator, y, 0.8, 0.5).probabilities[:, 1], None) for y in (few, many)
    ]
    assert all(defined(each.low) <= defined(each.value) <= defined(each.high) for each in found)
    assert width(found[1]) < width(found[0])
    assert fit_threshold(np.zeros(50, dtype=int), np.linspace(0, 1, 50), None).reason == "one_class"
    with_unknown = np.append(np.linspace(0, 1, 60), np.nan)
    labels = (np.arange(61) >= 30).astype(int)
    expected = best_threshold(labels[:60], with_unknown[:60])
    assert fit_threshold(labels, with_unknown, None).value == expected


def test_thresholds_out_of_fold_are_steadier_than_those_of_a_few_days() -> None:
    """A month of training rows against four days of validation, both with better and worse days."""
    chosen: dict[int, list[float]] = {4: [], 30: []}
    for trial in range(30):
        generator = np.random.default_rng(trial)
        day = np.repeat(np.arange(30), 40)
        labels = (generator.random(1200) < generator.beta(2, 8, 30)[day]).astype(int)
        scores = scores_of(generator, labels, 0.7, 0.5).probabilities[:, 1]
        for days, thresholds in chosen.items():
            known = day < days
            thresholds.append(best_threshold(labels[known], scores[known]))
    assert np.std(chosen[30]) < 0.7 * np.std(chosen[4])


def test_operating_metrics_are_those_of_the_confusion_matrix() -> None:
    """By hand: 4 negatives of which one is said positive, 2 positives of which one is missed."""
    labels, said = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 0])
    found = operating_metrics("binary", labels, said, Sample(labels))
    assert {name: each.value for name, each in found.items()} == pytest.approx(
        {
            "accuracy": 4 / 6,
            "balanced_error": (1 / 4 + 1 / 2) / 2,
            "share_gap": 0.0,
            "answer_share": 2 / 6,
            "false_alarm_rate": 1 / 4,
            "missed_share": 1 / 2,
        }
    )
    assert set(operating_metrics("multiclass", labels, said, Sample(labels), 3)) == set(FLOORS)


@pytest.mark.parametrize("share", [0.5, 0.17, 0.03])
@pytest.mark.parametrize("days", [None, 7])
@pytest.mark.parametrize("where", ["everything is late", "nothing is late"])
def test_a_model_that_ranks_better_and_answers_worse_is_not_promoted(
    share: float, days: int | None, where: str
) -> None:
    """Its area is surely above the champion's, and its threshold puts nearly every row on one side."""
    generator = np.random.default_rng(5)
    labels = (generator.random(6000) < share).astype(int)
    blocks = None if days is None else np.arange(6000) % days
    champion = scores_of(generator, labels, 0.85, 0.5)
    champion = Answers(champion.probabilities, best_threshold(labels, champion.probabilities[:, 1]))
    threshold = 0.01 if where == "everything is late" else 0.9999
    challenger = scores_of(generator, labels, 0.93, threshold)
    holdout = Holdout(labels, np.arange(6000), blocks)
    over = gains("roc_auc", holdout, challenger, {"champion": champion}, PLAN)["champion"]
    operating = operating_gains("binary", holdout, challenger, champion, PLAN)
    assert decide_promotion("roc_auc", 0.0, over, {}).promote
    decision = decide_promotion("roc_auc", 0.0, over, {}, operating=operating, operating_slack=0.1)
    assert not decision.promote
    assert "answers are worse by more than 0.1" in decision.reasons[2]


def test_a_model_that_mends_a_bad_threshold_is_promoted() -> None:
    """It finds fewer positives than a champion that calls nearly everything positive, and that is right."""
    generator = np.random.default_rng(6)
    labels = (generator.random(6000) < 0.2).astype(int)
    champion, challenger = scores_of(generator, labels, 0.7, 0.02), scores_of(generator, labels, 0.8, 0.5)
    challenger = Answers(challenger.probabilities, best_threshold(labels, challenger.probabilities[:, 1]))
    holdout = Holdout(labels, np.arange(6000))
    over = gains("roc_auc", holdout, challenger, {"champion": champion}, PLAN)["champion"]
    operating = operating_gains("binary", holdout, challenger, champion, PLAN)
    assert decide_promotion("roc_auc", 0.0, over, {}, operating=operating, operating_slack=0.1).promote


@pytest.mark.parametrize(
    ("gain", "promote"),
    [
        (Gain(-0.3, -0.4, -0.2), False),
        (Gain(-0.3, -0.7, 0.1), True),
        (Gain(-0.05, -0.06, -0.04), True),
        (Gain(-0.3, None, None, reason="few_events"), False),
        (Gain(None, None, None, reason="one_class"), True),
    ],
)
def test_a_loss_counts_if_it_is_large_and_sure(gain: Gain, *, promote: bool) -> None:
    """One that chance explains, or within the slack, does not keep a better model out."""
    decision = decide_promotion("roc_auc", 0.0, SURE, {}, operating={"accuracy": gain}, operating_slack=0.1)
    assert promote is decision.promote


def test_answers_of_a_model_over_itself_gain_nothing() -> None:
    """Exactly nothing."""
    labels = np.repeat([0, 1], [300, 60])
    model = scores_of(np.random.default_rng(2), labels, 0.8, 0.4)
    found = operating_gains("binary", Holdout(labels, np.arange(360)), model, model, PLAN)
    assert {name: each.value for name, each in found.items()} == dict.fromkeys(FLOORS, 0.0)
    assert answered_classes(model).shape == (360,)
