"""Statistics do not depend on how rows are cut into frames, and each kind of break is told."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.core.documents.data import ConstraintViolation
from include.ml.monitoring.constraints import suggest_constraints
from include.ml.monitoring.drift import (
    DriftRule,
    bucket_counts,
    bucket_edges,
    categories,
    count_present,
    is_text,
    movements,
    of_numbers,
    of_texts,
)
from include.ml.monitoring.drift import Side as Counted
from include.ml.monitoring.statistics import Profile
from include.ml.monitoring.summaries import (
    BUCKETS,
    CATEGORIES,
    OTHERS,
    SAMPLED,
    TextSummary,
    Thinned,
    histogram,
    quantile_edges,
)
from include.ml.monitoring.violations import faults, violations
from tests.ml.monitoring.frames import columns_of, describe_frames

RULE = DriftRule(minimum_distance=0.1, significance=0.01, minimum_rows=500)
BASELINE = pd.DataFrame({"temp": np.linspace(0.5, 99.5, 1000), "sky": ["clear", "grey"] * 500})


def compare(now: pd.DataFrame, baseline: pd.DataFrame = BASELINE) -> list[tuple[str, str]]:
    """The breaks that the current rows make, as feature and kind."""
    return [(each.feature_name, each.constraint_check_type) for each in found(now, baseline)]


def found(now: pd.DataFrame, baseline: pd.DataFrame = BASELINE) -> list[ConstraintViolation]:
    """The violations of rows that pass by once, counted in the baseline's buckets."""
    before = describe_frames([baseline])
    numbers = [each for each in before["features"] if not is_text(each)]
    profile = Profile({each["name"]: bucket_edges(each) for each in numbers})
    profile.add(columns_of(now), len(now))
    current = profile.statistics()
    moved = movements(before, current, profile.counts(), RULE)
    return violations(suggest_constraints(before), current, moved)


def test_the_same_rows_break_nothing() -> None:
    """A baseline keeps to its own constraints."""
    assert compare(BASELINE) == []


@pytest.mark.parametrize(
    ("now", "broken"),
    [
        (BASELINE.drop(columns="temp"), ("temp", "missing_column_check")),
        (BASELINE.assign(wind=1.0), ("wind", "extra_column_check")),
        (BASELINE.assign(temp="warm"), ("temp", "data_type_check")),
        (BASELINE.assign(temp=BASELINE["temp"].where(BASELINE.index >= 60)), ("temp", "completeness_check")),
        (BASELINE.assign(temp=None).astype({"temp": float}), ("temp", "completeness_check")),
        (BASELINE.assign(temp=BASELINE["temp"].where(BASELINE.index > 0, -1.0)), ("temp", "range_check")),
        (BASELINE.assign(temp=BASELINE["temp"] + 30), ("temp", "baseline_drift_check")),
        (BASELINE.assign(sky=["clear"] * 980 + ["red"] * 20), ("sky", "categorical_values_check")),
        (BASELINE.assign(sky=["clear"] * 900 + ["grey"] * 100), ("sky", "baseline_drift_check")),
    ],
)
def test_each_kind_of_break_is_told(now: pd.DataFrame, broken: tuple[str, str]) -> None:
    """Missing, new, of another type, incomplete, out of range or elsewhere: each has its kind."""
    assert broken in compare(now)


