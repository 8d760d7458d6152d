"""The whole rule on simulated windows: from counts of values to a request, by the cycle's default rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from include.core.documents.monitoring import Fault
from include.core.layout import Interval
from include.core.monitoring import Monitoring
from include.core.retraining.rule import Finding, Past, judge_retraining
from include.ml.monitoring import alarms, drift
from tests.examples import evidence, month

RULES = Monitoring()
FEATURES = [f"x{number}" for number in range(20)]
#: the first feature is an important one
IMPORTANCE = {name: 0.3 if name == "x0" else 0.7 / 19 for name in FEATURES}
EDGES = norm.ppf(np.linspace(0, 1, 21)[1:-1])
BASELINE_ROWS = 20_000
#: windows of one champion
WINDOWS = 10


def counts(rng: np.random.Generator, rows: int, shift: float = 0.0) -> Any:  # noqa: ANN401 - numpy's own
    """Normal values, shifted by so many standard deviations, counted in the baseline's buckets."""
    shares = np.diff(norm.cdf([-np.inf, *EDGES, np.inf], loc=shift))
    return rng.multinomial(rows, shares)


def window(
    rng: np.random.Generator,
    baseline: dict[str, Any],
    when: Interval,
    rows: int,
    *,
    shift: float = 0.0,
    lacks: str | None = None,
) -> Finding:
    """What monitoring finds in one simulated window, by the same functions as the job."""
    rule = drift.DriftRule(
        minimum_distance=RULES.minimum_distance,
        significance=RULES.significance,
        minimum_rows=RULES.minimum_rows,
    )
    current = {name: counts(rng, rows, shift if name == "x0" else 0.0) for name in FEATURES if name != lacks}
    moved = [
        drift.of_numbers(name, drift.Side(baseline[name]), drift.Side(found))
        for name, found in current.items()
    ]
    found = replace(
        evidence(when, judged=rows),
        rows=rows,
        broken=(Fault(feature=lacks, check="missing_column_check"),) if lacks else (),
        features=alarms.feature_drifts(drift.mark_drifted(moved, rule), IMPORTANCE),
    )
    alarm_rule = alarms.AlarmRule(
        minimum_rows=RULES.minimum_rows,
        minimum_importance=RULES.minimum_importance,
        matured_share=RULES.matured_share,
    )
    alarm = alarms.judge_evidence(alarm_rule, found, found.quality)
    return Finding.of(replace(found, alarm=alarm))


def requests(rng: np.random.Generator, rows: int, **given: Any) -> list[bool]:  # noqa: ANN401 - what `window` takes
    """Whether retraining is due after each of one champion's windows."""
    baseline = {name: counts(rng, BASELINE_ROWS) for name in FEATURES}
    windows = [month(2 + number) for number in range(WINDOWS)]
    findings = {when: window(rng, baseline, when, rows, **given) for when in windows}
    due = []
    for number in range(1, WINDOWS + 1):
        known = {when: findings[when] for when in windows[:number]}
        last = tuple(windows[max(0, number - RULES.windows) : number])
        due.append(
            judge_retraining(
                RULES, known, Past(last=last, train_interval=last[-1], trainings=frozenset())
            ).due
        )
    return due


def test_hardly_any_window_without_drift_asks_for_retraining() -> None:
    """Of a thousand, with twenty features and from 500 to 20,000 rows, fewer than one in a hundred."""
    rng = np.random.default_rng(0)
    sizes = [500, 1_000, 3_000, 20_000] * 25
    due = [asked for rows in sizes for asked in requests(rng, rows)]
    assert len(due) == 1_000
    assert sum(due) < 10


@pytest.mark.parametrize("rows", [1_000, 3_000, 20_000])
def test_an_important_feature_that_moves_asks_within_the_rules_windows(rows: int) -> None:
    """By 0.3 standard deviations, with 1,000 rows or more, in nineteen of twenty cases."""
    rng = np.random.default_rng(rows)
    asked = [any(requests(rng, rows, shift=0.3)[: RULES.windows]) for _ in range(40)]
    assert sum(asked) >= 38


def test_a_missing_column_never_asks() -> None:
    """Even while another feature has moved far."""
    rng = np.random.default_rng(1)
    assert not any(requests(rng, 5_000, shift=1.0, lacks="x1"))
    assert any(requests(rng, 5_000, shift=1.0))
