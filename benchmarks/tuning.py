"""Compare the Bayesian strategy of tuning jobs with random search, on the same budget and seeds.

`python -m benchmarks.tuning` prints, for three functions, the median regret of both: how far above the
function's minimum the best of all trials is. `steep` depends on its first axis a hundred times as much as on
the other two.
"""

# ruff: noqa: S311 (nothing here is a secret)

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable

from local_sagemaker.domain.tuning.space import Space
from local_sagemaker.domain.tuning.strategies import Trial, suggest
from local_sagemaker.engine.workflows.gaussian import expected_improvements

SEEDS, TRIALS = range(5), 30
Objective = Callable[..., float]


def branin(x: float, y: float) -> float:
    """Return the Branin function above its three minima of 0.397887 (Picheny et al., 2013)."""
    bent = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return bent**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10 - 0.397887


def steep(x: float, y: float, z: float) -> float:
    """Return a narrow valley along the first axis; the other two hardly matter."""
    return 100 * (x - 0.37) ** 2 + (y - 0.6) ** 2 + (z - 0.2) ** 2


def hartmann(*point: float) -> float:
    """Return Hartmann's function of six axes above its minimum of -3.32237 (Picheny et al., 2013)."""
    scales = (
        (10, 3, 17, 3.5, 1.7, 8),
        (0.05, 10, 17, 0.1, 8, 14),
        (3, 3.5, 1.7, 10, 17, 8),
        (17, 8, 0.05, 10, 0.1, 14),
    )
    centres = (
        (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
        (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
        (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
        (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
    )
    parts = (
        math.exp(-sum(a * (x - p) ** 2 for a, x, p in zip(scale, point, centre, strict=True)))
        for scale, centre in zip(scales, centres, strict=True)
    )
    return 3.32237 - sum(weight * part for weight, part in zip((1.0, 1.2, 3.0, 3.2), parts, strict=True))


#: name -> the function, and the bounds of its axes
FUNCTIONS: dict[str, tuple[Objective, list[tuple[float, float]]]] = {
    "branin": (branin, [(-5, 10), (0, 15)]),
    "steep": (steep, [(0, 1)] * 3),
    "hartmann": (hartmann, [(0, 1)] * 6),
}


def space(bounds: list[tuple[float, float]]) -> Space:
    """Return the ranges of a function's axes."""
    ranges = [
        {"Name": f"x{axis}", "MinValue": str(low), "MaxValue": str(high)}
        for axis, (low, high) in enumerate(bounds)
    ]
    return Space.read({"ContinuousParameterRanges": ranges})


def regret(strategy: str, function: Objective, axes: Space, seed: int) -> float:
    """Return how far above the minimum the best of all trials is."""
    trials: list[Trial] = []
    for number in range(TRIALS):
        source = random.Random(f"{seed} {number}")
        values = suggest(strategy, axes, trials, source, expected_improvements, is_maximized=False)
        assert values is not None
        trials.append(Trial(values, function(*map(float, values.values())), is_over=True))
    return min(trial.objective or 0.0 for trial in trials)


def main() -> None:
    """Print a table."""
    print(f"Median regret after {TRIALS} trials, over {len(SEEDS)} seeds:\n")
    print("| function | random search | Bayesian | times lower | wins | seconds for a choice |")
    print("|---|---|---|---|---|---|")
    for name, (function, bounds) in FUNCTIONS.items():
        axes = space(bounds)
        chance = [regret("Random", function, axes, seed) for seed in SEEDS]
        began = time.perf_counter()
        model = [regret("Bayesian", function, axes, seed) for seed in SEEDS]
        fit_s = (time.perf_counter() - began) / len(SEEDS) / TRIALS
        wins = f"{sum(one < other for one, other in zip(model, chance, strict=True))} of {len(SEEDS)}"
        one, other = statistics.median(chance), statistics.median(model)
        print(
            f"| {name} | {one:.3g} | {other:.3g} | {one / other:.0f} | {wins} of {len(SEEDS)} | {fit_s:.2f} |"
        )


if __name__ == "__main__":
    main()
