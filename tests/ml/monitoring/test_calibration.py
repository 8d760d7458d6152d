"""How often the window's rule errs on windows whose truth is known.

Simulated are counts in buckets, as production has them: a baseline's buckets are bounded by its own
quantiles, so that each holds a twentieth of its rows; what they hold of the truth is then Dirichlet
distributed, and a window's counts are multinomial. Texts are multinomial on both sides. Separability, which
takes a second a window, is simulated in tests of its own, on fewer windows.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from include.core.documents.monitoring import DataEvidence, Fault
from include.ml.evaluation import clusters
from include.ml.evaluation.clusters import ClusteredRows
from include.ml.monitoring import alarms, drift
from include.ml.monitoring.alarms import AlarmRule
from include.ml.monitoring.constraints import suggest_constraints
from include.ml.monitoring.drift import DriftRule, Movement, Side
from include.ml.monitoring.separability import measure_separability
from include.ml.monitoring.summaries import BUCKETS, half_open, histogram, quantile_edges
from include.ml.monitoring.violations import faults, violations
from tests.ml.monitoring.frames import describe_frames

#: the defaults of include/core/monitoring.py
RULE = DriftRule(minimum_distance=0.1, significance=0.01, minimum_rows=500)
ALARM = AlarmRule(minimum_rows=500, minimum_importance=0.1, matured_share=0.9)
WINDOWS, BASELINE_ROWS, NUMBERS, TEXTS = 1000, 20_000, 15, 5
CATEGORIES = (3, 5, 10, 40, 100)
SIZES = (500, 1000, 2000, 5000, 10_000, 20_000)
#: every feature matters enough to alarm by itself: the hardest case for false alarms
SHARES = {f"f{place}": 1.0 for place in range(NUMBERS + TEXTS)}


def alarm_of(moved: list[Movement], rows: int, broken: tuple[Fault, ...] = ()) -> bool:
    """Whether a window alarms by its features alone."""
    evidence = DataEvidence(
        rows=rows,
        broken=broken,
        features=alarms.feature_drifts(moved, SHARES),
        separability=None,
        predictions=None,
    )
    return alarms.judge_evidence(ALARM, evidence, []).is_alarm


def window(generator: np.random.Generator, rows: int) -> list[Movement]:
    """The movements of 20 features in one window without drift."""
    per_bucket = BASELINE_ROWS // BUCKETS
    baseline = Side(np.array([0, *[per_bucket] * BUCKETS, 0]))
    found = []
    for place in range(NUMBERS):
        truth = generator.dirichlet(np.full(BUCKETS, per_bucket))
        current = Side(np.array([0, *generator.multinomial(rows, truth), 0]))
        found.append(drift.of_numbers(f"f{place}", baseline, current))
    for place, width in enumerate(CATEGORIES, NUMBERS):
        truth = generator.dirichlet(np.ones(width))
        before, now = (Side(generator.multinomial(n, truth)) for n in (BASELINE_ROWS, rows))
        found.append(drift.of_texts(f"f{place}", before, now))
    return drift.mark_drifted(found, RULE)


def exact_false_alarms(generator: np.random.Generator, windows: int) -> float:
    """The share of such windows that exact tests at p < 0.05, not corrected, would call drift in a number."""
    alarmed = 0
    for _ in range(windows):
        rows = generator.normal(size=(NUMBERS + TEXTS, 2, 1000))
        alarmed += any(ks_2samp(*pair, method="asymp").pvalue < 0.05 for pair in rows)
    return alarmed / windows


def test_fewer_than_one_window_in_a_hundred_alarms_without_drift() -> None:
    """Of 1,000 windows of 500 to 20,000 rows; tests at p < 0.05 raise a false alarm in well over half."""
    generator = np.random.default_rng(2013)
    alarmed = [
        alarm_of(window(generator, rows), rows) for rows in SIZES for _ in range(WINDOWS // len(SIZES) + 1)
    ]
    uncorrected = exact_false_alarms(generator, 200)
    print(f"false alarms: {np.mean(alarmed):.2%} of {len(alarmed)} windows; uncorrected {uncorrected:.0%}")  # noqa: T201 - measured, for whoever runs it with -s
    assert len(alarmed) >= WINDOWS
    assert np.mean(alarmed) < 0.01
    assert uncorrected > 0.5


def test_significance_alone_holds_over_all_features_together() -> None:
    """Without any effect size, Holm's correction errs in about as many windows as it says, at most."""
    generator = np.random.default_rng(5)
    found = [min(each.p_value for each in window(generator, 2000)) < RULE.significance for _ in range(600)]
    assert np.mean(found) < 0.025


@pytest.mark.parametrize("rows", [1000, 5000])
def test_a_shift_of_a_third_of_a_deviation_asks_within_three_windows(rows: int) -> None:
    """A shift of 0.3 deviations in an important feature: nearly always two of three windows alarm."""
    generator = np.random.default_rng(7)
    edges = quantile_edges(generator.normal(size=BASELINE_ROWS))
    before = Side(histogram(generator.normal(size=BASELINE_ROWS), edges))
    asked = 0
    for _ in range(100):
        alarmed = 0
        for _ in range(3):
            now = Side(histogram(generator.normal(0.3, 1, rows), edges))
            others = window(generator, rows)[1:]
            alarmed += alarm_of(
                drift.mark_drifted([drift.of_numbers("f0", before, now), *others], RULE), rows
            )
        asked += alarmed >= 2
    print(f"asked within three windows of {rows} rows: {asked / 100:.1%}")  # noqa: T201 - measured, for whoever runs it with -s
    assert asked / 100 > 0.95


