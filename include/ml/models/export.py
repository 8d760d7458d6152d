"""Export of a fitted pipeline to ONNX, and whether two models of the same rows agree."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from include.core.documents.model import Reproduction

#: how far a probability of the exported model may be from the original's: ONNX computes in single precision
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Agreement:
    """How far two sets of probabilities are apart."""

    #: largest difference of any probability of any row, 0 to 1
    worst_difference: float
    #: rows that were compared
    rows: int

    @property
    def is_close(self) -> bool:
        """Whether no probability differs by more than the tolerance."""
        return self.rows > 0 and self.worst_difference <= TOLERANCE

    def __str__(self) -> str:
        return f"largest difference {self.worst_difference:.2e} on {self.rows} rows (allowed {TOLERANCE:g})"


def to_onnx(pipeline: Pipeline, numbers: Sequence[str], strings: Sequence[str]) -> bytes:
    """Return the whole pipeline, preprocessing included, as an ONNX model.

    The model takes `numbers`, float32 of shape (rows, len(numbers)), and, if there are any, `strings` of
    shape (rows, len(strings)): with one input for each column a one-row prediction takes twice as long.

    Parameters
    ----------
    pipeline
        Fitted; its first step is a ColumnTransformer that names its columns.
    numbers, strings
        Names of the columns, in the order of the inputs.

    Raises
    ------
    Exception
        Whatever the converter raises for an estimator that it does not know; there is no common base.
    """
    from skl2onnx import to_onnx as convert  # noqa: PLC0415 - heavy, and only training exports
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType  # noqa: PLC0415

    _refuse_native_categories(pipeline)
    inputs: list[tuple[str, object]] = [("numbers", FloatTensorType([None, len(numbers)]))]
    if strings:
        inputs.append(("strings", StringTensorType([None, len(strings)])))
    indexed = _by_index(pipeline, [*numbers, *strings])
    model = convert(indexed, initial_types=inputs, options={id(indexed): {"zipmap": False}})
    exported: bytes = model.SerializeToString()
    return exported


def _by_index(pipeline: Pipeline, order: list[str]) -> Pipeline:
    """Return a copy whose column transformer takes columns by their place in the inputs."""
    indexed = copy.deepcopy(pipeline)
    transformer = indexed[0]
    transformer.transformers_ = [
        (name, step, [order.index(column) for column in columns])
        for name, step, columns in transformer.transformers_
        if len(columns)
    ]
    for estimator in _parts(indexed[-1]):
        for tree in chain.from_iterable(getattr(estimator, "_predictors", [])):
            tree.nodes["num_threshold"] = _floor_single(tree.nodes["num_threshold"])
    return indexed


def _parts(estimator: Any) -> Iterator[Any]:  # noqa: ANN401 - any estimator of scikit-learn, which has no types
    """Yield the fitted estimator, those that it averages, and the steps of pipelines among them."""
    yield estimator
    steps = [step for _, step in getattr(estimator, "steps", [])]
    for part in [*getattr(estimator, "estimators_", []), *steps]:
        yield from _parts(part)


def _floor_single(thresholds: np.ndarray) -> np.ndarray:
    """Return the next lower number of single precision: `x <= threshold` stays as it is for any such x.

    Rounding to the nearest, as the converter does, moves a threshold between two neighbouring values onto the
    upper one, and rows change sides.
    """
    nearest = thresholds.astype(np.float32)
    lower = np.nextafter(nearest, np.float32(-np.inf), dtype=np.float32)
    return np.where(nearest > thresholds, lower, nearest).astype(np.float64)


def _refuse_native_categories(pipeline: Pipeline) -> None:
    """Refuse what the converter silently exports wrong: it takes splits on sets for splits on numbers."""
    if any(np.any(getattr(part, "is_categorical_", None)) for part in _parts(pipeline[-1])):
        raise ValueError(
            "boosted trees with categorical_features cannot be exported; encode categories in the pipeline"
        )


def compare_export(expected: np.ndarray, actual: np.ndarray) -> Agreement:
    """Compare probabilities, both of shape (rows, classes).

    >>> compare_export(np.array([[0.25, 0.75]]), np.array([[0.25, 0.75]])).is_close
    True
    """
    if expected.shape != actual.shape or not np.isfinite(actual).all():
        return Agreement(float("inf"), len(expected))
    return Agreement(float(np.abs(expected - actual).max(initial=0.0)), len(expected))


def compare_reproduction(original: np.ndarray, again: np.ndarray, tolerance: float) -> Reproduction:
    """Compare probabilities, both of shape (rows, classes); a number that is none is a difference.

    >>> compare_reproduction(np.array([[0.25, 0.75]]), np.array([[0.5, 0.5]]), 0.1).rows_beyond
    1
    """
    if original.shape == again.shape:
        by_row = np.abs(original - again).max(axis=1, initial=0.0)
        by_row[~np.isfinite(by_row)] = np.inf
    else:
        by_row = np.full(len(original), np.inf)
    largest, beyond = float(by_row.max(initial=0.0)), int((by_row > tolerance).sum())
    return Reproduction(
        rows=len(by_row),
        largest=largest if np.isfinite(largest) else None,
        rows_beyond=beyond,
        tolerance=tolerance,
        is_reproduced=len(by_row) > 0 and not beyond,
    )
