"""Bias metrics by hand, by the examples of Clarify's guide, and at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest

from include.core.documents.model import Bounds
from include.ml.monitoring.bias import POST_TRAINING, PRE_TRAINING, bias_metrics
from tests.examples import defined, not_none

Counts = tuple[int, int, int, int]
#: true positives, false negatives, false positives and true negatives of facet a (100) and d (50)
A: Counts = (30, 10, 20, 40)
D: Counts = (5, 15, 10, 20)


def records(a: Counts, d: Counts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Group, observed and predicted label of each record."""
    kinds = [(1, 1), (1, 0), (0, 1), (0, 0)]
    rows = [
        (group, *kind)
        for group, counts in enumerate((a, d))
        for kind, count in zip(kinds, counts, strict=True)
        for _ in range(count)
    ]
    table = np.array(rows, dtype=bool).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def values(a: Counts, d: Counts) -> dict[str, float | None]:
    """The metrics alone."""
    return {name: each.value for name, each in bias_metrics(*records(a, d)).items()}


def test_every_metric_by_hand() -> None:
    """Labels are positive in 40 of 100 and 20 of 50, predictions in 50 of 100 and 15 of 50."""
    expected = {
        "CI": 50 / 150,
        "DPL": 0.4 - 0.4,
        "KL": 0.0,
        "JS": 0.0,
        "LP": 0.0,
        "TVD": 0.0,
        "KS": 0.0,
        "DPPL": 0.5 - 0.3,
        "DI": 0.3 / 0.5,
        "DCA": 40 / 50 - 20 / 15,
        "DCR": 30 / 35 - 60 / 50,
        "SD": 20 / 30 - 40 / 60,
        "RD": 30 / 40 - 5 / 20,
        "DAR": 30 / 50 - 5 / 15,
        "DRR": 20 / 35 - 40 / 50,
        "AD": 70 / 100 - 25 / 50,
        "TE": 15 / 10 - 10 / 20,
    }
    assert values(A, D) == pytest.approx(expected)
    assert list(expected) == [*PRE_TRAINING, *POST_TRAINING]


def test_distances_between_label_distributions_by_hand() -> None:
    """Labels are positive in 60 of 100 and 10 of 50."""
    found = values((60, 0, 0, 40), (10, 0, 0, 40))
    kl = 0.6 * math.log(0.6 / 0.2) + 0.4 * math.log(0.4 / 0.8)
    to_mean = 0.6 * math.log(0.6 / 0.4) + 0.4 * math.log(0.4 / 0.6)
    from_other = 0.2 * math.log(0.2 / 0.4) + 0.8 * math.log(0.8 / 0.6)
    expected = {"DPL": 0.4, "KL": kl, "JS": (to_mean + from_other) / 2, "TVD": 0.4, "KS": 0.4}
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["LP"] == pytest.approx(math.sqrt(2 * 0.4**2))


def test_the_guides_example_of_conditional_rejection() -> None:
    """50 of 100 and 40 of 50 are rejections, of which the model makes 60 and 30."""
    found = values((40, 10, 0, 50), (10, 0, 10, 30))
    assert found["DPPL"] == pytest.approx(0.0)
    assert found["DCR"] == pytest.approx(40 / 30 - 50 / 60)


def test_the_guides_example_of_treatment_equality() -> None:
    """Eight and five wrongly denied, six and two wrongly approved, at equal accuracy."""
    found = values((46, 8, 6, 40), (23, 5, 2, 20))
    assert found["TE"] == pytest.approx(5 / 2 - 8 / 6)
    assert found["AD"] == pytest.approx(0.0)


def test_the_swapped_group_has_the_opposite_sign() -> None:
    """Every difference turns about; what has no direction stays."""
    one, other = values(A, (8, 12, 9, 21)), values((8, 12, 9, 21), A)
    for name in ("CI", "DPL", "DPPL", "DCA", "DCR", "SD", "RD", "DAR", "DRR", "AD", "TE"):
        assert one[name] == pytest.approx(-not_none(other[name])), name
    for name in ("JS", "LP", "TVD", "KS"):
        assert one[name] == pytest.approx(other[name]), name


def interval(found: Bounds) -> tuple[float, float]:
    """The bounds of a metric that is defined."""
    return defined(found.low), defined(found.high)


@pytest.mark.parametrize("empty", [(A, (0, 0, 0, 0)), ((0, 0, 0, 0), D), ((0, 0, 0, 0), (0, 0, 0, 0))])
def test_an_empty_facet_has_no_metrics(empty: tuple[Counts, Counts]) -> None:
    """There is nobody to compare with: all is null, and nothing warns."""
    assert set(bias_metrics(*records(*empty)).values()) == {Bounds(None, None, None, reason="empty")}


def test_what_divides_by_nothing_is_null_alone() -> None:
    """A model that never says yes has no precision and no disparate impact, and the rest stands."""
    found = values((0, 40, 0, 60), (0, 20, 0, 30))
    undefined = {name for name, value in found.items() if value is None}
    assert undefined == {"DI", "DCA", "DAR", "TE"}


def test_a_label_that_one_facet_lacks_has_no_divergence() -> None:
    """The divergence from what never happens is infinite, which JSON does not have; its kin are finite."""
    found = values((10, 0, 0, 10), (0, 0, 0, 10))
    assert found["KL"] is None
    assert found["JS"] is not None
    assert found["TVD"] == pytest.approx(0.5)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Of a hundred windows without any difference, about ninety-five have zero within DPPL's bounds."""
    held = 0
    for seed in range(100):
        generator = np.random.default_rng(seed)
        group, truth, said = (generator.random(200) < share for share in (0.3, 0.4, 0.5))
        low, high = interval(bias_metrics(group, truth, said)["DPPL"])
        held += low <= 0 <= high
    assert 88 <= held <= 100


def test_days_that_err_together_widen_the_interval() -> None:
    """When what is said depends on the day, single rows promise too much."""
    generator = np.random.default_rng(0)
    days = np.repeat(np.arange(10), 100)
    group = generator.random(1000) < 0.2 + 0.6 * (days % 2)
    said = generator.random(1000) < 0.2 + 0.6 * (days < 5)
    truth = generator.random(1000) < 0.4
    found = [interval(bias_metrics(group, truth, said, blocks)["DPPL"]) for blocks in (None, days)]
    widths = [high - low for low, high in found]
    assert widths[1] > 2 * widths[0]
