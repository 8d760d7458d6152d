"""Which hyperparameters the next training job gets: Random, Grid, Bayesian."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from local_sagemaker.domain.tuning.space import Choices, Point, Space, Values

#: draws of a combination that has not been tried, before a repeated one is taken
DRAWS = 100
#: what the Bayesian strategy looks at: random points, and steps away from the best ones
CANDIDATES, STEPS = 600, 400
#: the shortest and the longest step, as a share of an axis; a steep axis needs short ones
STEP = (0.003, 0.2)
#: observations that the surrogate model is fitted to, best first; its cost grows with the cube
OBSERVATIONS = 120

#: the surrogate model: each candidate's expected improvement, by points, their losses, candidates and a seed
Improvements = Callable[[Sequence[Point], Sequence[float], Sequence[Point], int], Sequence[float]]


@dataclass(frozen=True)
class Trial:
    """One combination that was tried."""

    values: Values
    #: None while its training job runs, and when it had no objective
    objective: float | None
    is_over: bool


def suggest(
    strategy: str,
    space: Space,
    trials: Sequence[Trial],
    source: random.Random,
    improvements: Improvements,
    *,
    is_maximized: bool,
) -> Values | None:
    """Return the next combination, or None if every one has been tried.

    :param source: of all that is random; the same seed and trials give the same combination.
    :param improvements: the surrogate model, called by the Bayesian strategy alone.
    """
    if len(_tried(trials)) >= space.size:
        return None
    if strategy == "Grid":
        tried = _tried(trials)
        choices = [one.values for one in space.ranges if isinstance(one, Choices)]
        names = [one.name for one in space.ranges]
        for words in itertools.product(*choices):
            values = dict(zip(names, words, strict=True))
            if _key(values) not in tried:
                return values
        return None
    if strategy == "Bayesian":
        seen = [trial for trial in trials if trial.objective is not None and math.isfinite(trial.objective)]
        if len(seen) > len(space.ranges):
            return _likely_best(space, trials, seen, source, improvements, is_maximized=is_maximized)
    return _untried(space, trials, source)


def _tried(trials: Iterable[Trial]) -> set[tuple[tuple[str, str], ...]]:
    return {_key(trial.values) for trial in trials}


def _key(values: Values) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(values.items()))


def _untried(space: Space, trials: Sequence[Trial], source: random.Random) -> Values:
    tried, values = _tried(trials), space.draw(source)
    for _ in range(DRAWS):
        if _key(values) not in tried:
            break
        values = space.draw(source)
    return values


def _likely_best(
    space: Space,
    trials: Sequence[Trial],
    seen: Sequence[Trial],
    source: random.Random,
    improvements: Improvements,
    *,
    is_maximized: bool,
) -> Values:
    """Return the combination with the highest expected improvement over what was seen so far.

    Jobs under way count as if they had come out average, so that parallel jobs look at different places.
    """
    sign = -1.0 if is_maximized else 1.0
    ranked = sorted((sign * (trial.objective or 0.0), space.point(trial.values)) for trial in seen)
    ranked = ranked[:OBSERVATIONS]
    losses = [loss for loss, _ in ranked]
    mean, spread = fmean(losses), pstdev(losses) or 1.0
    pending = [space.point(trial.values) for trial in trials if not trial.is_over]
    points = [point for _, point in ranked] + pending
    scaled = [(loss - mean) / spread for loss in losses] + [0.0] * len(pending)
    tried = _tried(trials)
    untried = [values for values in _candidates(space, points[:3], source) if _key(values) not in tried]
    if not untried:
        return _untried(space, trials, source)
    seed = source.getrandbits(32)
    expected = improvements(points, scaled, [space.point(values) for values in untried], seed)
    return max(zip(expected, untried, strict=True), key=lambda pair: pair[0])[1]


def _candidates(space: Space, best: Sequence[Point], source: random.Random) -> list[Values]:
    """Return random combinations, and some near the best ones, at distances of every order."""
    candidates = [space.draw(source) for _ in range(CANDIDATES)]
    shortest, longest = (math.log(step) for step in STEP)
    for _ in range(STEPS):
        step = math.exp(source.uniform(shortest, longest))
        candidates.append(space.values([part + source.gauss(0, step) for part in source.choice(best)]))
    return candidates
