"""Whether two models answer the same: the largest difference of their probabilities, and where it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """How far two models' answers to the same rows are apart."""

    rows: int
    #: largest absolute difference of a probability; infinite where they cannot be compared
    largest: float
    #: rows with a difference above the tolerance
    rows_beyond: int
    tolerance: float

    @property
    def is_reproduced(self) -> bool:
        """Whether every row is within the tolerance, and there was one."""
        return self.rows > 0 and self.rows_beyond == 0


def reproduction(original: np.ndarray, again: np.ndarray, tolerance: float) -> Reproduction:
    """Compare probabilities, both of shape (rows, classes); a number that is none is a difference.

    >>> reproduction(np.array([[0.25, 0.75]]), np.array([[0.5, 0.5]]), 0.1).rows_beyond
    1
    """
    rows = len(original)
    if original.shape != again.shape:
        return Reproduction(rows=rows, largest=float("inf"), rows_beyond=rows, tolerance=tolerance)
    gaps = np.abs(original - again)
    gaps[~np.isfinite(gaps)] = np.inf
    by_row = gaps.max(axis=1, initial=0.0)
    return Reproduction(
        rows=rows,
        largest=float(by_row.max(initial=0.0)),
        rows_beyond=int((by_row > tolerance).sum()),
        tolerance=tolerance,
    )