def test_a_missing_column_alerts_and_never_retrains() -> None:
    """The column is broken, and neither its absence nor the drift beside it asks for retraining."""
    generator = np.random.default_rng(3)
    baseline = pd.DataFrame(generator.normal(size=(2000, 2)), columns=["f0", "f1"])
    before = describe_frames([baseline])
    now = describe_frames([baseline[["f1"]] + 2.0])
    broken = faults(violations(suggest_constraints(before), now, []))
    edges = quantile_edges(baseline["f1"].to_numpy())
    sides = [Side(histogram(baseline["f1"].to_numpy() + shift, edges)) for shift in (0.0, 2.0)]
    moved = drift.mark_drifted([drift.of_numbers("f1", *sides)], RULE)
    assert [(each.feature, each.check) for each in broken] == [("f0", "missing_column_check")]
    assert moved[0].is_drifted
    assert not alarm_of(moved, 2000, broken)
    assert alarm_of(moved, 2000)


def days(generator: np.random.Generator, n_days: int, rows_a_day: int, shift: float = 0.0) -> ClusteredRows:
    """Rows whose days differ: half of the variance is the day's."""
    of_day = np.repeat(generator.normal(shift, 1, n_days), rows_a_day)
    values = of_day + generator.normal(size=len(of_day))
    return ClusteredRows(pd.DataFrame({"x": values}), np.repeat(np.arange(n_days), rows_a_day))


def moved_by_days(before: ClusteredRows, now: ClusteredRows) -> tuple[Movement, Movement]:
    """The movement with rows taken for independent, and by their worth."""
    edges = quantile_edges(before.rows["x"].to_numpy())
    counts = [histogram(side.rows["x"].to_numpy(), edges) for side in (before, now)]
    pair = clusters.pair_of_effects("x", half_open(edges), (before, now), (len(before.rows), len(now.rows)))
    sides = [Side(count, effect) for count, effect in zip(counts, pair, strict=True)]
    plain = drift.mark_drifted([drift.of_numbers("x", Side(counts[0]), Side(counts[1]))], RULE)[0]
    return plain, drift.mark_drifted([drift.of_numbers("x", *sides)], RULE)[0]


def test_rows_of_one_day_count_for_what_they_are_worth() -> None:
    """Two times ten days differ by their days: taken for independent rows, more than half would alarm."""
    generator = np.random.default_rng(11)
    found = [moved_by_days(days(generator, 10, 300), days(generator, 10, 300)) for _ in range(200)]
    naive, worth = (np.mean([pair[place].is_drifted for pair in found]) for place in (0, 1))
    print(f"taken for independent {naive:.0%}, by their worth {worth:.1%}")  # noqa: T201 - measured, for whoever runs it with -s
    assert naive > 0.5
    assert worth < 0.02
    shifted = [moved_by_days(days(generator, 10, 300), days(generator, 10, 300, 4.0)) for _ in range(50)]
    assert np.mean([pair[1].is_drifted for pair in shifted]) > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_a_classifier_does_not_tell_equal_sides_apart(seed: int) -> None:
    """Independent rows of one distribution: the interval holds one half or comes near it."""
    generator = np.random.default_rng(seed)
    sides = [
        ClusteredRows(pd.DataFrame(generator.normal(size=(1000, 5)), columns=list("abcde")), np.arange(1000))
        for _ in range(2)
    ]
    found = measure_separability(*sides, limit=0.75)
    assert found is not None
    assert found.low < 0.55
    assert 0.44 < found.value < 0.56


def test_a_classifier_sees_what_no_single_feature_shows() -> None:
    """Two features that have come to go together have kept their own distributions."""
    generator = np.random.default_rng(1)
    base, other = generator.normal(size=(2, 1500, 2))
    other[:, 1] = 0.95 * other[:, 0] + np.sqrt(1 - 0.95**2) * other[:, 1]
    sides = [ClusteredRows(pd.DataFrame(rows, columns=["a", "b"]), np.arange(1500)) for rows in (base, other)]
    found = measure_separability(*sides, limit=0.75)
    assert found is not None
    assert found.low > 0.75
    assert set(found.features) == {"a", "b"}


def test_days_that_were_learnt_are_no_drift() -> None:
    """Tried on days that it has met, a classifier knows equal months apart; on others it does not."""
    generator = np.random.default_rng(4)
    sides = days(generator, 30, 50), days(generator, 30, 50)
    exact = [ClusteredRows(side.rows.assign(day=of_day(generator, side)), side.clusters) for side in sides]
    by_day = measure_separability(*exact, limit=0.75)
    alone = [ClusteredRows(side.rows, np.arange(len(side.rows))) for side in exact]
    by_row = measure_separability(*alone, limit=0.75)
    assert by_row is not None
    assert by_day is not None
    assert by_row.low > 0.75
    assert by_day.low < 0.55


def of_day(generator: np.random.Generator, side: ClusteredRows) -> np.ndarray:
    """A reading that all rows of a day share."""
    readings: np.ndarray = generator.normal(size=30)[side.clusters]
    return readings


def test_too_few_days_are_not_judged() -> None:
    """With fewer days than folds nothing can be tried on days that were not met."""
    generator = np.random.default_rng(2)
    assert measure_separability(days(generator, 4, 200), days(generator, 30, 50), limit=0.75) is None
