"""The hyperparameters that a tuning job varies: their ranges, and the unit cube that stands for them.

A value is the text that the training job is given. A point has one coordinate between 0 and 1 for a number,
and one for each choice of a category.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Values = dict[str, str]
Point = tuple[float, ...]
#: from this quotient of the bounds on, Auto means Logarithmic
AUTO_LOGARITHMIC = 100.0
#: distance of two categories is 1, as that of two ends of a range
HOT = math.sqrt(0.5)


class RangeError(ValueError):
    """A range that has no values."""


@dataclass(frozen=True)
class Numbers:
    """A range of numbers."""

    name: str
    low: float
    high: float
    scaling: str
    is_integer: bool
    #: how many coordinates it has
    width: int = field(default=1, init=False)

    @property
    def count(self) -> float:
        """How many values there are."""
        return self.high - self.low + 1 if self.is_integer else math.inf if self.high > self.low else 1

    def draw(self, source: random.Random) -> str:
        """Any value, evenly in the scaling."""
        return self.value((source.random(),))

    def value(self, coordinates: Sequence[float]) -> str:
        """Return the value nearest to a coordinate."""
        share = min(max(coordinates[0], 0.0), 1.0)
        if self.scaling == "Logarithmic":
            number = math.exp(_between(math.log(self.low), math.log(self.high), share))
        elif self.scaling == "ReverseLogarithmic":
            number = 1 - math.exp(_between(math.log1p(-self.low), math.log1p(-self.high), share))
        else:
            number = _between(self.low, self.high, share)
        number = min(max(number, self.low), self.high)
        return str(round(number)) if self.is_integer else repr(number)

    def point(self, value: str) -> Point:
        """Return the coordinate of a value."""
        number = float(value)
        low, high = self.low, self.high
        if self.scaling == "Logarithmic":
            number, low, high = math.log(number), math.log(low), math.log(high)
        elif self.scaling == "ReverseLogarithmic":
            number, low, high = (math.log1p(-one) for one in (number, low, high))
        return ((number - low) / (high - low) if high != low else 0.5,)


@dataclass(frozen=True)
class Choices:
    """A range of words without order."""

    name: str
    values: tuple[str, ...]

    @property
    def width(self) -> int:
        """How many coordinates it has."""
        return len(self.values)

    @property
    def count(self) -> float:
        """How many values there are."""
        return len(self.values)

    def draw(self, source: random.Random) -> str:
        """Any of the words."""
        return source.choice(self.values)

    def value(self, coordinates: Sequence[float]) -> str:
        """Return the word whose coordinate is the largest."""
        return self.values[max(range(len(self.values)), key=lambda index: coordinates[index])]

    def point(self, value: str) -> Point:
        """One coordinate for each word."""
        return tuple(HOT if value == one else 0.0 for one in self.values)


@dataclass(frozen=True)
class Space:
    """All ranges of one training job definition."""

    ranges: tuple[Numbers | Choices, ...]

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Space:
        """Return the space of ParameterRanges; raise RangeError when one of them has no values."""
        numbers = [
            _numbers(one, is_integer=is_integer)
            for member, is_integer in (("IntegerParameterRanges", True), ("ContinuousParameterRanges", False))
            for one in given.get(member, [])
        ]
        choices = [
            Choices(one["Name"], tuple(one["Values"])) for one in given.get("CategoricalParameterRanges", [])
        ]
        space = cls((*numbers, *choices))
        names = [one.name for one in space.ranges]
        if len(set(names)) < len(names):
            raise RangeError(f"A hyperparameter has two ranges: {', '.join(names)}.")
        return space

    @property
    def size(self) -> float:
        """How many combinations there are."""
        return math.prod(one.count for one in self.ranges)

    def draw(self, source: random.Random) -> Values:
        """Any combination."""
        return {one.name: one.draw(source) for one in self.ranges}

    def point(self, values: Mapping[str, str]) -> Point:
        """Return the point of a combination."""
        return tuple(part for one in self.ranges for part in one.point(values[one.name]))

    def values(self, point: Sequence[float]) -> Values:
        """Return the combination nearest to a point."""
        values, begin = {}, 0
        for one in self.ranges:
            values[one.name] = one.value(point[begin : begin + one.width])
            begin += one.width
        return values


def _numbers(given: Mapping[str, str], *, is_integer: bool) -> Numbers:
    name, scaling = given["Name"], given.get("ScalingType", "Auto")
    try:
        low, high = (float(given[member]) for member in ("MinValue", "MaxValue"))
    except ValueError as error:
        raise RangeError(f"The bounds of {name} are no numbers: {error}.") from error
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise RangeError(
            f"The range of {name}, {low:g} to {high:g}, has no values: MinValue must not exceed MaxValue."
        )
    if is_integer and not (low.is_integer() and high.is_integer()):
        raise RangeError(f"The bounds of {name}, {low:g} and {high:g}, are no integers.")
    if scaling == "Auto":
        scaling = "Logarithmic" if low > 0 and high / low >= AUTO_LOGARITHMIC else "Linear"
    if scaling == "Logarithmic" and low <= 0:
        raise RangeError(f"{name} has logarithmic scaling, so its MinValue must be above 0; it is {low:g}.")
    if scaling == "ReverseLogarithmic" and not (low >= 0 and high < 1):
        raise RangeError(f"{name} has reverse logarithmic scaling, so its range must lie within [0, 1).")
    return Numbers(name, low, high, scaling, is_integer)


def _between(low: float, high: float, share: float) -> float:
    return low + (high - low) * share
