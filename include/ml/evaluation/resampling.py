"""Which rows a number is of, how a bootstrap draws them, and what interval its draws give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from include.core.documents.model import Reason

#: row counts held at once: the memory of a bootstrap does not grow with the repetitions
CELLS = 2**18
#: events below which an interval promises more than it holds
LEAST_EVENTS = 20
#: with fewer blocks there is nothing to vary with
LEAST_BLOCKS = 2
Interval = tuple[float | None, float | None]


@dataclass(frozen=True)
class Sample:
    """The rows that intervals are of, and how they are drawn.

    Rows that share an unseen cause are not independent, and drawing them one by one would promise more
    certainty than there is: with blocks, whole blocks are drawn, as often as there are blocks (Davison and
    Hinkley 1997, section 3.8).
    """

    #: places of the true classes, shape (n,)
    classes: np.ndarray
    #: what rows that share an unseen cause have in common, shape (n,); None where rows are independent
    blocks: np.ndarray | None = None
    repetitions: int = 500
    seed: int = 0
    confidence: float = 0.95
    #: whether independent rows are drawn class by class, so that every draw has their shares (section 3.2):
    #: right for what compares the classes, too certain for a mean over all rows
    is_stratified: bool = False

    def draws(self) -> Iterator[np.ndarray]:
        """Yield how often each row is drawn, in chunks of shape (draws, n) with at most about CELLS cells.

        >>> [each.sum(axis=1).tolist() for each in Sample(np.array([0, 1, 1]), repetitions=2).draws()]
        [[3.0, 3.0]]
        """
        generator, rows = np.random.default_rng(self.seed), len(self.classes)
        chunk = max(1, CELLS // max(rows, 1))
        strata = [np.arange(rows)]
        if self.is_stratified:
            strata = [np.flatnonzero(self.classes == label) for label in np.unique(self.classes)]
        for start in range(0, self.repetitions, chunk):
            draws = min(chunk, self.repetitions - start)
            if self.members is not None:
                yield np.take(
                    _drawn(generator, draws, self.members.max(initial=-1) + 1), self.members, axis=1
                )
                continue
            weights = np.empty((draws, rows))
            for stratum in strata:
                weights[:, stratum] = _drawn(generator, draws, len(stratum))
            yield weights

    @cached_property
    def members(self) -> np.ndarray | None:
        """The place of each row's block among all blocks, shape (n,)."""
        return None if self.blocks is None else np.unique(self.blocks, return_inverse=True)[1]

    @cached_property
    def spread(self) -> float | None:
        """Over how many blocks of equal size the most frequent class and the others are spread at least."""
        if self.members is None:
            return None
        is_most = self.classes == np.bincount(self.classes, minlength=1).argmax()
        return min((self.spread_of(side) for side in (is_most, ~is_most) if side.any()), default=0.0)

    @cached_property
    def units(self) -> float:
        """How many things that are drawn each side has at least: blocks of equal size, or rows."""
        if self.spread is not None:
            return self.spread
        rows = len(self.classes)
        return float(rows - np.bincount(self.classes, minlength=1).max() or rows)

    def spread_of(self, is_counted: np.ndarray) -> float:
        """Return over how many blocks of equal size some rows are spread: (sum n)^2 / sum n^2 (Kish 1965)."""
        sizes = (
            np.bincount(self.members[is_counted]).astype(float) if self.members is not None else np.ones(1)
        )
        return float(sizes.sum() ** 2 / max((sizes**2).sum(), 1.0))

    def missing(self, needs: frozenset[str]) -> tuple[Reason, int] | None:
        """Return why a number with these needs has no interval, and how many events there are, or None.

        Events are rows of other classes than the most frequent one, positives or rows, as the number needs.
        """
        counts = np.bincount(self.classes, minlength=2)
        events = len(self.classes)
        if not events:
            return "empty", 0
        if needs & {"both classes", "positives"}:
            events = int(events - counts.max() if "both classes" in needs else counts[1])
        if not events:
            return "one_class", 0
        if self.spread is not None and self.spread < LEAST_BLOCKS:
            return "one_block", events
        return ("few_events", events) if events < LEAST_EVENTS else None


def _drawn(generator: np.random.Generator, draws: int, size: int) -> np.ndarray:
    """Return how often each of `size` things is drawn in as many drawings, shape (draws, size)."""
    chosen = generator.integers(0, max(size, 1), (draws, size), dtype=np.int32)
    chosen += size * np.arange(draws, dtype=np.int32)[:, None]
    return np.bincount(chosen.ravel(), minlength=draws * size).reshape(draws, size).astype(float)


def bootstrap_interval(
    value: float, drawn: np.ndarray, confidence: float, units: float | None = None
) -> Interval:
    """Return the percentile interval of drawn values (Efron and Tibshirani 1993, chapter 13), or None twice.

    Few blocks, or few rows of a class, vary less among themselves than the many they stand for: the distances
    to `value` are stretched by sqrt(k / (k - 1)) and by Student's quantile over the normal one, k being their
    number (Cameron, Gelbach and Miller 2008, section 2). With 7 that is 1.35, with 100 it is 1.02. Of n draws
    the tail begins where a tail of n + 1 would: few draws promise no more than many.

    >>> low, high = bootstrap_interval(0.0, np.linspace(-1, 1, 201), 0.9)
    >>> round(low, 3), round(high, 3)
    (-0.909, 0.909)
    """
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn) or (units is not None and units < LEAST_BLOCKS):
        return None, None
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], method="weibull")
    stretch = 1.0
    if units is not None:
        student, normal = stats.t.ppf(tail, units - 1), stats.norm.ppf(tail)
        stretch = float(student / normal * np.sqrt(units / (units - 1)))
    return float(value + stretch * (low - value)), float(value + stretch * (high - value))


def finite(value: float) -> float | None:
    """Return the number, or None if it is not finite."""
    return float(value) if np.isfinite(value) else None
