"""The exported model is the pipeline, or it is not exported."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline

from include.ml.models.export import compare_export, to_onnx
from include.steps.serving.inference import from_onnx

GENERATOR = np.random.default_rng(0)


def fitted(values: np.ndarray, labels: np.ndarray, **options: object) -> Pipeline:
    """Trees on one column named x."""
    transformer = ColumnTransformer([("numbers", "passthrough", ["x"])])
    model = HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=1, **options)
    return Pipeline([("preprocessing", transformer), ("model", model)]).fit(
        pd.DataFrame({"x": values}), labels
    )


# the converter hands booleans to protobuf, which the pinned release still takes
@pytest.mark.filterwarnings("ignore:Field onnx.AttributeProto.ints:DeprecationWarning")
def test_values_beside_a_threshold_stay_on_their_side() -> None:
    """Neighbours of single precision, with a threshold between them, are told apart as before."""
    lower = GENERATOR.uniform(1, 2, 200).astype(np.float32)
    values = np.concatenate([lower, np.nextafter(lower, np.float32(9))])
    labels = np.repeat([0, 1], 200)
    pipeline = fitted(values, labels)
    expected = pipeline.predict_proba(pd.DataFrame({"x": values}))
    actual = from_onnx(to_onnx(pipeline, ["x"], []))(values.reshape(-1, 1), np.empty((400, 0), object))
    assert compare_export(expected, actual).is_close


def test_splits_on_categories_are_refused() -> None:
    """What the converter would export wrong is not exported."""
    values = GENERATOR.integers(0, 5, 100).astype(np.float32)
    pipeline = fitted(values, (values % 2).astype(int), categorical_features=[0])
    with pytest.raises(ValueError, match="categorical_features"):
        to_onnx(pipeline, ["x"], [])


@pytest.mark.parametrize("actual", [np.array([[0.4, 0.6]]), np.array([[np.nan, 0.5]]), np.array([[1.0]])])
def test_a_difference_is_no_agreement(actual: np.ndarray) -> None:
    """Other numbers, numbers that are none, and another shape."""
    assert not compare_export(np.array([[0.5, 0.5]]), actual).is_close


def test_no_rows_are_no_proof() -> None:
    """An export that was compared on nothing is not kept."""
    assert not compare_export(np.empty((0, 2)), np.empty((0, 2))).is_close
