"""The one door to intervals: every number of the project that has one gets it from `estimate`.

A number has an interval from a bootstrap (Efron and Tibshirani 1993, chapter 13) unless there is a better one
for its kind: a rate has the exact interval of Clopper and Pearson (1934), the area under the ROC curve of
independent rows the logit interval by the variance of DeLong, DeLong and Clarke-Pearson (1988). What cannot
be told is None, with a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from include.core.documents.model import MeasuredMetric
from include.core.tasks import Metric
from include.ml.evaluation.resampling import Interval, Sample, bootstrap_interval, finite

#: numbers by name, each of shape (draws,), from counts of rows, shape (draws, n)
Measure = Callable[[np.ndarray], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Rate:
    """What a share is of."""

    #: whether each row counts, shape (n,)
    hits: np.ndarray
    #: of which rows it is the share, shape (n,)
    of: np.ndarray

    def interval(self, sample: Sample) -> Interval:
        """Return the exact interval (Clopper and Pearson 1934), with blocks that of as many independent rows.

        So many is the number of rows by the design effect of the share, and by what Student's quantile
        for so few blocks is above the normal one (Korn and Graubard 1998). Where all rows agree there is
        nothing to estimate the effect from, and a block counts as one row.
        """
        of = np.asarray(self.of, dtype=bool)
        hits, rows = float(self.hits[of].sum()), float(of.sum())
        tail, share = (1 - sample.confidence) / 2, hits / rows
        if sample.members is not None:
            blocks = sample.spread_of(of)
            off = np.bincount(sample.members[of], self.hits[of] - share)
            held = np.count_nonzero(np.bincount(sample.members[of]))
            chance = share * (1 - share) * rows
            effect = held / (held - 1) * float(off @ off) / chance if chance else np.inf
            stretch = stats.t.ppf(tail, blocks - 1) / stats.norm.ppf(tail)
            rows = rows / float(np.clip(effect, 1.0, rows / blocks)) / float(stretch) ** 2
        return exact_interval(share * rows, rows, sample.confidence)


def exact_interval(hits: float, rows: float, confidence: float) -> tuple[float, float]:
    """Return the interval of a share of `hits` among `rows` independent rows; it never promises too much.

    Clopper and Pearson (1934). Neither need be whole, where rows count for less than one.

    >>> [round(bound, 3) for bound in exact_interval(0, 20, 0.95)]
    [0.0, 0.168]
    """
    tail = (1 - confidence) / 2
    low = float(stats.beta.ppf(tail, hits, rows - hits + 1)) if hits > 0 else 0.0
    high = float(stats.beta.ppf(1 - tail, hits + 1, rows - hits)) if hits < rows else 1.0
    return low, high


@dataclass(frozen=True)
class Area:
    """What an area under the ROC curve is of."""

    scores: np.ndarray

    def interval(self, sample: Sample) -> Interval:
        """Return the interval of the area's logit by DeLong's variance, of independent rows."""
        ones = sample.classes == 1
        every = stats.rankdata(self.scores)
        placed = np.empty(len(every))
        for side, other in ((ones, ~ones), (~ones, ones)):
            placed[side] = (every[side] - stats.rankdata(self.scores[side])) / other.sum()
        area = float(placed[ones].mean())
        variance = placed[ones].var(ddof=1) / ones.sum() + placed[~ones].var(ddof=1) / (~ones).sum()
        half = stats.norm.ppf((1 + sample.confidence) / 2) * np.sqrt(variance) / (area * (1 - area))
        logit = np.log(area / (1 - area))
        return float(1 / (1 + np.exp(half - logit))), float(1 / (1 + np.exp(-half - logit)))


@dataclass(frozen=True)
class Difference:
    """By how much one model's number is above another's on the same rows."""

    #: of shares: 1, 0 or -1 of each row, shape (n,)
    signs: np.ndarray | None = None

    def widen(self, value: float, low: float, high: float, sample: Sample) -> tuple[float, float]:
        """Return a bootstrap's interval with what it is blind to.

        Of independent rows the few that differ decide about a share: as in McNemar's test, their split has an
        exact interval. And draws that never vary, because one model orders all pairs and the other none, say
        nothing of chance: n pairs that share no row are all in order by a chance of `tail` where a share of
        tail^(1/n) is in truth.
        """
        if self.signs is not None and sample.members is None and (self.signs != 0).any():
            differ = float((self.signs != 0).sum())
            bounds = exact_interval(float((self.signs > 0).sum()), differ, sample.confidence)
            exact = [(2 * bound - 1) * differ / len(self.signs) for bound in bounds]
            return min(low, exact[0]), max(high, exact[1])
        if low == high and value:
            events = len(sample.classes) - np.bincount(sample.classes).max()
            chance = 1 - ((1 - sample.confidence) / 2) ** (1 / (sample.spread or events))
            return low - chance, high + chance
        return low, high


Kind = Rate | Area | Difference


def estimate(
    measure: Measure,
    sample: Sample,
    metrics: Mapping[str, Metric],
    kinds: Mapping[str, Kind] | None = None,
) -> dict[str, MeasuredMetric]:
    """Return each number of all rows with its interval and its standard deviation over the draws.

    Parameters
    ----------
    measure
        Every number, for each draw; NaN where it is undefined.
    sample
        The rows, and how they are drawn.
    metrics
        What each number needs and what it can be, by its name.
    kinds
        What is known of a number besides, by its name.
    """
    once = measure(np.ones((1, len(sample.classes)))) if len(sample.classes) else dict.fromkeys(metrics)
    parts = [measure(weights) for weights in sample.draws()] if len(sample.classes) else []
    measured = {}
    for name, whole in once.items():
        value = finite(float(whole[0])) if whole is not None else None
        drawn = np.concatenate([part[name] for part in parts]) if parts else np.empty(0)
        measured[name] = _told(
            value, drawn[np.isfinite(drawn)], sample, metrics[name], (kinds or {}).get(name)
        )
    return measured


def _told(
    value: float | None, drawn: np.ndarray, sample: Sample, metric: Metric, kind: Kind | None
) -> MeasuredMetric:
    """Return a number with what can be told of it."""
    missing = sample.missing(frozenset(metric.needs))
    why = missing[0] if missing else None
    if why in {"empty", "one_class"}:
        return MeasuredMetric(None, None, None, None, reason=why)
    if value is None:
        return MeasuredMetric(None, None, None, None, reason="empty")
    deviation = float(drawn.std()) if len(drawn) else None
    if isinstance(kind, Rate) and why == "few_events":
        why = None
    low, high = (None, None) if why else _interval(value, drawn, sample, kind)
    if low is None or high is None:
        return MeasuredMetric(value, None, None, deviation, reason=why or "few_events")
    if low == high and value in {metric.low, metric.high}:
        return MeasuredMetric(value, None, None, deviation, reason="separated")
    # a stretched interval can reach beyond what the metric can be
    return MeasuredMetric(value, *metric.cut(low, high), deviation)


def _interval(value: float, drawn: np.ndarray, sample: Sample, kind: Kind | None) -> Interval:
    """Return the interval that is best for the number's kind."""
    if isinstance(kind, Rate) or (isinstance(kind, Area) and sample.members is None and 0 < value < 1):
        return kind.interval(sample)
    low, high = bootstrap_interval(value, drawn, sample.confidence, sample.units)
    if low is not None and high is not None and isinstance(kind, Difference):
        return kind.widen(value, low, high, sample)
    return low, high
