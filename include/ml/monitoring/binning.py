"""Buckets for numbers: bounds chosen once from a baseline, and counts of any later values in them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
    """Bounds of at most BUCKETS + 1 buckets that hold about the same number of values each.

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
    """Counts below the first edge, within `[edge, next)` (the last one closed), and above the last edge.

    Examples
    --------
    >>> histogram(np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 7.0]), np.array([0.0, 1.0, 2.0])).tolist()
    [1, 2, 2, 1]
    """
    # so few comparisons of whole arrays are several times faster than a search for each value
    below = [np.count_nonzero(values < edge) for edge in edges[:-1]]
    up_to_last = len(values) - np.count_nonzero(values > edges[-1])
    return np.diff([0, *below, up_to_last, len(values)]).astype(np.int64, copy=False)
