"""Columns as distinct values and codes: what a source's types mean to a schema, read once for each value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types as pt

from include.ml.cleaning.arrow_types import is_text, plain_column
from include.ml.cleaning.reading import Fault, is_true, read_numbers, read_texts, read_times


class Reason(NamedTuple):
    """Why a row is bad."""

    #: without the value, so that a thousand bad values are one kind
    kind: str
    text: str


@dataclass(frozen=True)
class Coded:
    """A column: its distinct values, and for each row the place of its value."""

    values: pa.Array
    #: -1 where the row has none; None if `values` has one value for each row
    codes: np.ndarray | None = None

    @classmethod
    def of(cls, array: pa.Array) -> Coded:
        """Return a column of Arrow's; a dictionary keeps its distinct values."""
        if not pt.is_dictionary(array.type):
            return cls(array)
        codes = array.indices.fill_null(-1) if array.indices.null_count else array.indices
        return cls(array.dictionary, codes.cast(pa.int32(), safe=False).to_numpy(zero_copy_only=False))

    def rows(self, where: np.ndarray) -> np.ndarray:
        """Return the places of the rows whose value is marked, in their order."""
        if self.codes is None:
            return np.flatnonzero(where)
        return np.flatnonzero(np.append(where, False)[self.codes]) if where.any() else np.empty(0, np.intp)

    def is_missing(self) -> np.ndarray:
        """Return for each row whether it has no value."""
        if self.codes is not None and not self.values.null_count:
            return self.codes < 0
        empty = self.values.is_null().to_numpy(zero_copy_only=False)
        return np.asarray(empty if self.codes is None else np.append(empty, True)[self.codes])

    def count(self, where: np.ndarray) -> np.ndarray:
        """Return how many rows have each of the marked values, in the order of the values."""
        if self.codes is None or not where.any():
            return np.ones(int(where.sum()), dtype=np.int64)
        present = self.codes[self.codes >= 0]
        return np.asarray(np.bincount(present, minlength=len(self.values))[where])

    def array(self) -> pa.Array:
        """Return one value for each row: texts as a dictionary, all else plain."""
        if self.codes is None:
            return self.values
        indices = pa.array(self.codes, pa.int32(), mask=self.codes < 0)
        if not pt.is_string(self.values.type):
            return self.values.take(indices)
        if self.values.null_count:
            indices = pa.array(self.codes, pa.int32(), mask=self.is_missing())
        return pa.DictionaryArray.from_arrays(indices, self.values.fill_null(""))


@dataclass(frozen=True)
class ReadColumn:
    """A column in its schema's type."""

    column: Coded
    faults: Sequence[Fault]
    #: [rows] by spelling that was replaced
    unified: Counter[str]
    #: [rows] that had blanks around their text
    trimmed: int

    def reasons(self, name: str) -> Iterator[tuple[int, Reason]]:
        """Yield row and reason of every value that could not be read."""
        for fault in self.faults:
            yield from fault_reasons(name, self.column, fault)


def fault_reasons(name: str, column: Coded, fault: Fault) -> Iterator[tuple[int, Reason]]:
    """Yield row and reason of every row that has a bad value."""
    for row in column.rows(fault.where).tolist():
        code = row if column.codes is None else int(column.codes[row])
        yield row, Reason(f"{name}: {fault.words}", f"{name}: {fault.shown(code)} {fault.words}")


def read_column(array: pa.Array, kind: str, spellings: Mapping[str, str] | None = None) -> ReadColumn:
    """Return a column in its schema's type; a value that cannot be read becomes missing, with a reason.

    Parameters
    ----------
    array
        A column of a type that `readable` takes. Blank text is missing. Of a dictionary only distinct
        values are read.
    kind
        "number", "string" or "time".
    spellings
        Trimmed texts to replace, and by what; for other columns than text, values whose text is such.

    Returns
    -------
    float64 without inf and NaN, string, or timestamp[us, UTC] between the years 1 and 9999; the faults.

    Examples
    --------
    >>> found = read_column(pa.array(["39.02", " ", "warm", "1e39"]), "number")
    >>> found.column.values.to_pylist()
    [39.02, None, None, None]
    >>> [reason.text for _, reason in found.reasons("temp")]
    ["temp: 'warm' is no number", "temp: '1e39' lies beyond single precision, in which models compute"]
    """
    raw = Coded.of(plain_column(array))
    values, trimmed, unified = raw.values, 0, Counter[str]()
    faults: list[Fault] = []
    if kind == "string" and not is_text(values.type):
        values, faults = read_texts(values)
    if is_text(values.type):
        stripped = pc.utf8_trim_whitespace(values)
        if raw.values is values:
            trimmed = int(raw.count(is_true(pc.not_equal(stripped, values))).sum())
        stripped, unified = _unify(raw, stripped, spellings or {})
        values = pc.if_else(pc.equal(stripped, ""), pa.scalar(None, pa.string()), stripped)
    elif spellings and kind == "number":
        texts, unified = _unify(raw, values.cast(pa.string()), spellings)
        values = texts if unified else values
    if kind != "string":
        values, faults = (read_numbers if kind == "number" else read_times)(values)
    return ReadColumn(Coded(values, raw.codes), faults, unified, trimmed)


def _unify(raw: Coded, texts: pa.Array, spellings: Mapping[str, str]) -> tuple[pa.Array, Counter[str]]:
    """Return texts with spellings replaced, and how many rows had each."""
    unified: Counter[str] = Counter()
    if not spellings:
        return texts, unified
    old = pa.array(list(spellings), pa.string())
    replaced = pc.index_in(texts, value_set=old)
    where = is_true(replaced.is_valid())
    if where.any():
        rows = raw.count(where)
        for text, count in zip(texts.filter(pa.array(where)).to_pylist(), rows.tolist(), strict=True):
            unified[text] += count
        texts = pc.coalesce(pa.array(list(spellings.values()), pa.string()).take(replaced), texts)
    return texts, Counter({text: count for text, count in unified.items() if count})


def check_fault(column: Coded, check: Any) -> Fault | None:  # noqa: ANN401 - pandera's, of any data
    """Return the values that fail a check of single values; None if there are none."""
    series = column.values.to_pandas()
    passes = check(series).check_output.reindex(series.index, fill_value=True).to_numpy(dtype=bool)
    where = ~passes & column.values.is_valid().to_numpy(zero_copy_only=False)
    if not where.any():
        return None
    words = f"fails {check.error or check.name}"
    return Fault(where, lambda position: repr(series.iloc[[position]].tolist()[0]), words)
