"""Verdicts and intervals err no more often than they say, over shares of classes, sizes and blocks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from include.ml.evaluation.comparison import Answers, BootstrapPlan, Holdout, gains
from include.ml.evaluation.intervals import Rate
from include.ml.evaluation.metrics import bootstrap
from include.ml.evaluation.promotion import decide_promotion, why_undecided
from include.ml.evaluation.resampling import Sample
from tests.examples import defined

#: of equal models, at a confidence of 95 %
PROMISED = 0.025
#: how much of their noise two models share
ALIKE = 0.5
#: negatives and positives of independent rows
ROWS = [(300, 1), (300, 2), (300, 3), (300, 5), (300, 10), (300, 20), (300, 60), (20, 20), (40, 1000)]
#: blocks of time, in how many of them positives occur, rows, and the share of positives
BLOCKS = [
    *((2, 2, 600, 0.3), (3, 3, 600, 0.3), (4, 4, 600, 0.3), (5, 5, 600, 0.3), (7, 7, 600, 0.3)),
    *((7, 7, 2000, 0.05), (30, 30, 600, 0.3), (30, 5, 600, 0.1), (30, 2, 600, 0.05), (30, 1, 600, 0.05)),
]


def two_models(
    generator: np.random.Generator, labels: np.ndarray, areas: tuple[float, float], blocks: np.ndarray | None
) -> list[Answers]:
    """Two models of known areas, whose scores share half of their noise; each has its better days."""
    shared, answers = generator.normal(size=len(labels)), []
    for area in areas:
        day = 0.0 if blocks is None else generator.normal(scale=0.3, size=blocks.max() + 1)[blocks]
        noise = np.sqrt(ALIKE) * shared + np.sqrt(1 - ALIKE) * generator.normal(size=len(labels))
        scores = stats.norm.cdf((np.sqrt(2) * stats.norm.ppf(area) + day) * labels + noise)
        answers.append(Answers(np.column_stack([1 - scores, scores])))
    return answers


def is_promoted(
    metric: str, labels: np.ndarray, answers: list[Answers], blocks: np.ndarray | None, seed: int
) -> bool:
    """Whether the rule replaces the champion, if it judges at all."""
    if why_undecided(Sample(labels, blocks)):
        return False
    holdout = Holdout(labels, np.arange(len(labels)), blocks)
    plan = BootstrapPlan(repetitions=200, seed=seed)
    gain = gains(metric, holdout, answers[0], {"champion": answers[1]}, plan)["champion"]
    return decide_promotion(metric, 0.0, gain, {}).promote


def of_rows(
    trials: int, counts: tuple[int, int], metric: str, areas: tuple[float, float] = (0.7, 0.7)
) -> float:
    """The share of holdouts of so many negatives and positives on which the first model is promoted."""
    promoted = 0
    for trial in range(trials):
        generator = np.random.default_rng([trial, *counts])
        labels = np.repeat([0, 1], counts)
        promoted += is_promoted(metric, labels, two_models(generator, labels, areas, None), None, trial)
    return promoted / trials


def of_blocks(
    trials: int, shape: tuple[int, int, int, float], areas: tuple[float, float] = (0.7, 0.7)
) -> float:
    """The same for rows in blocks, of which some hold no positive."""
    (blocks, held, rows, share), promoted = shape, 0
    for trial in range(trials):
        generator = np.random.default_rng([trial, blocks, held, rows])
        block = np.arange(rows) % blocks
        labels = (generator.random(rows) < np.where(block < held, share * blocks / held, 0)).astype(int)
        answers = two_models(generator, labels, areas, block)
        promoted += is_promoted("roc_auc", labels, answers, block, trial)
    return promoted / trials


def most(trials: int) -> float:
    """The promised rate and three standard errors."""
    return PROMISED + 3 * float(np.sqrt(PROMISED * (1 - PROMISED) / trials))


@pytest.mark.parametrize("counts", ROWS)
def test_equal_models_are_not_promoted_by_few_rows_of_a_class(counts: tuple[int, int]) -> None:
    """From one positive row to many."""
    assert of_rows(200, counts, "roc_auc") <= most(200)


@pytest.mark.parametrize("shape", BLOCKS)
def test_equal_models_are_not_promoted_by_few_blocks(shape: tuple[int, int, int, float]) -> None:
    """Few blocks, and few blocks with a positive row."""
    assert of_blocks(150, shape) <= most(150)


@pytest.mark.long
@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "accuracy", "log_loss"])
@pytest.mark.parametrize("counts", ROWS)
def test_equal_models_are_promoted_as_seldom_as_promised(counts: tuple[int, int], metric: str) -> None:
    """The same on many more holdouts, by every metric."""
    assert of_rows(2000, counts, metric) <= most(2000)


@pytest.mark.long
@pytest.mark.parametrize("shape", BLOCKS)
def test_equal_models_in_blocks_are_promoted_as_seldom_as_promised(
    shape: tuple[int, int, int, float],
) -> None:
    """The same on many more holdouts."""
    assert of_blocks(2000, shape) <= most(2000)


def test_planted_gains_are_found() -> None:
    """Where there are rows enough a real gain is promoted nearly always, in rows and in blocks."""
    assert of_rows(30, (600, 200), "roc_auc", (0.85, 0.70)) >= 0.95
    assert of_blocks(30, (14, 14, 2000, 0.3), (0.85, 0.70)) >= 0.9


def test_a_perfect_model_is_promoted() -> None:
    """Draws of a model without an error never vary; twenty rows of each class are enough all the same."""
    labels = np.repeat([0, 1], [300, 20])
    perfect = Answers(np.column_stack([1 - labels, labels]).astype(float))
    constant = Answers(np.full((320, 2), 0.5))
    holdout = Holdout(labels, np.arange(320))
    gain = gains("roc_auc", holdout, perfect, {"it": constant}, BootstrapPlan())["it"]
    assert 0 < defined(gain.low) < defined(gain.value) == 0.5 < defined(gain.high)
    own = bootstrap(labels, perfect.probabilities)["roc_auc"]
    assert (own.value, own.low, own.high, own.reason) == (1.0, None, None, "separated")


@pytest.mark.parametrize(("share", "rows"), [(0.8, 5), (0.95, 10), (0.95, 20), (0.95, 100)])
def test_a_rate_of_few_rows_has_an_honest_interval(share: float, rows: int) -> None:
    """Recall of five positives, of ten and so on: the truth is in at least 95 % of the intervals."""
    every, held = np.ones(rows), 0
    for hits, chance in enumerate(stats.binom.pmf(np.arange(rows + 1), rows, share)):
        rate = Rate(np.arange(rows) < hits, every)
        low, high = rate.interval(Sample(np.zeros(rows, dtype=int)))
        held += chance * (defined(low) <= share <= defined(high))
    assert held >= 0.95


def test_a_rate_in_blocks_has_an_honest_interval() -> None:
    """Where the rows of a day err together the truth is in nine of ten intervals at least."""
    held = 0
    for trial in range(200):
        generator = np.random.default_rng(trial)
        day = np.repeat(np.arange(10), 40)
        hits = generator.random(400) < generator.beta(8, 2, 10)[day]
        low, high = Rate(hits, np.ones(400)).interval(Sample(np.zeros(400, dtype=int), day))
        held += defined(low) <= 0.8 <= defined(high)
    assert held / 200 >= 0.92


def test_the_area_of_independent_rows_has_an_honest_interval() -> None:
    """With twenty positives the truth is in nine of ten intervals at least."""
    held = 0
    for trial in range(200):
        generator = np.random.default_rng(trial)
        labels = np.repeat([0, 1], [200, 20])
        answers = two_models(generator, labels, (0.9, 0.9), None)[0]
        area = bootstrap(labels, answers.probabilities, resamples=2)["roc_auc"]
        held += area.reason == "separated" or defined(area.low) <= 0.9 <= defined(area.high)
    assert held / 200 >= 0.9


@pytest.mark.parametrize(
    ("labels", "reason", "sentence"),
    [
        ([], "empty", "holds no row"),
        ([0] * 300, "one_class", "every one of the 300 rows"),
        ([0] * 300 + [1] * 12, "few_events", "Undecided: 12 positive rows, 20 are needed."),
        ([1] * 300 + [0] * 12, "few_events", "Undecided: 12 negative rows, 20 are needed."),
        ([0] * 300 + [1] * 5 + [2] * 5, "few_events", "10 rows of other classes"),
    ],
)
def test_too_few_rows_are_told_with_their_number(labels: list[int], reason: str, sentence: str) -> None:
    """What there is, and what is needed."""
    decision = why_undecided(Sample(np.array(labels, dtype=int)))
    assert decision is not None
    assert (decision.promote, decision.undecided) == (False, reason)
    assert sentence in decision.reasons[0]
