"""Texts are compared over the categories that both sides can tell apart, however many there are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from include.ml.monitoring import drift
from include.ml.monitoring.drift import DriftRule, Movement
from include.ml.monitoring.statistics import Profile
from include.ml.monitoring.summaries import CATEGORIES, Texts

RULE = DriftRule(minimum_distance=0.1, significance=0.01, minimum_rows=500)


def profile_of(texts: np.ndarray, known: list[str] | None = None) -> Profile:
    """The statistics of one column of texts, given as numbers."""
    codes, values = pd.factorize(texts)
    profile = Profile(known={"x": known or []})
    profile.add({"x": Texts(codes, [f"v{value}" for value in values.tolist()])}, len(texts))
    return profile


def movement(before: np.ndarray, now: np.ndarray) -> Movement:
    """How far the window has moved from the baseline, as monitor compares them."""
    baseline = profile_of(before).statistics()
    current = profile_of(now, list(drift.categories(baseline["features"][0]))).statistics()
    return drift.movements(baseline, current, {}, RULE)[0]


def zipf(width: int, power: float) -> np.ndarray:
    """Shares that fall by a power of their rank."""
    ranked = np.arange(1, width + 1, dtype=float) ** -power
    return np.asarray(ranked / ranked.sum())


#: shares of a distribution: few and many categories, with a tail and without, and one of mostly unique texts
SHARES = {
    "50 alike": np.full(50, 1 / 50),
    "3,000 alike": np.full(3000, 1 / 3000),
    "12,000 alike": np.full(12_000, 1 / 12_000),
    "50,000 alike": np.full(50_000, 1 / 50_000),
    "long tail": zipf(100_000, 1.0),
    "steep tail": zipf(100_000, 1.3),
    "heads and identifiers": np.append(np.full(20, 0.02), np.full(10**6, 0.6 / 10**6)),
}
TRIALS = 25


@pytest.mark.parametrize("name", SHARES)
def test_no_number_of_categories_raises_false_alarms(name: str) -> None:
    """Both sides from one distribution: at most a twentieth is below p = 0.05, and none has drifted."""
    generator, reached = np.random.default_rng(18), SHARES[name].cumsum()
    found = [
        movement(*(np.searchsorted(reached, generator.random(rows) * reached[-1]) for rows in sizes))
        for sizes in ((20_000, 1000), (40_000, 40_000), (60_000, 5000))
        for _ in range(TRIALS)
    ]
    allowed = 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(found))
    assert np.mean([moved.p_value < 0.05 for moved in found]) <= allowed
    assert not any(moved.is_drifted for moved in found)


def test_twelve_thousand_equal_categories_have_not_moved() -> None:
    """The baseline lumps what it cannot name; the window lumps the same."""
    generator = np.random.default_rng(0)
    moved = movement(*generator.integers(0, 12_000, (2, 100_000)))
    assert moved.p_value > 0.01
    assert moved.distance - moved.by_chance < 0.03


@pytest.mark.parametrize("width", [10, 12_000])
def test_new_values_are_new_mass(width: int) -> None:
    """A third of the window in values that the baseline lacks, each of them rare: the distance is a third."""
    generator = np.random.default_rng(1)
    before, now = np.sort(generator.zipf(1.5, (2, 60_000)) % width, axis=1)
    now[::3] = 10**6 + np.arange(20_000)
    moved = movement(generator.permutation(before), generator.permutation(now))
    assert moved.distance == pytest.approx(1 / 3, abs=0.02)
    assert moved.is_drifted


def test_categories_that_a_lumped_baseline_names_can_still_drift() -> None:
    """Half of 12,000 categories vanish, as the named ones show."""
    generator = np.random.default_rng(2)
    before, now = generator.integers(0, 12_000, 120_000), generator.integers(0, 6000, 120_000)
    moved = movement(before, now)
    assert moved.distance > 0.35
    assert moved.is_drifted


def test_identifiers_never_drift() -> None:
    """Every row has a text of its own, on both sides: nothing can be told apart, so nothing has moved."""
    rows = np.arange(5 * CATEGORIES)
    moved = movement(rows, rows + len(rows))
    assert (moved.distance, moved.p_value, moved.is_drifted) == (0.0, 1.0, False)
