"""A model ready to predict, by the same path from rows to numbers in training, evaluation, batch and online.

Rows become two arrays: `numbers` (single precision, the columns of the signature that are numbers, then the
combined attributes) and `strings`. The ONNX model takes them as they are, the scikit-learn pipeline as a
table of named columns. Neither pandas nor scikit-learn is imported here as long as the ONNX model is there.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from include.core.documents.model import ModelSignature
from include.core.layout import SIGNATURE
from include.ml.exceptions import InvalidRow
from include.ml.models.limits import Limits, explain_failure
from include.steps.contract import read_document
from include.steps.serving import model_files

Arrays = dict[str, np.ndarray]
Combine = Callable[[Mapping[str, np.ndarray]], Arrays]
#: probabilities of the classes, one row each, from numbers and strings
Predict = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Model:
    """A signature, the cycle's combined attributes, and something that turns numbers into probabilities."""

    signature: ModelSignature
    combine: Combine
    predict: Predict

    @cached_property
    def limits(self) -> Limits:
        """Return which rows the model takes."""
        return Limits.of(self.signature)

    def features(self, columns: Arrays) -> tuple[np.ndarray, np.ndarray]:
        """Return the two arrays that the model takes, from one array for each column of the signature."""
        return stack(self.signature, self.combine, columns)

    def probabilities(self, columns: Arrays) -> np.ndarray:
        """Return probabilities of the classes, shape (rows, classes); all are finite.

        :raises InvalidRow: naming the first row that the model does not take, and its column
        """
        try:
            return self._answer(columns)
        except InvalidRow:
            raise
        except Exception as error:
            invalid = explain_failure(self._answer, columns, self.signature.example, str(error))
            if invalid is None:
                raise
            raise invalid from error

    def _answer(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        inputs = self.features(dict(columns))
        self.limits.require(*inputs)
        probabilities = self.predict(*inputs)
        if not np.isfinite(probabilities).all():
            row = int((~np.isfinite(probabilities)).any(axis=1).argmax()) + 1
            raise ArithmeticError(f"The score of row {row} is no finite number")
        return probabilities

    def label(self, probabilities: np.ndarray) -> tuple[list[str], list[float]]:
        """Return label and score of every row: the score of the positive class, or of the label."""
        classes = self.signature.classes
        if self.signature.task == "binary":
            scores = probabilities[:, 1].tolist()
            low, high = classes
            return [high if score >= self.signature.threshold else low for score in scores], scores
        best = probabilities.argmax(axis=1)
        return [classes[index] for index in best.tolist()], probabilities.max(axis=1).tolist()


def stack(signature: ModelSignature, combine: Combine, columns: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Add the combined attributes and stack everything, strings apart.

    :param columns: one array of equal length for each column of the signature; a missing number is NaN
    """
    every = {**columns, **combine(columns)}
    rows = len(every[signature.columns[0].name])
    return (
        _side_by_side([every[name] for name in signature.numbers], rows, np.float32),
        _side_by_side([every[name] for name in signature.strings], rows, object),
    )


def _side_by_side(columns: Sequence[np.ndarray], rows: int, kind: type) -> np.ndarray:
    """Return one row-major array of columns; each call of NumPy costs as much as a row, so it is one."""
    if not columns:
        return np.empty((rows, 0), dtype=kind)
    joined: np.ndarray = np.concatenate(columns, dtype=kind, casting="unsafe")
    return np.ascontiguousarray(joined.reshape(len(columns), rows).T)


def to_arrays(signature: ModelSignature, columns: Sequence[Sequence[Any]]) -> Arrays:
    """Return arrays from the lists of a payload."""
    return {
        column.name: np.array(values, dtype=np.float64 if column.is_number else object)
        for column, values in zip(signature.columns, columns, strict=True)
    }


def table(signature: ModelSignature, numbers: np.ndarray, strings: np.ndarray) -> Any:  # noqa: ANN401 - no pandas here
    """Return the data frame that the scikit-learn pipeline takes."""
    import pandas as pd  # noqa: PLC0415 - serving ONNX must not need pandas

    frame = pd.DataFrame(numbers, columns=list(signature.numbers))
    return frame.assign(**{name: strings[:, index] for index, name in enumerate(signature.strings)})


def from_estimator(estimator: Any, signature: ModelSignature) -> Predict:  # noqa: ANN401 - scikit-learn has no types
    """Return a function that predicts by a fitted scikit-learn pipeline."""

    def predict(numbers: np.ndarray, strings: np.ndarray) -> np.ndarray:
        return np.asarray(estimator.predict_proba(table(signature, numbers, strings)))

    return predict


def from_onnx(model: bytes | Path, threads: int = 1) -> Predict:
    """Return a function that predicts by an exported model; more threads pay only for many rows at once."""
    import onnxruntime  # noqa: PLC0415 - the fallback does without

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    content = model if isinstance(model, bytes) else str(model)
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    inputs = {node.name for node in session.get_inputs()}

    def predict(numbers: np.ndarray, strings: np.ndarray) -> np.ndarray:
        feed = {"numbers": numbers, "strings": strings}
        probabilities: np.ndarray = session.run(["probabilities"], {name: feed[name] for name in inputs})[0]
        return probabilities

    return predict


def read_model(folder: Path, *, prefer_onnx: bool = True, threads: int = 1) -> Model:
    """Return the model in a folder; check its files by their digests before loading them."""
    names = model_files.check_manifest(folder)
    signature = read_document(folder / SIGNATURE, ModelSignature.from_text, "Train again.")
    combine = importlib.import_module(f"include.cycles.{signature.cycle}.features").combine
    if prefer_onnx and model_files.ONNX in names:
        return Model(signature, combine, from_onnx(folder / model_files.ONNX, threads))
    estimator = model_files.read_estimator(folder / model_files.SKOPS)
    return Model(signature, combine, from_estimator(estimator, signature))


def spread_classes(probabilities: np.ndarray, classes: Sequence[str], every: Sequence[str]) -> np.ndarray:
    """Return probabilities of all classes of a cycle; a class that the model has not met has 0."""
    wide = np.zeros((len(probabilities), len(every)))
    wide[:, [every.index(name) for name in classes]] = probabilities
    return wide
