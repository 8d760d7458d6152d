"""The challenger becomes champion only for reasons."""

from __future__ import annotations

import pytest

from include.ml.evaluation.comparison import Gain, SliceGain
from include.ml.evaluation.promotion import decide_promotion
from tests.examples import defined

SURE, UNSURE, LOSS = Gain(0.03, 0.01, 0.05), Gain(0.03, -0.01, 0.07), Gain(-0.03, -0.05, -0.025)
NOTHING, UNDEFINED = Gain(0.0, 0.0, 0.0), Gain(None, None, None, reason="one_class")


@pytest.mark.parametrize(
    ("champion", "minimum_gain", "constant", "linear", "promote"),
    [
        (None, 0.0, SURE, UNSURE, True),
        (None, 0.0, UNSURE, SURE, False),
        (None, 0.0, SURE, LOSS, False),
        (None, 0.0, SURE, NOTHING, False),
        (SURE, 0.0, SURE, SURE, True),
        (SURE, 0.01, SURE, SURE, False),
        (SURE, 0.0, SURE, LOSS, False),
        (SURE, 0.0, UNSURE, SURE, False),
        (UNSURE, 0.0, SURE, SURE, False),
        (UNSURE, -0.02, SURE, SURE, True),
        (NOTHING, 0.0, SURE, SURE, False),
        (UNDEFINED, 0.0, SURE, SURE, False),
        (None, 0.0, UNDEFINED, UNDEFINED, False),
    ],
)
def test_the_rule(
    champion: Gain | None, minimum_gain: float, constant: Gain, linear: Gain, *, promote: bool
) -> None:
    """Surely above the champion and the constant, above the linear baseline; a tie keeps the champion."""
    found = decide_promotion("roc_auc", minimum_gain, champion, {"constant": constant, "linear": linear})
    assert promote is found.promote


def judged(column: str, value: str, rows: int, gain: Gain) -> SliceGain:
    """A slice whose floor is two hundredths below zero."""
    return SliceGain(
        column=column,
        value=value,
        rows=rows,
        gain=gain,
        floor=-0.02,
        is_under_floor=defined(gain.high) < -0.02,
    )


def test_a_slice_under_its_floor_keeps_the_champion_and_is_named() -> None:
    """Of two slices under their floors the worst is named, with its rows, gain and floor."""
    slices = [
        judged("origin", "JFK", 500, LOSS),
        judged("carrier", "UA", 90, Gain(-0.2, -0.3, -0.1)),
        judged("carrier", "B6", 400, SURE),
    ]
    found = decide_promotion("roc_auc", 0.0, SURE, {"constant": SURE}, slices)
    expected = (
        "2 of 3 slices fall under their floor, worst is carrier=UA (90 rows): "
        "roc_auc -0.2000 [-0.3000, -0.1000] against its floor of -0.0200."
    )
    assert (found.promote, found.reasons[1]) == (False, expected)


def test_a_slice_that_is_only_perhaps_worse_does_not_veto() -> None:
    """A loss on few rows, whose interval reaches above the floor, is named and does not veto."""
    tiny = judged("carrier", "OO", 55, Gain(-0.2, -0.45, 0.05))
    found = decide_promotion("roc_auc", 0.0, SURE, {"constant": SURE}, [tiny])
    assert found.promote
    assert "the worst is carrier=OO (55 rows)" in found.reasons[1]


def test_the_reasons_have_the_numbers() -> None:
    """Every comparison is told with value, interval and what was required."""
    found = decide_promotion("roc_auc", 0.005, SURE, {"constant": SURE, "linear": LOSS})
    assert found.reasons == (
        (
            "The challenger's gain over the champion in roc_auc on the same rows is +0.0300 "
            "[+0.0100, +0.0500]; required are more than +0.0050, which its lower bound clears."
        ),
        "No slice is big enough to be judged on its own.",
        (
            "The challenger beats the constant baseline in roc_auc: the gain is +0.0300 [+0.0100, +0.0500], "
            "the lower bound of which must be above 0."
        ),
        (
            "The challenger does not beat the linear baseline in roc_auc: the gain is -0.0300 "
            "[-0.0500, -0.0250], the value of which must be above 0."
        ),
    )
