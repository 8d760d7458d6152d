"""The exported model is the pipeline, or it is not exported."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline

from include.ml.models.export import Agreement, Predict, compare_export, to_onnx
from include.steps.serving.inference import from_onnx
from tests.examples import not_none

GENERATOR = np.random.default_rng(0)


def fitted(values: np.ndarray, labels: np.ndarray, **options: object) -> Pipeline:
    """Trees on one column named x."""
    transformer = ColumnTransformer([("numbers", "passthrough", ["x"])])
    model = HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=1, **options)
    return Pipeline([("preprocessing", transformer), ("model", model)]).fit(
        pd.DataFrame({"x": values}), labels
    )


def native(pipeline: Pipeline) -> Predict:
    """What the pipeline itself answers."""
    return lambda numbers, _strings: pipeline.predict_proba(pd.DataFrame(numbers, columns=["x"]))


# the converter hands booleans to protobuf, which the pinned release still takes
@pytest.mark.filterwarnings("ignore:Field onnx.AttributeProto.ints:DeprecationWarning")
def test_values_beside_a_threshold_stay_on_their_side() -> None:
    """Neighbours of single precision, with a threshold between them, are told apart as before."""
    lower = GENERATOR.uniform(1, 2, 200).astype(np.float32)
    values = np.concatenate([lower, np.nextafter(lower, np.float32(9))])
    labels = np.repeat([0, 1], 200)
    pipeline = fitted(values, labels)
    export = from_onnx(to_onnx(pipeline, ["x"], []))
    rows = values.reshape(-1, 1), np.empty((400, 0), object)
    assert compare_export(native(pipeline), [export], [("training rows", rows)], 0.5).is_close


def test_splits_on_categories_are_refused() -> None:
    """What the converter would export wrong is not exported."""
    values = GENERATOR.integers(0, 5, 100).astype(np.float32)
    pipeline = fitted(values, (values % 2).astype(int), categorical_features=[0])
    with pytest.raises(ValueError, match="categorical_features"):
        to_onnx(pipeline, ["x"], [])


def answer(*rows: list[float] | None) -> Predict:
    """A model of one number that answers by its place in a list, and raises for None."""

    def predict(numbers: np.ndarray, _strings: np.ndarray) -> np.ndarray:
        return np.array([not_none(rows[int(number)]) for number in numbers[:, 0]])

    return predict


def compare(expected: Predict, actual: Predict, rows: int, threshold: float | None = 0.5) -> Agreement:
    """The agreement of two models on rows that are numbered from 0."""
    numbers = np.arange(rows, dtype=np.float32).reshape(-1, 1)
    return compare_export(expected, [actual], [("odd", (numbers, np.empty((rows, 0), object)))], threshold)


EXPECTED = ([0.9, 0.1], [0.499995, 0.500005], [0.2, 0.8])


@pytest.mark.parametrize(
    ("second", "fault"),
    [
        ([0.399995, 0.600005], "odd: answers differ by 1.00e-01 (allowed 7.3e-06)"),
        ([np.nan, 0.5], "odd: the pipeline alone answers 1 of 3 rows"),
        (None, "odd: the pipeline alone answers 1 of 3 rows"),
        ([0.500001, 0.499999], "odd: 1 labels differ"),
    ],
)
def test_a_difference_is_no_agreement(second: list[float] | None, fault: str) -> None:
    """Other numbers, numbers that are none, a refusal, and another label beyond the margin."""
    agreement = compare(answer(*EXPECTED), answer(EXPECTED[0], second, EXPECTED[2]), 3)
    assert (fault, False) == (str(agreement), agreement.is_close)


def test_what_the_pipeline_refuses_the_export_must_not_answer() -> None:
    """A row that raises among others that do not is compared on its own."""
    agreement = compare(answer([0.9, 0.1], None, [0.2, 0.8]), answer(*EXPECTED), 3)
    assert (str(agreement), agreement.is_close) == ("odd: the export alone answers 1 of 3 rows", False)


def test_both_may_refuse() -> None:
    """Agreement is also about what raises."""
    models = answer([0.9, 0.1], None, [0.2, 0.8]), answer([0.9, 0.1], [np.nan, np.nan], [0.2, 0.8])
    assert compare(*models, 3).is_close


def test_labels_at_the_threshold_are_counted() -> None:
    """A score within a millionth of the threshold may fall on the other side, and the outcome says so."""
    at = answer(EXPECTED[0], [0.5, 0.5], EXPECTED[2])
    agreement = compare(at, answer(EXPECTED[0], [0.5000005, 0.4999995], EXPECTED[2]), 3)
    assert (agreement.is_close, agreement.labels_at_threshold) == (True, 1)
    assert str(agreement).endswith("; 1 labels differ at the threshold")


def test_the_tolerance_is_measured_by_the_spread_of_the_answers() -> None:
    """A difference of a hundred-thousandth is much where all answers lie within a thousandth."""
    narrow = [[0.5 + i / 1e5, 0.5 - i / 1e5] for i in range(20)]
    moved = [[first + 1e-5, second - 1e-5] for first, second in narrow]
    assert not compare(answer(*narrow), answer(*moved), 20, None).is_close


def test_no_rows_are_no_proof() -> None:
    """An export that was compared on nothing is not kept."""
    assert not compare_export(answer(), [answer()], [], 0.5).is_close
