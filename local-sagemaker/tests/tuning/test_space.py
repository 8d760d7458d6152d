"""Ranges of hyperparameters and the points that stand for their values."""

# ruff: noqa: S311 (nothing here is a secret)

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.domain.tuning.space import RangeError, Space


def number(name: str, low: float, high: float, scaling: str = "Auto") -> dict[str, str]:
    """A range of numbers as a request has it."""
    return {"Name": name, "MinValue": str(low), "MaxValue": str(high), "ScalingType": scaling}


SPACE = Space.read(
    {
        "IntegerParameterRanges": [number("depth", 1, 12)],
        "ContinuousParameterRanges": [
            number("rate", 1e-4, 1, "Logarithmic"),
            number("momentum", 0.5, 0.999, "ReverseLogarithmic"),
            number("share", -1.5, 2),
        ],
        "CategoricalParameterRanges": [{"Name": "loss", "Values": ["log", "hinge"]}],
    }
)


@given(st.integers())
def test_a_drawn_value_is_within_its_range_and_is_its_points_value(seed: int) -> None:
    """To the cube and back loses nothing."""
    values = SPACE.draw(random.Random(seed))
    assert 1 <= int(values["depth"]) <= 12
    assert 1e-4 <= float(values["rate"]) <= 1
    assert 0.5 <= float(values["momentum"]) <= 0.999
    assert values["loss"] in {"log", "hinge"}
    again = SPACE.values(SPACE.point(values))
    assert again["depth"] == values["depth"]
    assert again["loss"] == values["loss"]
    for name in ("rate", "momentum", "share"):
        assert float(again[name]) == pytest.approx(float(values[name]), abs=1e-9)


@pytest.mark.parametrize(
    ("low", "high", "scaling", "expected"),
    [
        (1e-4, 1, "Auto", 1e-2),
        (1e-4, 1, "Linear", 0.50005),
        (10, 20, "Auto", 15),
        (0, 0.9999, "ReverseLogarithmic", 0.99),
    ],
)
def test_the_middle_depends_on_the_scaling(low: float, high: float, scaling: str, expected: float) -> None:
    """Half of the way, in the scale that was chosen."""
    space = Space.read({"ContinuousParameterRanges": [number("x", low, high, scaling)]})
    assert float(space.values((0.5,))["x"]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({"ContinuousParameterRanges": [number("x", 2, 1)]}, "x, 2 to 1,"),
        ({"ContinuousParameterRanges": [number("x", 0, 1, "Logarithmic")]}, "above 0; it is 0"),
        ({"ContinuousParameterRanges": [number("x", 0, 1, "ReverseLogarithmic")]}, r"within \[0, 1\)"),
        ({"IntegerParameterRanges": [number("x", 0.5, 3)]}, "x, 0.5 and 3,"),
        ({"IntegerParameterRanges": [{"Name": "x", "MinValue": "a", "MaxValue": "3"}]}, "x .* 'a'"),
        ({"IntegerParameterRanges": [number("x", 1, 2), number("x", 1, 3)]}, "two ranges: x, x"),
    ],
)
def test_a_range_without_values_is_refused(ranges: dict[str, Any], message: str) -> None:
    """With the reason and the numbers."""
    with pytest.raises(RangeError, match=message):
        Space.read(ranges)
