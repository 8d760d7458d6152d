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
    #: values by type; texts among the numbers are counted, and nothing else
    types: Counter[str] = field(default_factory=Counter)
    #: one count below the first edge, one for each bucket, one above the last edge
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def add(self, values: ColumnValues) -> None:
        """Take in more values."""
        types, missing = count_types(values)
        self.types.update(types)
        self.missing += missing
        if isinstance(values, Texts):
            return
        is_finite = np.isfinite(values)
        numbers = values if is_finite.all() else values[is_finite]
        if not len(numbers):
            return
        if self.edges is None:
            self.edges = quantile_edges(numbers)
        if not len(self.counts):
            self.counts = np.zeros(len(self.edges) + 1, dtype=np.int64)
        self.counts += histogram(numbers, self.edges)
        self._add_moments(numbers)
        self.low, self.high = min(self.low, float(numbers.min())), max(self.high, float(numbers.max()))

    def _add_moments(self, numbers: NDArray[np.float64]) -> None:
        """Chan's update: exact for any division into frames, up to rounding."""
        total, mean = self.present + len(numbers), float(numbers.mean())
        difference, around = mean - self.mean, numbers - mean
        self.squares += float(around @ around) + difference**2 * self.present * len(numbers) / total
        self.mean += difference * len(numbers) / total
        self.present = total

    def describe(self, name: str) -> dict[str, Any]:
        """Return the feature's entry in statistics.json; of a private column only counts."""
        common = {"num_present": self.types.total(), "num_missing": self.missing}
        numbers: dict[str, Any] = {"common": common}
        if self.present and not self.is_private:
            numbers |= {
                "mean": self.mean,
                "sum": self.mean * self.present,
                "std_dev": math.sqrt(self.squares / self.present),
                "min": self.low,
                "max": self.high,
            }
        numbers["distribution"] = {"kll": {"buckets": [] if self.is_private else self._buckets()}}
        return {"name": name, **describe_types(self.types), "numerical_statistics": numbers}

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
    #: values by type; numbers among the texts are counted, and nothing else
    types: Counter[str] = field(default_factory=Counter)

    def add(self, texts: ColumnValues) -> None:
        """Take in more values."""
        types, missing = count_types(texts)
        self.types.update(types)
        self.missing += missing
        if not isinstance(texts, Texts):
            return
        counts = np.bincount(texts.codes + 1, minlength=len(texts.values) + 1).tolist()
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
            "common": {"num_present": self.types.total(), "num_missing": self.missing},
            "distinct_count": len(self.categories),
            "distribution": {
                "categorical": {"buckets": [{"value": v, "count": n} for v, n in sorted(shown.items())]}
            },
        }
        return {"name": name, **describe_types(self.types), "string_statistics": texts}


def count_types(column: ColumnValues) -> tuple[Counter[str], int]:
    """Return how many values of a column are of each type, as Model Monitor names them, and of none.

    Examples
    --------
    >>> count_types(np.array([1.0, 2.5, np.nan]))
    (Counter({'Integral': 1, 'Fractional': 1}), 1)
    """
    if isinstance(column, Texts):
        missing = int(np.count_nonzero(column.codes < 0))
        return +Counter(String=len(column.codes) - missing), missing
    present, integral = (np.count_nonzero(flags) for flags in (np.isfinite(column), is_whole(column)))
    return +Counter(Integral=int(integral), Fractional=int(present - integral)), len(column) - int(present)


