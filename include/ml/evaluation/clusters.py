"""What rows are worth that are not independent: flights of one day share its weather.

The design effect of a sample (Kish 1965) is by how many times the variance of a share is larger than it would
be among independent rows: 1 + (m - 1) r, with m the mean size of a cluster, weighted by size, and r the
intraclass correlation, here by analysis of variance over the indicators of all bins together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: with fewer clusters their correlation cannot be estimated
CLUSTERS = 5


@dataclass(frozen=True)
class ClusteredRows:
    """A sample of one side's rows."""

    rows: pd.DataFrame
    #: of each row, counted from 0; rows of one cluster are not independent
    clusters: NDArray[np.integer]


def time_blocks(times: pd.Series, block: timedelta | None) -> NDArray[np.int64] | None:
    """Return the block of time that each event belongs to; None where rows are independent.

    Examples
    --------
    >>> hours = pd.Series(pd.to_datetime(["2013-01-01T01:00Z", "2013-01-01T23:00Z", "2013-01-02T01:00Z"]))
    >>> time_blocks(hours, timedelta(days=1)).tolist()
    [15706, 15706, 15707]
    """
    if block is None:
        return None
    seconds = pd.to_datetime(times, utc=True).dt.as_unit("s").astype("int64").to_numpy()
    return np.asarray(seconds // int(block.total_seconds()))


def correlation(bins: NDArray[np.integer], clusters: NDArray[np.integer], *, ordered: bool) -> float | None:
    """Return the intraclass correlation of rows' bins, 0 to 1; None with too few clusters, or with one bin.

    Parameters
    ----------
    bins, clusters
        Of each row, shape (n,), both counted from 0.
    ordered
        Whether bins follow each other, as a number's do: then it is that of "in this bin or a lower one".

    Examples
    --------
    >>> day = np.repeat(np.arange(10), 50)
    >>> correlation(day % 2, day, ordered=True)
    1.0
    >>> correlation(np.arange(500) % 2, day, ordered=True)
    0.0
    """
    sizes = np.bincount(clusters)
    sizes_held = sizes[sizes > 0]
    if len(sizes_held) < CLUSTERS or bins.max() == bins.min():
        return None
    width = int(bins.max()) + 1
    table = np.bincount(clusters * width + bins, minlength=len(sizes) * width).reshape(len(sizes), width)
    table = table[sizes > 0].cumsum(axis=1)[:, :-1] if ordered else table[sizes > 0]
    shares, overall = table / sizes_held[:, None], table.sum(axis=0) / len(bins)
    between = float((sizes_held[:, None] * (shares - overall) ** 2).sum()) / (len(sizes_held) - 1)
    within = float((sizes_held[:, None] * shares * (1 - shares)).sum()) / max(len(bins) - len(sizes_held), 1)
    typical = (len(bins) - (sizes_held**2).sum() / len(bins)) / (len(sizes_held) - 1)
    return float(np.clip((between - within) / (between + (typical - 1) * within), 0, 1))


def design_effect(correlated: float, clusters: NDArray[np.integer], rows: int) -> float:
    """Return the design effect of `rows` rows whose clusters are those of a sample of them.

    Examples
    --------
    >>> design_effect(0.5, np.array([0, 0, 1, 1]), rows=40)
    10.5
    """
    sizes = np.bincount(clusters) / len(clusters)
    return max(1.0, 1.0 + (float((sizes**2).sum()) * rows - 1.0) * correlated)


def bins_of(values: pd.Series, bounds: NDArray[np.float64] | None) -> NDArray[np.integer]:
    """Return each value's place: numbers between `bounds`, texts among themselves; none may be missing."""
    if bounds is None:
        return pd.factorize(values)[0]
    return np.searchsorted(bounds, values.to_numpy(float), side="right")


def pair_of_effects(
    name: str,
    bounds: NDArray[np.float64] | None,
    sides: tuple[ClusteredRows, ClusteredRows],
    rows: tuple[int, int],
) -> tuple[float, float]:
    """Return the design effects of one feature on both sides, by the mean correlation within their samples.

    Parameters
    ----------
    name
        A column that both samples have.
    bounds
        Those of its buckets, as `half_open` returns them; None of texts.
    sides, rows
        Baseline and current: samples, and how many rows they stand for.
    """
    held = [side.rows[name].notna().to_numpy() for side in sides]
    if not all(has_rows.any() for has_rows in held):
        return 1.0, 1.0
    clusters = [side.clusters[has_rows] for side, has_rows in zip(sides, held, strict=True)]
    correlations = [
        correlation(bins_of(side.rows[name][has_rows], bounds), cluster, ordered=bounds is not None)
        for side, has_rows, cluster in zip(sides, held, clusters, strict=True)
    ]
    known = [has_rows for has_rows in correlations if has_rows is not None]
    correlated = sum(known) / len(known) if known else 0.0
    before, now = (design_effect(correlated, c, n) for c, n in zip(clusters, rows, strict=True))
    return before, now
