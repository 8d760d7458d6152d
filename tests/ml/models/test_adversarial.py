"""Odd rows hold what data lacks, and rows beside thresholds lie beside them."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from include.ml.models import adversarial
from include.ml.models.adversarial import (
    LARGEST,
    find_splits,
    from_order,
    odd_rows,
    odd_values,
    order_of,
    split_rows,
)

SINGLE = np.float32


def test_odd_numbers_hold_extremes_and_their_neighbours() -> None:
    """Missing, zeros, tiny and largest numbers, and what lies just outside of training."""
    values = odd_values(np.array([1.5, 2.5, np.nan]))
    assert np.isnan(values).any()
    assert {0.0, 1e-36, LARGEST, -LARGEST, 1.5, 2.5} <= set(values.tolist())
    outside = {float(np.nextafter(SINGLE(1.5), SINGLE(0))), float(np.nextafter(SINGLE(2.5), SINGLE(9)))}
    assert outside <= set(values.tolist())
    assert np.signbit(values[values == 0]).tolist() == [False, True]


@pytest.mark.parametrize("values", [[np.nan, np.nan], [LARGEST, -LARGEST], [0.0]])
def test_odd_numbers_are_numbers_of_single_precision(values: list[float]) -> None:
    """A column without a value and one at the end of the range have odd values as well, none infinite."""
    odd = odd_values(np.array(values))
    assert not np.isinf(odd.astype(SINGLE)).any()


def test_every_column_is_odd_once_alone() -> None:
    """Each kind of row is there, and columns are as long as each other."""
    columns = {"price": np.array([1.0, 2.0, 3.0]), "country": np.array(["US", "US", "FR"], object)}
    rows = dict(odd_rows(columns))
    assert [*rows] == [
        "odd values of price",
        "odd values of country",
        "odd values of all columns",
        "odd values of some columns",
    ]
    assert all(len({len(values) for values in changed.values()}) == 1 for changed in rows.values())
    assert set(rows["odd values of price"]["country"]) == {"US", "FR"}
    assert {"", " US", "us", "7"} <= set(rows["odd values of country"]["country"])


def test_rows_of_which_the_cycle_makes_nothing_are_left_out() -> None:
    """Code of the cycle that raises for one row does not hide the others."""

    def features(columns: adversarial.Columns) -> adversarial.Inputs:
        if np.isnan(columns["x"]).any():
            raise ZeroDivisionError
        return columns["x"].reshape(-1, 1).astype(SINGLE), np.empty((len(columns["x"]), 0), object)

    made = list(adversarial.make_inputs(features, {"x": np.array([1.0, np.nan, 3.0])}))
    assert list(chain.from_iterable(numbers[:, 0].tolist() for numbers, _ in made)) == [1.0, 3.0]


X = np.random.default_rng(0).normal(500, 20, (300, 2)).astype(SINGLE)
Y = (X[:, 0] + X[:, 1] > 1000).astype(int)
TREES = HistGradientBoostingClassifier(max_iter=3, random_state=0)
FOREST = RandomForestClassifier(3, max_depth=3, random_state=0)
SCALED = make_pipeline(StandardScaler(), TREES)
MODELS = {
    "vote of pipelines": VotingClassifier([("first", SCALED), ("second", SCALED)]),
    "trees": TREES,
    "forest": FOREST,
    "scaled trees": make_pipeline(StandardScaler(), TREES),
    "vote": VotingClassifier([("trees", make_pipeline(StandardScaler(), TREES)), ("forest", FOREST)]),
}


@pytest.mark.parametrize("name", MODELS)
def test_rows_beside_a_threshold_are_told_apart_by_the_model(name: str) -> None:
    """Every threshold has two neighbours in single precision, of which the tree sends one to each side."""
    both = ColumnTransformer([("numbers", "passthrough", ["a", "b"])])
    pipeline = Pipeline([("preprocessing", both), ("model", MODELS[name])])
    pipeline.fit(pd.DataFrame(X, columns=["a", "b"]), Y)
    kinds = find_splits(pipeline, lambda numbers, _strings: pd.DataFrame(numbers, columns=["a", "b"]))
    assert sum(len(splits.thresholds) for splits in kinds) > 10
    for splits in kinds:
        numbers, strings = split_rows(splits, X, np.empty((300, 0), object))
        count = len(splits.thresholds)
        assert len(numbers) == 4 * count
        seen = np.asarray(splits.transform(numbers, strings))
        at = np.arange(count), splits.features
        left, right = (seen[k * count : (k + 1) * count][at] for k in (1, 2))
        assert ((left > splits.thresholds) != (right > splits.thresholds)).all()
        changed = [numbers[k * count : (k + 1) * count] for k in (1, 2)]
        beside = np.nextafter(*changed)
        np.testing.assert_array_equal(beside, changed[1])


def test_a_tree_without_a_split_has_no_rows() -> None:
    """A model that learnt nothing is compared on the other rows."""
    pipeline = Pipeline([("model", HistGradientBoostingClassifier(max_iter=1, min_samples_leaf=300))]).fit(
        X, Y
    )
    (splits,) = find_splits(pipeline, lambda numbers, _strings: numbers)
    numbers, strings = split_rows(splits, X, np.empty((300, 0), object))
    assert (len(splits.thresholds), len(numbers), len(strings)) == (0, 0, 0)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_neighbours_in_order_are_neighbours_in_single_precision(value: float) -> None:
    """The order that bisection walks is that of single precision, across 0 as well."""
    (place,) = order_of(np.array([value]))
    above = from_order(np.array([place, place + 1]))
    assert above[0] == value
    with np.errstate(all="ignore"):
        assert above[1] == np.nextafter(SINGLE(value), SINGLE(np.inf))
