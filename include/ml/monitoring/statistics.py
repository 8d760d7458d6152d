"""Statistics of a table in Model Monitor's schema, gathered frame by frame in memory that does not grow."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.ml.monitoring.summaries import (
    Columns,
    ColumnValues,
    NumberSummary,
    Texts,
    TextSummary,
    Thinned,
)

Summary = NumberSummary | TextSummary


class Profile:
    """Counts, moments and distributions of every column, in one pass over the rows.

    Parameters
    ----------
    edges
        Bounds of the buckets, by column of numbers. A column that is not among them takes its bounds from
        the first frame.
    known
        Texts of the baseline, by column.
    private
        Columns of which nothing is told but type and counts.
    """

    def __init__(
        self,
        edges: Mapping[str, NDArray[np.float64]] | None = None,
        known: Mapping[str, Collection[str]] | None = None,
        private: Collection[str] = (),
    ) -> None:
        self.rows = 0
        self.columns: dict[str, Summary] = {}
        self._edges, self._known, self._private = edges or {}, known or {}, frozenset(private)

    def add(self, columns: Columns, rows: int) -> None:
        """Take in more rows.

        A column is of the baseline's kind, or else of that of the first frame that has a value of it. Values
        of another kind are counted by their type.
        """
        self.rows += rows
        for name, column in columns.items():
            summary = self.columns.get(name)
            if summary is None or not summary.types:
                self.columns[name] = self._summary(name, column)
                self.columns[name].missing = summary.missing if summary else 0
            self.columns[name].add(column)

    def _summary(self, name: str, column: ColumnValues) -> Summary:
        is_private = name in self._private
        if name not in self._edges and (name in self._known or isinstance(column, Texts)):
            return TextSummary(frozenset(self._known.get(name, ())), is_private)
        return NumberSummary(self._edges.get(name), is_private)

    def counts(self) -> dict[str, NDArray[np.int64]]:
        """Of each column of numbers that has a value: counts below, in and above the buckets."""
        return {
            name: summary.counts
            for name, summary in self.columns.items()
            if isinstance(summary, NumberSummary) and summary.present
        }

    def statistics(self) -> dict[str, Any]:
        """Return the contents of statistics.json."""
        features = [summary.describe(name) for name, summary in self.columns.items()]
        return {"version": 0.0, "dataset": {"item_count": self.rows}, "features": features}


class Bounds:
    """A baseline's first pass: what the bounds of its buckets are chosen from."""

    def __init__(self) -> None:
        self._samples: dict[str, Thinned] = {}

    def add(self, columns: Columns) -> None:
        """Look at more rows."""
        for name, column in columns.items():
            if not isinstance(column, Texts):
                self._samples.setdefault(name, Thinned()).add(column)

    def edges(self) -> dict[str, NDArray[np.float64]]:
        """Return bounds by column of numbers that has a value."""
        return {name: sample.edges() for name, sample in self._samples.items() if sample.seen}
