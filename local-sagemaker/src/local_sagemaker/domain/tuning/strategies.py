"""Which hyperparameters the next training job gets: Random, Grid, Bayesian."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from local_sagemaker.domain.tuning import gaussian
from local_sagemaker.domain.tuning.space import Choices, Point, Space, Values

#: draws of a combination that has not been tried, before a repeated one is taken
DRAWS = 100
#: what the Bayesian strategy looks at: random points, and steps away from the best ones
CANDIDATES, STEPS = 300, 100
STEP = 0.08
#: observations that the process is fitted to, best first; its cost grows with the cube
OBSERVATIONS = 60


@dataclass(frozen=True)
class Trial:
    """One combination that was tried."""

    values: Values
    #: None while its training job runs, and when it had no objective
    objective: float | None
    is_over: bool


def suggest(
    strategy: str, space: Space, trials: Sequence[Trial], source: random.Random, *, is_maximized: bool
) -> Values | None:
    """The next combination; None when every one has been tried."""
    if len(_tried(trials)) >= space.size:
        return None
    if strategy == "Grid":
        return _next_of_grid(space, trials)
    if strategy == "Bayesian":
        seen = [trial for trial in trials if trial.objective is not None and math.isfinite(trial.objective)]
        if len(seen) > len(space.ranges):
            return _likely_best(space, trials, seen, source, is_maximized=is_maximized)
    return _untried(space, trials, source)


def _tried(trials: Iterable[Trial]) -> set[tuple[tuple[str, str], ...]]:
    return {_key(trial.values) for trial in trials}


def _key(values: Values) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(values.items()))


def _next_of_grid(space: Space, trials: Sequence[Trial]) -> Values | None:
    tried = _tried(trials)
    choices = [one.values for one in space.ranges if isinstance(one, Choices)]
    names = [one.name for one in space.ranges]
    for words in itertools.product(*choices):
        values = dict(zip(names, words, strict=True))
        if _key(values) not in tried:
            return values
    return None


def _untried(space: Space, trials: Sequence[Trial], source: random.Random) -> Values:
    tried, values = _tried(trials), space.draw(source)
    for _ in range(DRAWS):
        if _key(values) not in tried:
            break
        values = space.draw(source)
    return values


def _likely_best(
    space: Space, trials: Sequence[Trial], seen: Sequence[Trial], source: random.Random, *, is_maximized: bool
) -> Values:
    """The combination with the highest expected improvement, by what was seen so far.

    Jobs under way count as if they had come out average, so that those beside each other look at different
    places.
    """
    sign = -1.0 if is_maximized else 1.0
    ranked = sorted((sign * (trial.objective or 0.0), space.point(trial.values)) for trial in seen)
    ranked = ranked[:OBSERVATIONS]
    losses = [loss for loss, _ in ranked]
    mean, spread = fmean(losses), pstdev(losses) or 1.0
    pending = [space.point(trial.values) for trial in trials if not trial.is_over]
    points = [point for _, point in ranked] + pending
    scaled = [(loss - mean) / spread for loss in losses] + [0.0] * len(pending)
    process = gaussian.fit(points, scaled)
    tried = _tried(trials)
    found = [values for values in _candidates(space, points[:3], source) if _key(values) not in tried] or [
        _untried(space, trials, source)
    ]
    return max(
        found, key=lambda values: gaussian.expected_improvement(process, space.point(values), min(scaled))
    )


def _candidates(space: Space, best: Sequence[Point], source: random.Random) -> list[Values]:
    drawn = [space.draw(source) for _ in range(CANDIDATES)]
    near = [[part + source.gauss(0, STEP) for part in source.choice(best)] for _ in range(STEPS)]
    return drawn + [space.values(point) for point in near]
