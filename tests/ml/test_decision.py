"""The challenger becomes champion only for reasons."""

from __future__ import annotations

import pytest

from include.ml.decision import decide
from include.ml.evaluation import Estimate


def value(number: float) -> Estimate:
    """A metric with some interval."""
    return Estimate(number, number - 0.02, number + 0.02, 0.01)


@pytest.mark.parametrize(
    ("challenger", "champion", "gain", "promote"),
    [
        (0.70, None, 0.0, True),
        (0.60, None, 0.0, False),
        (0.65, None, 0.1, False),
        (0.70, 0.69, 0.0, True),
        (0.70, 0.70, 0.0, True),
        (0.70, 0.71, 0.0, False),
        (0.60, 0.50, 0.0, False),
    ],
)
def test_the_rule(challenger: float, champion: float | None, gain: float, *, promote: bool):
    """Better than the best baseline by the gain, and not worse than the champion."""
    baselines = {"constant": value(0.5), "linear": value(0.6)}
    held = value(champion) if champion is not None else None
    found = decide("roc_auc", gain, value(challenger), held, baselines)
    assert found.promote is promote
    assert len(found.reasons) == 2
    assert "(linear, 0.6000 [0.5800, 0.6200])" in found.reasons[0]