WHOLE, FRACTION = np.arange(1000.0), np.arange(1000.0) + 0.25
TEXT = np.array([f"text {n % 7}" for n in range(1000)], dtype=object)
NONE_NUMBER, NONE_TEXT = np.full(1000, np.nan), np.full(1000, None, dtype=object)
#: baseline, the window's frames, and the checks that the window breaks
TYPES = {
    "one fraction": (WHOLE, [WHOLE] * 99 + [np.append(WHOLE[1:], 2.5)], ["stray_type_check"]),
    "one fraction in a hundred": (
        WHOLE,
        [np.where(np.arange(1000) % 100, WHOLE, FRACTION)],
        ["stray_type_check"],
    ),
    "more": (WHOLE, [np.append(WHOLE[:900], FRACTION[900:])], ["data_type_check"]),
    "all fractions": (WHOLE, [FRACTION], ["data_type_check"]),
    "whole numbers of fractions": (FRACTION, [WHOLE], []),
    "a text": (FRACTION, [FRACTION] * 5 + [TEXT[:1]] + [FRACTION] * 5, ["stray_type_check"]),
    "a text at first": (FRACTION, [TEXT[:1], *[FRACTION] * 10], ["stray_type_check"]),
    "texts": (FRACTION, [TEXT], ["data_type_check"]),
    "a number": (TEXT, [WHOLE[:1], *[TEXT] * 5], ["stray_type_check"]),
    "numbers": (TEXT, [WHOLE], ["data_type_check"]),
    "no values at first": (FRACTION, [NONE_TEXT[:10], *[FRACTION] * 5], []),
    "no text at first": (TEXT, [NONE_NUMBER[:10], *[TEXT] * 5], []),
    "no values any more": (FRACTION, [NONE_NUMBER], ["completeness_check"]),
    "no texts any more": (TEXT, [NONE_TEXT], ["completeness_check"]),
    "first numbers ever": (NONE_NUMBER, [FRACTION], []),
    "first texts ever": (NONE_NUMBER, [TEXT], []),
    "first values of a text": (NONE_TEXT, [WHOLE], []),
    "still none": (NONE_NUMBER, [NONE_TEXT], []),
}


@pytest.mark.parametrize("name", TYPES)
def test_a_stray_type_is_counted_and_stops_no_comparison(name: str) -> None:
    """One value in a hundred of another type is named and is no fault; a column of nulls has no type."""
    values, frames, broken = TYPES[name]
    before = describe_frames([pd.DataFrame({"x": values})])
    (feature,) = before["features"]
    has_buckets = not is_text(feature) and count_present(feature)
    profile = Profile(
        {"x": bucket_edges(feature)} if has_buckets else {},
        {"x": list(categories(feature))} if is_text(feature) else {},
    )
    for frame in frames:
        profile.add(columns_of(pd.DataFrame({"x": frame})), len(frame))
    current = profile.statistics()
    told = violations(suggest_constraints(before), current, [])
    moved = movements(before, current, profile.counts(), RULE)
    assert [each.constraint_check_type for each in told] == broken
    assert bool(faults(told)) == (broken not in ([], ["stray_type_check"]))
    if broken == ["stray_type_check"]:
        assert [(each.name, each.is_drifted) for each in moved] == [("x", False)]


def test_a_column_without_values_has_no_type() -> None:
    """It is neither whole numbers nor text, and what comes later cannot contradict it."""
    told = suggest_constraints(describe_frames([pd.DataFrame({"a": NONE_NUMBER, "b": NONE_TEXT})]))
    assert told["features"] == [
        {"name": name, "inferred_type": "Unknown", "completeness": 0.0} for name in ("a", "b")
    ]


def test_few_rows_are_not_called_drift() -> None:
    """Ten rows from the tail say nothing about a distribution."""
    assert ("temp", "baseline_drift_check") not in compare(BASELINE.tail(10))


@settings(max_examples=40)
@given(
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=200),
    st.integers(1, 200),
)
def test_frames_make_no_difference(values: list[float | None], frame_rows: int) -> None:
    """In one frame or in many, counts are equal and moments agree with numpy's."""
    table = pd.DataFrame({"x": pd.Series(values, dtype=float)})
    frames = [table.iloc[at : at + frame_rows] for at in range(0, len(table), frame_rows)]
    found = describe_frames(frames)["features"][0]["numerical_statistics"]
    present = table["x"].dropna().to_numpy()
    assert found["common"] == {"num_present": len(present), "num_missing": len(values) - len(present)}
    if len(present):
        assert found["mean"] == pytest.approx(present.mean(), rel=1e-9, abs=1e-6)
        assert found["std_dev"] == pytest.approx(present.std(), rel=1e-6, abs=1e-6)
        buckets = found["distribution"]["kll"]["buckets"]
        assert sum(bucket["count"] for bucket in buckets) == len(present)
        assert len(buckets) <= 2 * BUCKETS + 1


