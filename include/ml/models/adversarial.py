"""Rows on which an exported model is apt to differ, made from the data and from the fitted pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

#: one array for each column that clients send: float64 with NaN, or str with "" for a missing value
Columns = Mapping[str, np.ndarray]
#: numbers (rows, features) in single precision, and strings
Inputs = tuple[np.ndarray, np.ndarray]
Features = Callable[[Columns], Inputs]
#: what a step of a pipeline sees of numbers and strings
Transform = Callable[[np.ndarray, np.ndarray], Any]
#: a fitted pipeline, and what makes its table
Seen = tuple[Pipeline, Transform]

#: the largest number of single precision
LARGEST = float(np.finfo(np.float32).max)
#: numbers that every model must bear, whatever the data
NUMBERS = (np.nan, 0.0, -0.0, 1e-36, -1e-36, 0.5, -1.0, LARGEST, -LARGEST)
#: texts that no data is likely to have; some look like numbers or like missing values
STRINGS = ("", " ", "unknown \u2205", "7", "-1", "1e3", "nan", "None")
#: shares of the rows below the values that are tried with their neighbours
SHARES = (0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0)
#: rows of the data that are changed in each column
BASES = 3
#: rows in which several columns are changed at once
MIXED_ROWS = 300
#: share of the columns that are changed in such a row
MIXED_SHARE = 0.3
#: thresholds that are tried; a larger model has its thresholds evenly sampled
SPLITS = 2000


def all_rows(
    model: Seen,
    features: Features,
    accept: Callable[[np.ndarray, np.ndarray], np.ndarray],
    known: Mapping[str, Columns],
) -> Iterator[tuple[str, Inputs]]:
    """Yield the rows on which an export must agree: the known ones, odd ones, and both sides of each split.

    Parameters
    ----------
    model
        The fitted pipeline, and what makes its table from numbers and strings.
    features
        Makes numbers and strings of the columns that clients send.
    accept
        Tells which rows the model is ever asked; others are left out.
    known
        Rows by their name, those of training first.

    Yields
    ------
    What the rows are, for people, and their numbers and strings.
    """
    columns = next(iter(known.values()))
    numbers, strings = features(columns)
    parts: list[Iterator[tuple[str, Inputs]]] = [
        ((f"{name} rows", features(rows)) for name, rows in known.items() if len(next(iter(rows.values())))),
        ((name, inputs) for name, rows in odd_rows(columns) for inputs in make_inputs(features, rows)),
        odd_features(numbers, strings),
        (
            ("rows beside the thresholds of trees", split_rows(splits, numbers, strings))
            for splits in find_splits(*model)
        ),
    ]
    for name, inputs in chain.from_iterable(parts):
        taken = accept(*inputs)
        if taken.any():
            yield name, (inputs[0][taken], inputs[1][taken])


def make_inputs(features: Features, rows: dict[str, np.ndarray]) -> Iterator[Inputs]:
    """Yield the inputs of rows; those of which the cycle's code makes none reach no model."""
    count = len(next(iter(rows.values())))
    try:
        with np.errstate(all="ignore"):
            inputs = [features(rows)]
    except Exception:  # noqa: BLE001 - the cycle's code raises what it likes
        inputs = []
        for half in (slice(count // 2), slice(count // 2, None)) if count > 1 else ():
            inputs += make_inputs(features, {name: values[half] for name, values in rows.items()})
    yield from inputs


def odd_features(numbers: np.ndarray, strings: np.ndarray) -> Iterator[tuple[str, Inputs]]:
    """Yield rows in which one number is missing, 0 or infinite, also one that the cycle makes of columns."""
    chosen = np.unique(np.linspace(0, len(numbers) - 1, BASES).astype(int))
    values = np.array([np.nan, 0.0, np.inf, -np.inf], dtype=np.float32)
    texts = np.tile(strings[chosen], (len(values), 1))
    for number in range(numbers.shape[1]):
        changed = np.tile(numbers[chosen], (len(values), 1))
        changed[:, number] = np.repeat(values, len(chosen))
        yield f"missing and infinite number {number + 1}", (changed, texts)


def odd_values(values: np.ndarray) -> np.ndarray:
    """Return values to try in a column: what the data lacks, extremes, neighbours in single precision.

    >>> odd_values(np.array(["US", "US", "FR"], object)).tolist()[-5:]
    ['FR', 'US', 'us', ' US', 'USx']
    """
    if values.dtype == object:
        known, counts = np.unique(values.astype(str), return_counts=True)
        common = known[counts.argmax()]
        texts = (*STRINGS, known[counts.argmin()], common, common.lower(), f" {common}", f"{common}x")
        return np.array(list(dict.fromkeys(map(str, texts))), dtype=object)
    known = values[np.isfinite(values)].astype(np.float32)
    at = np.unique(np.quantile(known, SHARES, method="nearest")) if len(known) else known
    with np.errstate(all="ignore"):
        beside = [np.nextafter(at, np.float32(bound)) for bound in (-np.inf, np.inf)]
    return np.concatenate([NUMBERS, at, *beside]).clip(-LARGEST, LARGEST)


def odd_rows(columns: Columns) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield rows of the data in which one column, every column, or some columns have odd values.

    Parameters
    ----------
    columns
        The training rows, at least one.

    Yields
    ------
    What was changed, for people, and the changed rows.
    """
    rows = len(next(iter(columns.values())))
    chosen = np.unique(np.linspace(0, rows - 1, BASES).astype(int))
    odd = {name: odd_values(values) for name, values in columns.items()}
    for name, values in odd.items():
        changed = {other: np.tile(columns[other][chosen], len(values)) for other in columns}
        changed[name] = np.repeat(values, len(chosen))
        yield f"odd values of {name}", changed
    longest = max(map(len, odd.values()))
    yield "odd values of all columns", {name: np.resize(values, longest) for name, values in odd.items()}
    base, mixed = np.linspace(0, rows - 1, MIXED_ROWS).astype(int), {}
    for number, (name, values) in enumerate(columns.items(), 1):
        # multiples of irrational numbers spread evenly, and need no random generator
        is_changed, fraction = (np.arange(MIXED_ROWS) * number * np.sqrt(root) % 1 for root in (2, 3))
        value = odd[name][(fraction * len(odd[name])).astype(int)]
        mixed[name] = np.where(is_changed < MIXED_SHARE, value, values[base])
    yield "odd values of some columns", mixed


@dataclass(frozen=True)
class Splits:
    """Thresholds of trees on what a pipeline's steps make of the features."""

    #: what the trees see
    transform: Transform
    #: place of the transformed feature that each threshold is for
    features: np.ndarray
    #: values up to these go to the left
    thresholds: np.ndarray


def find_splits(pipeline: Pipeline, table: Transform) -> list[Splits]:
    """Return the thresholds of all trees in a fitted pipeline, by what the trees see.

    :param table: makes what the pipeline takes from numbers and strings
    """
    collected: dict[int, tuple[Transform, list[np.ndarray]]] = {}
    for transform, pairs in _walk(pipeline, table):
        collected.setdefault(id(transform), (transform, []))[1].append(pairs)
    splits = []
    for transform, parts in collected.values():
        pairs = np.unique(np.concatenate(parts), axis=0)
        pairs = pairs[np.unique(np.linspace(0, max(len(pairs) - 1, 0), SPLITS).astype(int))[: len(pairs)]]
        splits.append(Splits(transform, pairs[:, 0].astype(int), pairs[:, 1]))
    return splits


def _walk(estimator: Any, seen: Transform) -> Iterator[tuple[Transform, np.ndarray]]:  # noqa: ANN401 - any estimator
    """Yield what each tree sees, and its pairs of feature and threshold."""
    if isinstance(estimator, Pipeline):
        if len(estimator.steps) > 1:
            before, outer = estimator[:-1], seen
            seen = lambda numbers, strings: before.transform(outer(numbers, strings))  # noqa: E731
        yield from _walk(estimator[-1], seen)
    for name in ("estimators_", "calibrated_classifiers_", "estimator", "best_estimator_"):
        parts = getattr(estimator, name, ())
        # never an array of a list: NumPy takes pipelines of one length for a table of their steps
        parts = parts.ravel() if isinstance(parts, np.ndarray) else parts
        for part in parts if isinstance(parts, list | tuple | np.ndarray) else [parts]:
            yield from _walk(part, seen)
    if (tree := getattr(estimator, "tree_", None)) is not None:
        yield seen, _pairs(tree.feature, tree.threshold, tree.children_left < 0)
    for tree in chain.from_iterable(getattr(estimator, "_predictors", ())):
        yield seen, _pairs(tree.nodes["feature_idx"], tree.nodes["num_threshold"], tree.nodes["is_leaf"])


def _pairs(features: np.ndarray, thresholds: np.ndarray, is_leaf: np.ndarray) -> np.ndarray:
    inner = ~is_leaf.astype(bool) & np.isfinite(thresholds)
    return np.column_stack([features[inner], thresholds[inner]]).astype(np.float64)


def split_rows(splits: Splits, numbers: np.ndarray, strings: np.ndarray) -> Inputs:
    """Return rows on both sides of each threshold, as near as single precision allows, and their neighbours.

    A threshold on something made of a number (its standardized value, say) is traced back to the number by
    bisection between the number's extremes. Thresholds that no single number crosses are left out.

    Parameters
    ----------
    splits
        Thresholds, as `find_splits` gives them.
    numbers, strings
        The training rows as the pipeline takes them, float32 and object.

    Returns
    -------
    Numbers and strings of four rows for each threshold that could be traced.
    """
    base = np.isfinite(numbers).sum(axis=1).argmax()
    rows = _RowsOfOneChange(splits, numbers[base], strings[base])
    finite = np.where(np.isfinite(numbers), numbers, np.float32(np.nan))
    column = np.full(len(splits.features), -1)
    low, high = np.zeros((2, len(column)), dtype=np.int64)
    for number in np.flatnonzero(np.isfinite(finite).any(axis=0)):
        ends = np.array([np.nanmin(finite[:, number]), np.nanmax(finite[:, number])])
        left, right = rows.seen(np.full(2, number), ends)[:, splits.features]
        crosses = (column < 0) & ((left > splits.thresholds) != (right > splits.thresholds))
        column[crosses] = number
        low[crosses], high[crosses] = order_of(ends)
    traced = column >= 0
    low, high = rows.bisect(traced, column[traced], low[traced], high[traced])
    places = np.concatenate([low - 1, low, high, high + 1])
    return rows.make(np.tile(column[traced], 4), from_order(places))


@dataclass(frozen=True)
class _RowsOfOneChange:
    """Rows that differ from one row in one number each."""

    splits: Splits
    numbers: np.ndarray
    strings: np.ndarray

    def make(self, column: np.ndarray, values: np.ndarray) -> Inputs:
        numbers = np.repeat(self.numbers[None], len(values), axis=0)
        numbers[np.arange(len(values)), column] = values
        return numbers, np.repeat(self.strings[None], len(values), axis=0)

    def seen(self, column: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return what the trees see of the rows."""
        made = self.splits.transform(*self.make(column, values))
        return np.asarray(made.toarray() if hasattr(made, "toarray") else made, dtype=np.float64)

    def bisect(
        self, which: np.ndarray, column: np.ndarray, low: np.ndarray, high: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return neighbours in the order of single precision between which the thresholds are crossed."""
        features, thresholds = self.splits.features[which], self.splits.thresholds[which]
        row = np.arange(len(features))
        while len(features) and (high - low).max() > 1:
            middle = (low + high) // 2
            is_right = self.seen(column, from_order(middle))[row, features] > thresholds
            is_as_low = is_right == (self.seen(column, from_order(low))[row, features] > thresholds)
            low, high = np.where(is_as_low, middle, low), np.where(is_as_low, high, middle)
        return low, high


def order_of(values: np.ndarray) -> np.ndarray:
    """Return whole numbers of which neighbours stand for neighbours of single precision."""
    bits = values.astype(np.float32).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def from_order(places: np.ndarray) -> np.ndarray:
    """Return the numbers of single precision that whole numbers stand for."""
    bits = np.where(places < 0, -places | 0x80000000, places)
    return bits.astype(np.uint32).view(np.float32)
