"""The rule on holdouts whose truth is known: how often it errs, and whether its intervals hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from include.ml.evaluation.comparison import Answers, BootstrapPlan, Gain, Holdout, gains, slice_gains
from include.ml.evaluation.promotion import decide_promotion
from tests.examples import defined

#: a week of flights from New York: rows, and the share that is late
ROWS, LATE = 6000, 0.22
#: how alike the models of two months score one flight (in early 2013, 0.83 to 0.96 within a class)
ALIKE = 0.9
PLAN = BootstrapPlan(repetitions=300)


def separation(area: float) -> float:
    """How far the classes' normal scores lie apart for an area under the ROC curve."""
    return float(stats.norm.ppf(area) * np.sqrt(2))


def two_models(
    generator: np.random.Generator, rows: int, first: float, second: float
) -> tuple[np.ndarray, Answers, Answers]:
    """Labels, and two models of known areas whose scores share most of their noise."""
    labels = (generator.random(rows) < LATE).astype(int)
    shared = generator.normal(size=rows)

    def answers(area: float) -> Answers:
        noise = np.sqrt(ALIKE) * shared + np.sqrt(1 - ALIKE) * generator.normal(size=rows)
        scores = stats.norm.cdf(separation(area) * labels + noise)
        return Answers(np.column_stack([1 - scores, scores]))

    return labels, answers(first), answers(second)


def promoted(seed: int, rows: int, challenger_area: float, champion_area: float) -> bool:
    """Whether the whole rule promotes on one holdout, with eight slices and a constant baseline."""
    generator = np.random.default_rng(seed)
    labels, challenger, champion = two_models(generator, rows, challenger_area, champion_area)
    holdout = Holdout(labels, np.arange(rows))
    rivals = {"champion": champion, "constant": Answers(np.full((rows, 2), 0.5))}
    over = gains("roc_auc", holdout, challenger, rivals, PLAN)
    slices = slice_gains(
        "roc_auc",
        holdout,
        challenger=challenger,
        champion=champion,
        groups={"carrier": generator.integers(0, 8, rows)},
        floor=lambda _: -0.02,
        plan=PLAN,
    )
    return decide_promotion("roc_auc", 0.0, over["champion"], {"constant": over["constant"]}, slices).promote


def test_equal_models_are_promoted_in_at_most_one_of_twenty_holdouts() -> None:
    """Two models of the same quality, 200 holdouts of 1,500 rows: the champion nearly always stays."""
    assert sum(promoted(seed, 1500, 0.70, 0.70) for seed in range(200)) <= 10


def test_two_points_are_promoted_in_nine_of_ten_holdouts() -> None:
    """A gain of 0.02 in the area, on 50 holdouts of 6,000 independent rows with 22 % positives."""
    assert sum(promoted(seed, ROWS, 0.72, 0.70) for seed in range(50)) >= 45


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of 300 holdouts of independent rows, about 95 % have the true gain within their interval."""
    generator = np.random.default_rng(7)
    truth, held = 0.02, 0
    for _ in range(300):
        labels, challenger, champion = two_models(generator, 800, 0.72, 0.70)
        found = gains("roc_auc", Holdout(labels, np.arange(800)), challenger, {"it": champion}, PLAN)["it"]
        held += defined(found.low) <= truth <= defined(found.high)
    assert 0.92 <= held / 300 <= 0.98


def clustered_week(
    generator: np.random.Generator, days: int, rows_a_day: int
) -> tuple[Holdout, list[Answers]]:
    """Two equally good models, each of which has better and worse days than the other."""
    day = np.repeat(np.arange(days), rows_a_day)
    labels = (generator.random(len(day)) < LATE).astype(int)
    answers = []
    for _ in range(2):
        of_day = generator.normal(scale=0.3, size=days)[day]
        scores = stats.norm.cdf((separation(0.7) + of_day) * labels + generator.normal(size=len(day)))
        answers.append(Answers(np.column_stack([1 - scores, scores])))
    return Holdout(labels, np.arange(len(day)), day), answers


@pytest.mark.parametrize(("days", "least"), [(7, 0.9), (30, 0.92)])
def test_days_drawn_whole_hold_the_truth_where_rows_drawn_singly_do_not(days: int, least: float) -> None:
    """Where a day's rows share an effect, drawing rows misses the truth (no gain) far too often."""
    generator = np.random.default_rng(11)
    singly, whole = 0, 0
    for _ in range(200):
        holdout, (one, other) = clustered_week(generator, days, 100)
        rows = Holdout(holdout.labels, holdout.event_ids)
        singly += holds_zero(gains("roc_auc", rows, one, {"it": other}, PLAN)["it"])
        whole += holds_zero(gains("roc_auc", holdout, one, {"it": other}, PLAN)["it"])
    assert singly / 200 < 0.8
    assert least <= whole / 200 <= 0.99


def holds_zero(gain: Gain) -> bool:
    """Whether no gain at all is within the interval."""
    return defined(gain.low) <= 0 <= defined(gain.high)