def distances(before: np.ndarray, now: np.ndarray) -> tuple[float, float]:
    """The distance over a baseline's buckets, as its statistics.json has them, and the exact one."""
    feature = describe_frames([pd.DataFrame({"x": before})])["features"][0]
    profile = Profile({"x": bucket_edges(feature)})
    profile.add({"x": now}, len(now))
    sides = Counted(bucket_counts(feature)), Counted(profile.counts()["x"])
    every = np.union1d(before, now)
    reached = [np.searchsorted(np.sort(side), every, side="right") / len(side) for side in (before, now)]
    return of_numbers("x", *sides).distance, float(np.abs(reached[0] - reached[1]).max())


def with_zeros(share: float) -> np.ndarray:
    """4,000 numbers of which a share is zero."""
    return np.where(np.arange(4000) < share * 4000, 0.0, DRAWN.normal(4, 1, 4000))


DRAWN = np.random.default_rng(17)
SHAPES = {
    "normal": DRAWN.normal(0, 1, 4000),
    "shifted": DRAWN.normal(0.5, 1.3, 4000),
    "mostly zero": with_zeros(0.97),
    "half zero": with_zeros(0.5),
    "few zeros": with_zeros(0.04),
    "no zeros": with_zeros(0.0),
    "atoms within": DRAWN.choice([1.0, 1.5, 2.5], 4000) + DRAWN.choice([0.0, 1.0], 4000) * DRAWN.random(4000),
    "atoms at both ends": np.clip(DRAWN.normal(0, 1, 4000), -0.5, 0.8),
    "constant": np.full(4000, 2.0),
    "constant but one": np.append(np.full(3999, 2.0), 9.0),
    "flags": DRAWN.choice([0.0, 1.0], 4000, p=[0.9, 0.1]),
    "between flags": DRAWN.choice([0.0, 0.5, 1.0], 4000),
    "counts": DRAWN.poisson(3, 4000).astype(float),
    "many counts": DRAWN.poisson(200, 4000).astype(float),
    "heavy tails": DRAWN.standard_cauchy(4000),
    "both signs, heavy": DRAWN.normal(size=4000) * np.exp(DRAWN.normal(0, 4, 4000)),
    "two hills": np.append(DRAWN.normal(-5, 0.1, 2000), DRAWN.normal(5, 2, 2000)),
    "tiny numbers": DRAWN.choice([0.0, 5e-324, 1e-300], 4000),
    "few rows": np.array([0.0, 0.0, 0.0, 1.0, 2.5]),
}


@pytest.mark.parametrize("current", SHAPES)
@pytest.mark.parametrize("baseline", SHAPES)
def test_the_distance_is_within_a_bucket_of_the_exact_one(baseline: str, current: str) -> None:
    """Whatever the shapes of both sides, and wherever many values are equal, it misses no more than that."""
    bucketed, exact = distances(SHAPES[baseline], SHAPES[current])
    assert exact - 1 / BUCKETS - 1e-9 <= bucketed <= exact + 1e-9


ATOMS = st.sampled_from([-3.0, 0.0, 0.25, 1.0, 7.0])
VALUES = st.lists(st.one_of(ATOMS, ATOMS, st.floats(-10, 10)), min_size=1, max_size=300)


@settings(max_examples=60, deadline=None)
@given(VALUES, VALUES)
def test_any_numbers_are_within_a_bucket_of_the_exact_distance(before: list[float], now: list[float]) -> None:
    """Mass points may lie anywhere, in any share, on both sides."""
    bucketed, exact = distances(np.array(before), np.array(now))
    assert exact - 1 / BUCKETS - 1e-9 <= bucketed <= exact + 1e-9


def test_a_change_from_nearly_all_zeros_to_half_is_drift() -> None:
    """Half of the values leave zero: the distance is that of the exact distributions, 0.47, not 0.01."""
    bucketed, exact = distances(SHAPES["mostly zero"], SHAPES["half zero"])
    assert bucketed == exact == pytest.approx(0.47)


