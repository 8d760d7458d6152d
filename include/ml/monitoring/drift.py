"""How far rows have moved from a baseline, and whether chance would bring that about.

A feature has drifted if the effect is large enough to matter, and surely no chance: significance alone says
nothing, since with enough rows any two months differ.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from include.core.documents.monitoring import PredictionDrift
from include.ml.monitoring.constraints import statistics_of
from include.ml.monitoring.summaries import OTHERS

#: categories of which fewer are expected are counted together, or the chi-squared distribution does not hold
EXPECTED = 5


@dataclass(frozen=True, kw_only=True)
class DriftRule:
    """When a feature has drifted."""

    #: from this distance on, 0 to 1 ...
    minimum_distance: float
    #: ... if chance brings that about in fewer than this share of windows, over all features together
    significance: float
    #: values that there must be on both sides
    minimum_rows: int


@dataclass(frozen=True, kw_only=True)
class Movement(PredictionDrift):
    """How far one feature has moved; its p-value is corrected for the number of features."""

    name: str
    #: what chance would bring about in every second window or so; the rest of the distance is the effect
    by_chance: float = 0.0
    is_drifted: bool = False


@dataclass(frozen=True)
class Side:
    """The counts of one side of a comparison."""

    counts: NDArray[np.int64]
    #: by how many times its rows are worth less than independent ones (see include/ml/evaluation/clusters.py)
    design_effect: float = field(default=1.0)

    @property
    def worth(self) -> float:
        """Number of independent rows that would tell as much."""
        return float(self.counts.sum() / self.design_effect)

    @property
    def shares(self) -> NDArray[np.float64]:
        """Counts over their sum."""
        return np.asarray(self.counts / self.counts.sum(), dtype=np.float64)


def bucket_edges(feature: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the bounds of a number's buckets in statistics.json, n + 1 for n buckets."""
    buckets = statistics_of(feature)["distribution"]["kll"]["buckets"]
    return np.array([buckets[0]["lower_bound"], *(bucket["upper_bound"] for bucket in buckets)])


def bucket_counts(feature: Mapping[str, Any]) -> NDArray[np.int64]:
    """Return the counts of a baseline's buckets, with none below the first and above the last one."""
    buckets = statistics_of(feature)["distribution"]["kll"]["buckets"]
    return np.array([0, *(int(bucket["count"]) for bucket in buckets), 0])


def kolmogorov_smirnov(baseline: NDArray[np.int64], current: NDArray[np.int64]) -> float:
    """Return the largest difference of two cumulative distributions at the bounds of common buckets, 0 to 1.

    Parameters
    ----------
    baseline, current
        Counts below the first bound, in each bucket, and above the last one.

    Returns
    -------
    The distance; within buckets the true one may be larger, by at most a bucket's share.

    Examples
    --------
    >>> kolmogorov_smirnov(np.array([0, 50, 50, 0]), np.array([0, 10, 90, 0]))
    0.4
    """
    shares = [counts.cumsum() / counts.sum() for counts in (baseline, current)]
    return float(np.abs(shares[0] - shares[1]).max())


def kolmogorov_smirnov_p(distance: float, baseline: float, current: float) -> float:
    """Return how often chance brings about such a distance, by Kolmogorov's asymptotic distribution.

    Over buckets the distance is never larger than over single values, so the true chance is smaller still.

    Examples
    --------
    >>> round(kolmogorov_smirnov_p(0.05, 20_000, 1_000), 3)
    0.017
    """
    return float(special.kolmogorov(distance * np.sqrt(baseline * current / (baseline + current))))


def total_variation(baseline: Side, current: Side) -> float:
    """Return half the sum of all differences between two distributions over the same categories, 0 to 1.

    Examples
    --------
    >>> total_variation(Side(np.array([50, 50, 0])), Side(np.array([20, 60, 20])))
    0.3
    """
    return round(float(np.abs(baseline.shares - current.shares).sum() / 2), 12)


def total_variation_by_chance(baseline: Side, current: Side) -> float:
    """Return the mean total variation of two samples of one distribution, which grows with categories.

    Half the sum of the mean absolute values of normal differences.

    Examples
    --------
    >>> side = Side(np.full(100, 5))
    >>> round(total_variation_by_chance(side, side), 2)
    0.25
    """
    share, rows = _pooled(baseline, current), 1 / baseline.worth + 1 / current.worth
    return float(np.sqrt(2 / np.pi * share * (1 - share) * rows).sum() / 2)


def total_variation_p(baseline: Side, current: Side) -> float:
    """Return how often chance brings about such counts, by the chi-squared test of homogeneity.

    Rare categories are counted as one. A side's design effect divides its rows (Rao and Scott 1981, first
    order).

    Examples
    --------
    >>> total_variation_p(Side(np.array([50, 50])), Side(np.array([50, 50])))
    1.0
    """
    share, is_rare = _pooled(baseline, current), _are_rare(baseline, current)
    rare, common = np.flatnonzero(is_rare), np.flatnonzero(~is_rare)
    gaps = np.append(
        (baseline.shares - current.shares)[common], (baseline.shares - current.shares)[rare].sum()
    )
    weights = np.append(share[common], share[rare].sum())
    held = weights > 0
    rows = baseline.worth * current.worth / (baseline.worth + current.worth)
    statistic = rows * float((gaps[held] ** 2 / weights[held]).sum())
    return float(special.chdtrc(held.sum() - 1, statistic)) if held.sum() > 1 else 1.0


def _pooled(baseline: Side, current: Side) -> NDArray[np.float64]:
    rows = baseline.worth + current.worth
    return (baseline.shares * baseline.worth + current.shares * current.worth) / rows