def is_whole(numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return of each number whether it is finite and a whole one."""
    return np.asarray(np.isfinite(numbers) & (numbers == np.floor(numbers)))


def describe_types(types: Counter[str]) -> dict[str, Any]:
    """Return the widest type of a column's numbers, String for texts alone, or Unknown for no values.

    Examples
    --------
    >>> describe_types(Counter(Integral=3, Fractional=1))
    {'inferred_type': 'Fractional', 'type_counts': {'Fractional': 1, 'Integral': 3}}
    >>> describe_types(Counter())
    {'inferred_type': 'Unknown', 'type_counts': {}}
    """
    kind = next((name for name in ("Fractional", "Integral", "String") if types[name]), "Unknown")
    return {"inferred_type": kind, "type_counts": dict(sorted(types.items()))}


#: buckets of a number's distribution; each holds about the same share of the baseline
BUCKETS = 20
#: values from which the bounds are chosen
SAMPLED = 50_000


class Thinned:
    """A sample of the values that pass by, each with the same chance, which is halved as often as it takes.

    A value is held by a hash of its number in the order of all values: how they were cut into frames makes no
    difference, and values that alternate or repeat in turn are held in their true shares.
    """

    def __init__(self) -> None:
        self.seen = 0
        self.low, self.high = math.inf, -math.inf
        self.held: NDArray[np.float64] = np.empty(0)
        self._hashes: NDArray[np.uint64] = np.empty(0, dtype=np.uint64)
        #: the highest hash that is held
        self._limit = (1 << 64) - 1

    def add(self, values: NDArray[np.float64]) -> None:
        """Take in more values; what is not finite is passed over."""
        numbers = values[np.isfinite(values)]
        if not len(numbers):
            return
        hashes = _mixed(np.arange(self.seen, self.seen + len(numbers), dtype=np.uint64))
        self.seen += len(numbers)
        self.low, self.high = min(self.low, float(numbers.min())), max(self.high, float(numbers.max()))
        is_held = hashes <= self._limit
        self.held = np.append(self.held, numbers[is_held])
        self._hashes = np.append(self._hashes, hashes[is_held])
        while len(self.held) > SAMPLED:
            self._limit //= 2
            is_held = self._hashes <= self._limit
            self.held, self._hashes = self.held[is_held], self._hashes[is_held]

    def edges(self) -> NDArray[np.float64]:
        """Return bounds of buckets that hold all that has passed by, see `quantile_edges`."""
        return quantile_edges(self.held, self.low, self.high)


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a hash of each number: the output function of SplitMix64 (Steele, Lea and Flood 2014)."""
    mixed = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def quantile_edges(
    values: NDArray[np.float64], low: float = math.inf, high: float = -math.inf
) -> NDArray[np.float64]:
    """Return bounds of buckets, each of which holds one value alone or at most 1 / BUCKETS of the values.

    Bounds are values that were met. One that is there twice has a bucket of its own: between the two nothing
    lies but the value, however many are equal to it. Numbers of few different values have a bucket for each.

    Parameters
    ----------
    values
        Finite numbers, at least one.
    low, high
        The range of all that the values are a sample of, where it is wider than theirs.

    Examples
    --------
    >>> quantile_edges(np.array([3.0, 1.0, 1.0, 2.0])).tolist()
    [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    >>> quantile_edges(np.append(np.zeros(97), [4.0, 5.0, 6.0]), high=9.0).tolist()
    [0.0, 0.0, 4.0, 5.0, 6.0, 9.0]
    """
    distinct, counts = np.unique(values, return_counts=True)
    edges = distinct
    if len(distinct) > BUCKETS:
        edges = np.unique(np.quantile(values, np.linspace(0, 1, BUCKETS + 1), method="inverted_cdf"))
    # values from each edge up to the next
    reached = np.append(counts.cumsum() - counts, len(values))
    held = np.diff(np.append(reached[np.searchsorted(distinct, edges)], len(values)))
    times = np.where(held * BUCKETS > len(values), 2, 1)
    if len(distinct) <= BUCKETS and high <= edges[-1]:
        times[-1] = 2
    ends = np.array([low, high])[[low < edges[0], high > edges[-1]]]
    return np.sort(np.append(np.repeat(edges, times), ends))


def half_open(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the bounds between which a number belongs to the lower one, if it is equal to a bound.

    A bound that `edges` has twice stands for a bucket of that value alone: the second of the two is the next
    number above it.

    Examples
    --------
    >>> np.searchsorted(half_open(np.array([0.0, 0.0, 5.0])), [-1.0, 0.0, 1e-9, 5.0], side="right").tolist()
    [0, 1, 2, 3]
    """
    is_second = np.append(False, edges[1:] == edges[:-1])
    return np.where(is_second, np.nextafter(edges, np.inf), edges)


def histogram(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return counts below the first edge, within `[edge, next)` (the last closed), and above the last.

    An edge that is there twice bounds a bucket of this value alone.

    Examples
    --------
    >>> histogram(np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 7.0]), np.array([0.0, 1.0, 2.0])).tolist()
    [1, 2, 2, 1]
    """
    # so few comparisons of whole arrays are several times faster than a search for each value
    below = [np.count_nonzero(values < edge) for edge in half_open(edges)[:-1]]
    up_to_last = len(values) - np.count_nonzero(values > edges[-1])
    return np.diff([0, *below, up_to_last, len(values)]).astype(np.int64, copy=False)