@pytest.mark.parametrize("outlier", [None, 11.0])
def test_a_long_baseline_keeps_its_mass_points(outlier: float | None) -> None:
    """Bounds come from a sample: values in turn, and a highest value that is not in it, mislead no window."""
    before = np.tile([0.0, 10.0, 5.0, 10.0], SAMPLED)
    if outlier is not None:
        before[1] = outlier
    now = np.tile([0.0, 10.0, 10.0, 10.0], SAMPLED)
    assert distances(before, before)[0] == 0
    assert distances(before, now)[0] == pytest.approx(0.25, abs=1e-4)


@pytest.mark.parametrize("outlier", [1e3, 1e9])
def test_one_outlier_does_not_blunt_the_buckets(outlier: float) -> None:
    """However far away a single value lies, all buckets hold about the same share."""
    values = np.append(np.linspace(0, 1, 10_000), outlier)
    counts = histogram(values, quantile_edges(values))
    assert counts[1:-1].max() <= 502
    assert counts.sum() == len(values)


def test_bounds_do_not_depend_on_how_rows_are_cut() -> None:
    """The same values are held, wherever a file ends, and enough of them."""
    values = np.random.default_rng(3).normal(size=3 * SAMPLED)
    whole, parts = Thinned(), Thinned()
    whole.add(values)
    for part in np.split(values, [7, 1000, 60_001, 60_002, 140_000]):
        parts.add(part)
    assert whole.held.tolist() == parts.held.tolist()
    assert 0.45 * SAMPLED <= len(whole.held) <= SAMPLED


def test_counts_outside_the_edges_are_kept() -> None:
    """A histogram has a place for values below and above, so that none is lost."""
    profile = Profile({"x": quantile_edges(np.array([3.0, 3.0]))})
    profile.add({"x": np.array([2.0, 3.0, 4.0, 5.0, np.nan])}, 5)
    assert profile.counts()["x"].tolist() == [1, 1, 2]
    buckets = profile.statistics()["features"][0]["numerical_statistics"]["distribution"]["kll"]["buckets"]
    assert [bucket["count"] for bucket in buckets] == [1, 1, 2]


def test_texts_without_end_are_counted_in_bounded_memory() -> None:
    """Past so many texts further ones share a count; those of the baseline keep theirs."""
    profile = Profile(known={"id": ["last"]})
    profile.add(columns_of(pd.DataFrame({"id": [f"{n}" for n in range(CATEGORIES + 50)]})), CATEGORIES + 50)
    profile.add(columns_of(pd.DataFrame({"id": ["last"]})), 1)
    summary = profile.columns["id"]
    assert isinstance(summary, TextSummary)
    counts = summary.categories
    assert (len(counts), counts[OTHERS], counts["last"]) == (CATEGORIES + 2, 50, 1)


def test_a_private_column_shows_counts_only() -> None:
    """Neither values nor range of a private column are written, nor constraints that tell them."""
    frame = BASELINE.assign(name=["Ann", "Bob"] * 500)
    told = describe_frames([frame], private=["temp", "name"])
    text = json.dumps([told, suggest_constraints(told)])
    assert not any(value in text for value in ("Ann", "Bob", "99.5", "0.5,"))
    present = {
        each["name"]: (each.get("numerical_statistics") or each["string_statistics"])["common"]
        for each in told["features"]
    }
    assert present["name"] == present["temp"] == {"num_present": 1000, "num_missing": 0}
    assert [each["inferred_type"] for each in suggest_constraints(told)["features"]] == [
        "Fractional",
        "String",
        "String",
    ]


def test_many_categories_do_not_pass_for_a_large_effect() -> None:
    """Of 500 rows over 100 airports more than a tenth of the distance is chance, and not taken for drift."""
    random = np.random.default_rng(1)
    before, now = (Counted(random.multinomial(rows, np.full(100, 0.01))) for rows in (20_000, 500))
    measured = of_texts("dest", before, now)
    assert measured.distance > RULE.minimum_distance
    assert measured.distance == pytest.approx(measured.by_chance, abs=0.03)
    assert measured.p_value > 0.01


def test_no_rows_are_one_fault() -> None:
    """A window without rows is a fault upstream, not a missing column for each feature."""
    profile = Profile()
    told = faults(violations(suggest_constraints(describe_frames([BASELINE])), profile.statistics(), []))
    assert [(each.feature, each.check) for each in told] == [("", "empty_window_check")]
