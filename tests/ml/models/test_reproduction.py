"""Whether two models answer the same."""

from __future__ import annotations

import numpy as np
import pytest

from include.ml.models.export import compare_reproduction

ANSWERS = np.array([[0.25, 0.75], [0.5, 0.5], [0.875, 0.125]])


def test_equal_answers_are_a_reproduction() -> None:
    """No difference at all is within a tolerance of nothing."""
    found = compare_reproduction(ANSWERS, ANSWERS.copy(), 0.0)
    assert (found.is_reproduced, found.rows, found.largest, found.rows_beyond) == (True, 3, 0.0, 0)


def test_a_difference_counts_from_the_tolerance_on() -> None:
    """One row differs by an eighth: within an eighth, beyond a tenth."""
    other = ANSWERS.copy()
    other[1] = [0.625, 0.375]
    assert compare_reproduction(ANSWERS, other, 0.125).is_reproduced
    found = compare_reproduction(ANSWERS, other, 0.1)
    assert (found.is_reproduced, found.largest, found.rows_beyond) == (False, 0.125, 1)


@pytest.mark.parametrize("other", [ANSWERS[:2], np.full_like(ANSWERS, np.nan)])
def test_answers_that_cannot_be_compared_differ(other: np.ndarray) -> None:
    """Another number of rows, or no numbers: every row is beyond any tolerance."""
    found = compare_reproduction(ANSWERS, other, 1.0)
    assert (found.is_reproduced, found.rows_beyond, found.largest) == (False, 3, None)


def test_no_rows_reproduce_nothing() -> None:
    """An empty comparison is no evidence."""
    assert not compare_reproduction(ANSWERS[:0], ANSWERS[:0], 1.0).is_reproduced
