"""Rows of one identity: the same row twice, or several that differ, of which a rule keeps one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from include.ml.cleaning.arrow_types import plain_column, plain_frame

#: columns beside those of the table, which has none of such names
PLACE, CONTENT = "\0place", "\0content"
#: hash of a missing value
MISSING = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Dropped:
    """The rows that go, by their places among all rows."""

    #: equal in every column to the row that stays
    equal: np.ndarray
    #: of the same identity as the row that stays, and different from it
    conflicting: np.ndarray


class Duplicates:
    """Finds rows of one identity in a table that is seen in pieces, by 8 bytes for each row and key.

    Rows are suspected by a hash, and compared by their values in a second pass over the suspected ones alone.
    """

    def __init__(self, keys: Sequence[Sequence[str]], keep: str) -> None:
        """Given the columns of each key that has to be unique, the most important first."""
        self.keys, self.keep = keys, keep
        self._hashes: list[list[np.ndarray]] = [[] for _ in keys]

    def add(self, rows: pa.Table) -> None:
        """Take in the next rows."""
        for columns, hashes in zip(self.keys, self._hashes, strict=True):
            hashes.append(hash_rows(rows.select(list(columns))))

    def suspected(self) -> np.ndarray:
        """Return for each row whether another one may have the same key."""
        marks = [_is_repeated(np.concatenate(hashes)) for hashes in self._hashes if hashes]
        return np.logical_or.reduce(marks) if marks else np.empty(0, dtype=bool)

    def dropped(self, batches: Iterable[pa.Table], suspected: np.ndarray) -> Dropped:
        """Return the rows that go, given all rows once more."""
        parts, first = [], 0
        names = dict.fromkeys(name for columns in self.keys for name in columns)
        for batch in batches:
            places = np.flatnonzero(suspected[first : first + batch.num_rows])
            rows = batch.take(pa.array(places))
            known = [name for name in ("known_time",) if name in rows.column_names]
            frame = plain_frame(rows.select([*dict.fromkeys([*names, *known])]))
            parts.append(frame.assign(**{PLACE: places + first, CONTENT: hash_rows(rows)}))
            first += batch.num_rows
        return self._resolve(pd.concat(parts, ignore_index=True))

    def _resolve(self, rows: pd.DataFrame) -> Dropped:
        """Return which rows go: those of each key in turn.

        :param rows: the keys' columns, `known_time` if there is one, PLACE and CONTENT
        """
        equal, conflicting = [], []
        order = ["known_time", PLACE] if self.keep == "last known" and "known_time" in rows else [PLACE]
        rows = rows.sort_values(order, ascending=self.keep != "first", na_position="first", kind="stable")
        for columns in self.keys:
            group = rows.groupby(list(columns), dropna=False, sort=False, observed=True).ngroup()
            winner = rows[CONTENT].groupby(group).transform("last")
            is_equal = rows[CONTENT] == winner
            first = rows[PLACE].where(is_equal).groupby(group).transform("min")
            conflicting.append(rows.loc[~is_equal, PLACE])
            equal.append(rows.loc[is_equal & (rows[PLACE] != first), PLACE])
            rows = rows[rows[PLACE] == first]
        return Dropped(*(np.sort(np.concatenate(parts)).astype(np.int64) for parts in (equal, conflicting)))


def _is_repeated(hashes: np.ndarray) -> np.ndarray:
    ordered = np.sort(hashes)
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    return np.isin(hashes, repeated) if len(repeated) else np.zeros(len(hashes), dtype=bool)


def hash_rows(rows: pa.Table) -> np.ndarray:
    """Return 64 bits for each row, the same for rows whose values are the same.

    Examples
    --------
    >>> hashes = hash_rows(pa.table({"a": ["x", "y", "x", None], "b": [0.0, 1.0, -0.0, None]}))
    >>> (hashes == hashes[0]).tolist()
    [True, False, True, False]
    """
    combined = np.zeros(rows.num_rows, dtype=np.uint64)
    for column in rows.columns:
        combined = _mixed(combined * np.uint64(31) + _hash_column(plain_column(column)))
    return combined


def _hash_column(column: pa.Array) -> np.ndarray:
    if pa.types.is_dictionary(column.type):
        codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return np.asarray(np.append(_hash_column(column.dictionary), MISSING)[codes])
    if pa.types.is_floating(column.type):
        numbers = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64) + 0.0
        hashes = _mixed(numbers.view(np.uint64))
    elif pa.types.is_timestamp(column.type) or pa.types.is_integer(column.type):
        whole = column.cast(pa.int64(), safe=False).fill_null(0).to_numpy(zero_copy_only=False)
        hashes = _mixed(whole.view(np.uint64))
    else:
        texts = column if pa.types.is_string(column.type) else pa.array(map(str, column.to_pylist()))
        hashes = pd.util.hash_array(
            texts.fill_null("").to_numpy(zero_copy_only=False).astype(object), categorize=False
        )
    return np.where(column.is_null().to_numpy(zero_copy_only=False), MISSING, hashes)


def _mixed(bits: np.ndarray) -> np.ndarray:
    """Return bits mixed by the finalizer of splitmix64 (Steele, Lea and Flood, 2014)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)))
