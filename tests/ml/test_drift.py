"""Statistics do not depend on how rows are cut into frames, and each kind of break is told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from include.ml.constraints import suggest
from include.ml.drift import bucket_edges, distances, violations
from include.ml.statistics import BUCKETS, Histograms, Profile, describe_frames, histogram

BASELINE = pd.DataFrame({"temp": np.linspace(0.5, 99.5, 1000), "sky": ["clear", "grey"] * 500})


def compare(now: pd.DataFrame, baseline: pd.DataFrame = BASELINE) -> list[tuple[str, str]]:
    """The breaks that the current rows make, as feature and kind."""
    before, current = describe_frames([baseline]), describe_frames([now])
    counts = {
        feature["name"]: histogram(now[feature["name"]].dropna().to_numpy(), bucket_edges(feature))
        for feature in before["features"]
        if feature["name"] in now
        and pd.api.types.is_numeric_dtype(now[feature["name"]])
        and feature["inferred_type"] != "String"
    }
    found = violations(suggest(before), current, distances(before, current, counts))
    return [(each["feature_name"], each["constraint_check_type"]) for each in found]


def test_the_same_rows_break_nothing():
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
def test_each_kind_of_break_is_told(now: pd.DataFrame, broken: tuple[str, str]):
    """Missing, new, of another type, incomplete, out of range or elsewhere: each has its kind."""
    assert broken in compare(now)


def test_few_rows_are_not_called_drift():
    """Ten rows from the tail say nothing about a distribution."""
    assert ("temp", "baseline_drift_check") not in compare(BASELINE.tail(10))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=200),
    st.integers(1, 200),
)
def test_frames_make_no_difference(values: list[float | None], frame_rows: int):
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
        assert len(buckets) <= BUCKETS + 1


def test_the_distance_is_close_to_the_exact_one():
    """Over buckets the Kolmogorov-Smirnov distance misses the exact one by no more than a bucket's share."""
    random = np.random.default_rng(0)
    before, now = random.normal(0, 1, 5000), random.normal(0.5, 1.3, 5000)
    baseline = describe_frames([pd.DataFrame({"x": before})])
    current = describe_frames([pd.DataFrame({"x": now})])
    counts = {"x": histogram(now, bucket_edges(baseline["features"][0]))}
    exact = ks_2samp(before, now).statistic
    assert distances(baseline, current, counts)["x"] == pytest.approx(exact, abs=1 / BUCKETS)


def test_counts_outside_the_edges_are_kept():
    """A histogram has a place for values below and above, so that none is lost."""
    profile = Profile()
    profile.add(pd.DataFrame({"x": [3.0, 3.0]}))
    counted = Histograms(profile.fine_edges())
    counted.add(pd.DataFrame({"x": [2.0, 3.0, 4.0, 5.0]}))
    assert counted.counts["x"].tolist() == [1, 1, 2]
