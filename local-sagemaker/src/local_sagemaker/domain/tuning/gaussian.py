"""A small Gaussian process over the unit cube, in plain Python: a tuning job has tens of observations.

Matérn 5/2 kernel with one length scale for all coordinates; length scale and noise are those of a grid with
the highest marginal likelihood (Rasmussen and Williams, Gaussian Processes for Machine Learning, ch. 2, 5).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LENGTHS = (0.1, 0.2, 0.4, 0.8, 1.6)
NOISES = (1e-4, 1e-2, 1e-1)
ROOT_5 = math.sqrt(5)

Point = Sequence[float]
Matrix = list[list[float]]


@dataclass(frozen=True)
class Process:
    """A process that has seen observations; values are in units of their spread around their mean."""

    points: Sequence[Point]
    length: float
    noise: float
    #: lower Cholesky factor of the covariance
    factor: Matrix
    #: covariance's inverse times the values
    weights: list[float]

    def predict(self, point: Point) -> tuple[float, float]:
        """Mean and standard deviation of the value at a point."""
        near = [_kernel(point, other, self.length) for other in self.points]
        mean = sum(weight * value for weight, value in zip(self.weights, near, strict=True))
        solved = _forward(self.factor, near)
        return mean, math.sqrt(max(1.0 - sum(value * value for value in solved), 1e-12))


def fit(points: Sequence[Point], values: Sequence[float]) -> Process:
    """The process that explains the values best; there must be one at least."""
    _, best = max(
        (_likelihood(points, values, length, noise) for length in LENGTHS for noise in NOISES),
        key=lambda found: found[0],
    )
    return best


def expected_improvement(process: Process, point: Point, best: float) -> float:
    """How much lower than `best` the value at a point is expected to be."""
    mean, spread = process.predict(point)
    gain = (best - mean) / spread
    density = math.exp(-gain * gain / 2) / math.sqrt(2 * math.pi)
    return spread * (gain * (1 + math.erf(gain / math.sqrt(2))) / 2 + density)


def _likelihood(
    points: Sequence[Point], values: Sequence[float], length: float, noise: float
) -> tuple[float, Process]:
    covariance = [
        [_kernel(one, other, length) for other in points[: row + 1]] for row, one in enumerate(points)
    ]
    for row, line in enumerate(covariance):
        line[row] += noise
    factor = _cholesky(covariance)
    half = _forward(factor, values)
    likelihood = -sum(value * value for value in half) / 2 - sum(
        math.log(factor[row][row]) for row in range(len(factor))
    )
    return likelihood, Process(points, length, noise, factor, _backward(factor, half))


def _kernel(one: Point, other: Point, length: float) -> float:
    scaled = ROOT_5 * math.dist(one, other) / length
    return (1 + scaled + scaled * scaled / 3) * math.exp(-scaled)


def _cholesky(lower: Matrix) -> Matrix:
    """The factor of a symmetric positive matrix, of which the lower half is given."""
    factor: Matrix = []
    for row, line in enumerate(lower):
        found: list[float] = []
        for column in range(row):
            above = factor[column]
            rest = line[column] - sum(a * b for a, b in zip(found, above, strict=False))
            found.append(rest / above[column])
        found.append(math.sqrt(max(line[row] - sum(value * value for value in found), 1e-12)))
        factor.append(found)
    return factor


def _forward(factor: Matrix, values: Sequence[float]) -> list[float]:
    solved: list[float] = []
    for line, value in zip(factor, values, strict=True):
        rest = value - sum(a * b for a, b in zip(solved, line, strict=False))
        solved.append(rest / line[len(solved)])
    return solved


def _backward(factor: Matrix, values: Sequence[float]) -> list[float]:
    solved = list(values)
    for row in range(len(factor) - 1, -1, -1):
        solved[row] /= factor[row][row]
        for column in range(row):
            solved[column] -= factor[row][column] * solved[row]
    return solved
