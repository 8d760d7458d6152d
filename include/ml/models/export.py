"""Export of a fitted pipeline to ONNX, and whether two models of the same rows agree."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from include.core.documents.model import Reproduction

#: differences that single precision explains: this share of the answers' spread, and steps of the largest
SPREAD_SHARE = 1e-5
SINGLE_STEPS = 16
#: rows whose score is so near to the decision threshold may have the other label
LABEL_MARGIN = 1e-6
#: rows that are asked at once
CHUNK_ROWS = 65_536

Inputs = tuple[np.ndarray, np.ndarray]
Predict = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Agreement:
    """How far the answers of a pipeline and of its export are apart."""

    #: largest difference of any probability of any row, 0 to 1
    worst_difference: float
    #: the difference that is allowed
    tolerance: float
    #: rows that were compared
    rows: int
    #: rows at the decision threshold that have another label
    labels_at_threshold: int = 0
    #: the first disagreement, for people
    fault: str | None = None

    @property
    def is_close(self) -> bool:
        """Whether rows were compared, and none disagrees."""
        return self.rows > 0 and self.fault is None

    def __str__(self) -> str:
        if self.fault is not None:
            return self.fault
        n = self.labels_at_threshold
        beside = f"; {n} labels differ at the threshold" if n else ""
        return (
            f"largest difference {self.worst_difference:.2e} on {self.rows} rows of training, validation and "
            f"made to differ (allowed {self.tolerance:.1e}){beside}"
        )


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


def compare_export(
    native: Predict, exported: Sequence[Predict], rows: Iterable[tuple[str, Inputs]], threshold: float | None
) -> Agreement:
    """Compare what a pipeline and its export answer, and whether they answer, up to the first disagreement.

    Parameters
    ----------
    native
        The fitted pipeline.
    exported
        The export, once for each number of threads that it is served with.
    rows
        What rows they are, and the rows: the training rows first, whose answers' spread is the measure.
    threshold
        From which a binary model says the second class; None for the likeliest class.
    """
    agreement: Agreement | None = None
    for name, (numbers, strings) in rows:
        for start in range(0, len(numbers), CHUNK_ROWS):
            part = numbers[start : start + CHUNK_ROWS], strings[start : start + CHUNK_ROWS]
            expected = answer_rows(native, *part)
            agreement = agreement or Agreement(0.0, _tolerance(expected), 0)
            for predict in exported:
                # one row takes another path through the runtime than many
                first = answer_rows(predict, part[0][:1], part[1][:1])
                for answers in (answer_rows(predict, *part), first):
                    agreement = _extend(agreement, name, expected[: len(answers)], answers, threshold)
            agreement = replace(agreement, rows=agreement.rows + len(expected))
            if agreement.fault:
                return agreement
    return agreement or Agreement(0.0, 0.0, 0)


def answer_rows(predict: Predict, numbers: np.ndarray, strings: np.ndarray) -> np.ndarray:
    """Return a model's answers, shape (rows, classes); NaN for a row without a finite answer."""
    try:
        answers = np.asarray(predict(numbers, strings), dtype=np.float64)
    except Exception:  # noqa: BLE001 - estimators raise what they like, also for one row among many
        if len(numbers) == 1:
            return np.full((1, 1), np.nan)
        half = len(numbers) // 2
        parts = [answer_rows(predict, numbers[at], strings[at]) for at in (slice(half), slice(half, None))]
        width = max(part.shape[1] for part in parts)
        return np.concatenate([np.broadcast_to(p, (len(p), width)) if p.shape[1] == 1 else p for p in parts])
    return np.where(np.isfinite(answers).all(axis=1, keepdims=True), answers, np.nan)


def _tolerance(answers: np.ndarray) -> float:
    """Return the difference that single precision explains, by the answers to the training rows."""
    known = answers[np.isfinite(answers).all(axis=1)]
    if not len(known):
        return 0.0
    low, high = np.quantile(known, (0.05, 0.95), axis=0)
    steps = SINGLE_STEPS * np.spacing(np.float32(np.abs(known).max()))
    return float((high - low).max() * SPREAD_SHARE + steps)


def _extend(
    before: Agreement, name: str, expected: np.ndarray, actual: np.ndarray, threshold: float | None
) -> Agreement:
    """Return the agreement with more rows."""
    if before.fault:
        return before
    is_answered, is_given = ~np.isnan(expected[:, 0]), ~np.isnan(actual[:, 0])
    if n_alone := int((is_answered != is_given).sum()):
        who = "the export" if (is_given & ~is_answered).any() else "the pipeline"
        return replace(before, fault=f"{name}: {who} alone answers {n_alone} of {len(expected)} rows")
    if not is_answered.any():
        return before
    expected, actual = expected[is_answered], actual[is_answered]
    if expected.shape != actual.shape:
        return replace(before, fault=f"{name}: the export answers {actual.shape[1]} classes")
    difference = float(np.abs(expected - actual).max())
    predicted, margin = _decide(expected, threshold)
    is_other = predicted != _decide(actual, threshold)[0]
    at_threshold = int((is_other & (margin <= LABEL_MARGIN)).sum())
    fault = None
    if difference > before.tolerance:
        fault = f"{name}: answers differ by {difference:.2e} (allowed {before.tolerance:.1e})"
    elif at_threshold < is_other.sum():
        fault = f"{name}: {int(is_other.sum())} labels differ"
    return replace(
        before,
        worst_difference=max(before.worst_difference, difference),
        labels_at_threshold=before.labels_at_threshold + at_threshold,
        fault=fault,
    )


def _decide(answers: np.ndarray, threshold: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's label, and how far its score is from another one."""
    if threshold is not None:
        return answers[:, 1] >= threshold, np.abs(answers[:, 1] - threshold)
    ordered = np.sort(answers, axis=1)
    return answers.argmax(axis=1), ordered[:, -1] - ordered[:, -2]


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