def _are_rare(baseline: Side, current: Side) -> NDArray[np.bool_]:
    """Return of each category whether fewer than EXPECTED of it are expected on the smaller side."""
    return _pooled(baseline, current) * min(baseline.worth, current.worth) < EXPECTED


def of_numbers(name: str, baseline: Side, current: Side) -> Movement:
    """Return the movement of a column of numbers, by counts in common buckets."""
    distance = kolmogorov_smirnov(baseline.counts, current.counts)
    chance = kolmogorov_smirnov_p(distance, baseline.worth, current.worth)
    return Movement(name=name, test="ks", distance=distance, p_value=chance)


def of_texts(name: str, baseline: Side, current: Side) -> Movement:
    """Return the movement of a column of texts, by counts of the same texts."""
    return Movement(
        name=name,
        test="tv",
        distance=total_variation(baseline, current),
        by_chance=total_variation_by_chance(baseline, current),
        p_value=total_variation_p(baseline, current),
    )


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p-values corrected for their number by Holm's method (1979).

    It holds however the features depend on each other, as Bonferroni's does, and misses less.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03])).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return corrected


def mark_drifted(moved: Collection[Movement], rule: DriftRule) -> list[Movement]:
    """Correct the p-values for each other, and say which features have drifted.

    Of a text's distance, the part that chance alone brings about is not taken for an effect.
    """
    corrected = holm(np.array([movement.p_value for movement in moved])).tolist()
    return [
        replace(movement, p_value=p, is_drifted=_is_large(movement, rule) and p < rule.significance)
        for movement, p in zip(moved, corrected, strict=True)
    ]


def _is_large(movement: Movement, rule: DriftRule) -> bool:
    return movement.distance - movement.by_chance >= rule.minimum_distance


def movements(
    baseline: Mapping[str, Any],
    current: Mapping[str, Any],
    counts: Mapping[str, NDArray[np.int64]],
    rule: DriftRule,
    *,
    without: Collection[str] = (),
    design_effects: Mapping[str, tuple[float, float]] | None = None,
) -> list[Movement]:
    """Return how far each feature has moved that has enough values on both sides, in the baseline's order.

    Parameters
    ----------
    baseline, current
        Contents of statistics.json. A private feature has no distribution there, and is left out.
    counts
        For numbers, the current values in the baseline's buckets, as `binning.histogram` counts them.
    without
        Features that are broken: a fault upstream is no drift.
    design_effects
        By feature, of the baseline and of the current rows; without one, rows count as independent.
    """
    now, effects = {feature["name"]: feature for feature in current["features"]}, design_effects or {}
    moved = []
    for before in baseline["features"]:
        name = before["name"]
        if name in without or name not in now or is_text(before) != is_text(now[name]):
            continue
        if min(count_present(before), count_present(now[name])) < max(rule.minimum_rows, 1):
            continue
        pair = effects.get(name, (1.0, 1.0))
        if is_text(before) and categories(before) and categories(now[name]):
            values, both = align_categories(categories(before), categories(now[name]))
            sides = Side(both[0], pair[0]), Side(both[1], pair[1])
            moved.append(of_texts(name, *(lump_rare(*sides) if values[-1:] == [OTHERS] else sides)))
        elif name in counts and statistics_of(before)["distribution"]["kll"]["buckets"]:
            inside = bucket_counts(before)
            moved.append(of_numbers(name, Side(inside, pair[0]), Side(counts[name], pair[1])))
    return mark_drifted(moved, rule)


def categories(feature: Mapping[str, Any]) -> dict[str, int]:
    """Return counts by category of a text feature in statistics.json."""
    return {b["value"]: b["count"] for b in statistics_of(feature)["distribution"]["categorical"]["buckets"]}


def align_categories(
    baseline: Mapping[str, int], current: Mapping[str, int]
) -> tuple[list[str], NDArray[np.int64]]:
    """Return the categories that can be told apart on both sides, and their counts, shape (2, n).

    Texts that a side counts without a name may be any that the other side names, and are OTHERS on both, at
    the end. A baseline that names all its texts knows which of the window's are new.

    Examples
    --------
    >>> align_categories({"UA": 5, "AA": 3}, {"UA": 2, "B6": 1})
    (['AA', 'B6', 'UA'], array([[3, 0, 5],
           [0, 1, 2]]))
    >>> align_categories({"UA": 5, OTHERS: 3}, {"UA": 2, "B6": 1})
    (['UA', '(others)'], array([[5, 3],
           [2, 1]]))
    """
    named = baseline.keys() if OTHERS in baseline else baseline.keys() | current.keys()
    values = sorted(named - {OTHERS})
    counts = np.array([[side.get(value, 0) for value in values] for side in (baseline, current)], dtype=int)
    rest = np.array([[sum(side.values())] for side in (baseline, current)]) - counts.sum(
        axis=1, keepdims=True
    )
    return (values, counts) if not rest.any() else ([*values, OTHERS], np.hstack([counts, rest]))


def lump_rare(baseline: Side, current: Side) -> tuple[Side, Side]:
    """Return sides whose last category, of texts without a name, has taken in all rare ones.

    Which of many rare texts got a name says more of the rows' order than of the world.
    """
    is_kept = ~_are_rare(baseline, current)
    is_kept[-1] = False
    before, now = (
        replace(side, counts=np.append(side.counts[is_kept], side.counts[~is_kept].sum()))
        for side in (baseline, current)
    )
    return before, now


def count_present(feature: Mapping[str, Any]) -> int:
    """Return the number of rows with a value."""
    return int(statistics_of(feature)["common"]["num_present"])


def is_text(feature: Mapping[str, Any]) -> bool:
    """Return whether the feature holds texts."""
    return "string_statistics" in feature
