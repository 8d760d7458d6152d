"""What is kept of one column while its rows pass by: counts, moments, distribution; no row is held."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: different texts that are counted by name; later ones share one count, so that memory is bounded
CATEGORIES = 10_000
#: the name of that count
OTHERS = "(others)"


@dataclass(frozen=True)
class Texts:
    """A column of text."""

    #: for each row the place of its text in `values`; -1 where it is missing
    codes: NDArray[np.integer[Any]]
    values: Sequence[str]


ColumnValues = NDArray[np.float64] | Texts
#: columns of equal length; a missing number is NaN
Columns = Mapping[str, ColumnValues]


@dataclass
class NumberSummary:
    """Moments, range and histogram of a column of numbers; what is not finite is missing."""

    #: bounds of the buckets; None until the first values, whose quantiles they become
    edges: NDArray[np.float64] | None = None
    is_private: bool = False
    present: int = 0
    missing: int = 0
    mean: float = 0.0
    #: sum of squared differences from the mean
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    is_integral: bool = True
    #: one count below the first edge, one for each bucket, one above the last edge
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def add(self, values: NDArray[np.float64]) -> None:
        """Take in more values."""
        is_finite = np.isfinite(values)
        numbers = values if is_finite.all() else values[is_finite]
        self.missing += len(values) - len(numbers)
        if not len(numbers):
            return
        if self.edges is None:
            self.edges = quantile_edges(numbers)
        if not len(self.counts):
            self.counts = np.zeros(len(self.edges) + 1, dtype=np.int64)
        self.counts += histogram(numbers, self.edges)
        self._add_moments(numbers)
        self.low, self.high = min(self.low, float(numbers.min())), max(self.high, float(numbers.max()))
        self.is_integral = self.is_integral and bool((numbers == np.floor(numbers)).all())

    def _add_moments(self, numbers: NDArray[np.float64]) -> None:
        """Chan's update: exact for any division into frames, up to rounding."""
        total, mean = self.present + len(numbers), float(numbers.mean())
        difference, around = mean - self.mean, numbers - mean
        self.squares += float(around @ around) + difference**2 * self.present * len(numbers) / total
        self.mean += difference * len(numbers) / total
        self.present = total

    def describe(self, name: str) -> dict[str, Any]:
        """Return the feature's entry in statistics.json; of a private column only counts."""
        numbers: dict[str, Any] = {"common": {"num_present": self.present, "num_missing": self.missing}}
        if self.present and not self.is_private:
            numbers |= {
                "mean": self.mean,
                "sum": self.mean * self.present,
                "std_dev": math.sqrt(self.squares / self.present),
                "min": self.low,
                "max": self.high,
            }
        numbers["distribution"] = {"kll": {"buckets": [] if self.is_private else self._buckets()}}
        kind = "Integral" if self.is_integral else "Fractional"
        return {"name": name, "inferred_type": kind, "numerical_statistics": numbers}

    def _buckets(self) -> list[dict[str, float]]:
        """Return the counts by bucket, with one bucket more on a side where values lie beyond the edges."""
        if self.edges is None or not self.present:
            return []
        bounds = [min(self.low, self.edges[0]), *self.edges, max(self.high, self.edges[-1])]
        places = range(len(self.counts))
        return [
            {
                "lower_bound": float(bounds[at]),
                "upper_bound": float(bounds[at + 1]),
                "count": int(self.counts[at]),
            }
            for at in places
            if self.counts[at] or at not in {0, places[-1]}
        ]


@dataclass
class TextSummary:
    """Counts by text of a column."""

    #: texts that keep a count of their own whatever comes: those of the baseline
    known: frozenset[str] = frozenset()
    is_private: bool = False
    missing: int = 0
    categories: Counter[str] = field(default_factory=Counter)

    def add(self, texts: Texts) -> None:
        """Take in more values."""
        counts = np.bincount(texts.codes + 1, minlength=len(texts.values) + 1).tolist()
        self.missing += counts[0]
        for value, count in zip(texts.values, counts[1:], strict=True):
            if count:
                self.categories[self._name(value)] += count

    def _name(self, value: str) -> str:
        is_counted = value in self.categories or value in self.known or len(self.categories) < CATEGORIES
        return value if is_counted else OTHERS

    def describe(self, name: str) -> dict[str, Any]:
        """Return the feature's entry in statistics.json; of a private column only counts."""
        shown = {} if self.is_private else self.categories
        texts = {
            "common": {"num_present": self.categories.total(), "num_missing": self.missing},
            "distinct_count": len(self.categories),
            "distribution": {
                "categorical": {"buckets": [{"value": v, "count": n} for v, n in sorted(shown.items())]}
            },
        }
        return {"name": name, "inferred_type": "String", "string_statistics": texts}


#: buckets of a number's distribution; each holds about the same share of the baseline
BUCKETS = 20
#: values from which the bounds are chosen
SAMPLED = 50_000


class Thinned:
    """Every k-th of the values that pass by; k doubles as often as it takes to hold at most SAMPLED.

    Which values are held depends on their order alone, and not on how they were cut into frames.
    """

    def __init__(self) -> None:
        self.seen, self.stride = 0, 1
        self.held: NDArray[np.float64] = np.empty(0)

    def add(self, values: NDArray[np.float64]) -> None:
        """Take in more values; what is not finite is passed over."""
        numbers = values[np.isfinite(values)]
        first = -self.seen % self.stride
        self.seen += len(numbers)
        self.held = np.concatenate([self.held, numbers[first :: self.stride]])
        while len(self.held) > SAMPLED:
            self.held, self.stride = self.held[::2], self.stride * 2


def quantile_edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return bounds of at most BUCKETS + 1 buckets that hold about the same number of values each.

    Bounds are values that were met. The highest is there twice where many values are equal to it, so that
    they have a bucket of their own; numbers of few different values have a bucket for each.

    Examples
    --------
    >>> quantile_edges(np.array([3.0, 1.0, 1.0, 2.0])).tolist()
    [1.0, 2.0, 3.0, 3.0]
    """
    distinct = np.unique(values)
    if len(distinct) <= BUCKETS:
        return np.append(distinct, distinct[-1])
    quantiles = np.quantile(values, np.linspace(0, 1, BUCKETS + 1), method="inverted_cdf")
    edges = np.unique(quantiles)
    return np.append(edges, edges[-1]) if quantiles[-2] == quantiles[-1] else edges


def histogram(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return counts below the first edge, within `[edge, next)` (the last closed), and above the last.

    Examples
    --------
    >>> histogram(np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 7.0]), np.array([0.0, 1.0, 2.0])).tolist()
    [1, 2, 2, 1]
    """
    # so few comparisons of whole arrays are several times faster than a search for each value
    below = [np.count_nonzero(values < edge) for edge in edges[:-1]]
    up_to_last = len(values) - np.count_nonzero(values > edges[-1])
    return np.diff([0, *below, up_to_last, len(values)]).astype(np.int64, copy=False)
