"""How a tuning job chooses, stops early, and ends."""

# ruff: noqa: S311 (nothing here is a secret)

from __future__ import annotations

import math
import random
import sys
from collections.abc import Sequence
from statistics import fmean, pstdev
from typing import Any

import pytest

from local_sagemaker.domain.tuning import rules
from local_sagemaker.domain.tuning.rules import Objective, is_below_median
from local_sagemaker.domain.tuning.space import Space
from local_sagemaker.domain.tuning.strategies import Trial, suggest
from local_sagemaker.engine.workflows.gaussian import expected_improvements
from local_sagemaker.errors import ValidationException
from local_sagemaker.services.sagemaker import tuning

PLANE = Space.read(
    {
        "ContinuousParameterRanges": [
            {"Name": "x", "MinValue": "-5", "MaxValue": "10"},
            {"Name": "y", "MinValue": "0", "MaxValue": "15"},
        ]
    }
)


def branin(x: float, y: float) -> float:
    """A function with three minima of 0.398, known from the literature on optimization."""
    bent = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return bent**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def lowest(strategy: str, seed: int, *, is_maximized: bool = False) -> float:
    """The lowest value of the function that a strategy finds in 25 trials."""
    trials: list[Trial] = []
    sign = -1 if is_maximized else 1
    for number in range(25):
        source = random.Random(f"{seed} {number}")
        values = suggest(strategy, PLANE, trials, source, expected_improvements, is_maximized=is_maximized)
        assert values is not None
        found = branin(float(values["x"]), float(values["y"]))
        trials.append(Trial(values, sign * found, is_over=True))
    return min(sign * (trial.objective or 0) for trial in trials)


@pytest.mark.long
def test_the_bayesian_strategy_comes_closer_than_chance() -> None:
    """On the average of several seeds, both ways round, and near the true minimum."""
    seeds = range(2)
    by_process = fmean(lowest("Bayesian", seed, is_maximized=seed % 2 == 0) for seed in seeds)
    by_chance = fmean(lowest("Random", seed) for seed in seeds)
    assert by_process < 1.0
    assert by_process < by_chance / 2


def standardized(losses: Sequence[float]) -> list[float]:
    """Losses with mean 0 and variance 1."""
    mean, spread = fmean(losses), pstdev(losses)
    return [(loss - mean) / spread for loss in losses]


def test_nothing_is_to_be_gained_where_the_loss_is_known() -> None:
    """Least at the points that were seen, more between them, most beside the best one."""
    points = [(number / 6,) for number in range(7)]
    losses = standardized([math.sin(6 * x) for (x,) in points])
    seen = expected_improvements(points, losses, points, 0)
    beside_worst, beside_best = expected_improvements(points, losses, [(0.25,), (0.78,)], 0)
    assert max(seen) < 0.02
    assert beside_worst < 0.02 < beside_best


def test_an_axis_without_effect_is_told_from_a_steep_one() -> None:
    """Only the place on the steep axis decides what is to be gained."""
    source = random.Random(3)
    points = [(source.random(), source.random()) for _ in range(24)]
    losses = standardized([(x - 0.43) ** 2 for x, _ in points])
    at_best = expected_improvements(points, losses, [(0.43, y) for y in (0.1, 0.5, 0.9)], 0)
    beside = expected_improvements(points, losses, [(x, y) for x in (0.3, 0.56) for y in (0.1, 0.5, 0.9)], 0)
    assert min(at_best) > 10 * max(beside)


def test_the_same_seed_gives_the_same_improvements() -> None:
    """A tuning job that is carried on after a restart chooses as it would have."""
    points, candidates = [(0.1, 0.5), (0.4, 0.2), (0.7, 0.9)], [(0.2, 0.2), (0.5, 0.5)]
    one, other = (expected_improvements(points, [-1.0, 1.0, 0.0], candidates, 7) for _ in range(2))
    assert one == other


def test_a_bayesian_tuning_job_is_refused_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named; nothing has been started."""
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ValidationException, match=r"local-sagemaker\[tuning\]"):
        tuning.check_request({"HyperParameterTuningJobConfig": {"Strategy": "Bayesian"}})


def no_model(*_: object) -> list[float]:
    """Stands for the surrogate model where it must not be asked."""
    pytest.fail("The surrogate model was asked.")


def test_a_grid_is_gone_through_once() -> None:
    """Every combination, none twice, then nothing."""
    space = Space.read(
        {
            "CategoricalParameterRanges": [
                {"Name": "a", "Values": ["1", "2"]},
                {"Name": "b", "Values": ["x", "y", "z"]},
            ]
        }
    )
    trials: list[Trial] = []
    while values := suggest("Grid", space, trials, random.Random(0), no_model, is_maximized=True):
        trials.append(Trial(values, None, is_over=False))
    assert len({tuple(trial.values.items()) for trial in trials}) == len(trials) == 6


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_a_small_space_is_used_up_without_repetition(strategy: str) -> None:
    """Three values are three trials."""
    space = Space.read({"IntegerParameterRanges": [{"Name": "n", "MinValue": "1", "MaxValue": "3"}]})
    trials: list[Trial] = []
    while values := suggest(
        strategy, space, trials, random.Random(0), expected_improvements, is_maximized=True
    ):
        trials.append(Trial(values, float(values["n"]), is_over=True))
    assert sorted(trial.values["n"] for trial in trials) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([], False),
        ([0.1], False),
        ([0.1, 0.2], True),
        ([0.1, 0.6], False),
        ([0.9, 0.1], False),
        ([0.1] * 9, False),
    ],
)
def test_the_median_rule(reports: list[float], expected: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    """Against running averages 0.45, 0.5 and 0.7 after two reports; nobody has made nine."""
    ended = [[0.4, 0.5, 0.9], [0.5, 0.5], [0.7, 0.7]]
    assert is_below_median(reports, ended, is_maximized=True) is expected
    minimized = [[-value for value in other] for other in ended]
    assert is_below_median([-value for value in reports], minimized, is_maximized=False) is expected
    assert not is_below_median(reports, ended[:2], is_maximized=True)


UP = Objective("auc", is_maximized=True)


def tried(*objectives: float | None, running: int = 0) -> list[Trial]:
    """Trials that have ended, and some that run."""
    over = [Trial({"n": str(number)}, value, is_over=True) for number, value in enumerate(objectives)]
    return over + [Trial({"n": f"r{number}"}, None, is_over=False) for number in range(running)]


@pytest.mark.parametrize(
    ("config", "trials", "expected"),
    [
        ({}, [], {"start": 2}),
        ({}, tried(0.5, running=1), {"start": 1}),
        ({}, tried(0.5, running=2), {"start": 0}),
        ({}, tried(0.5, 0.6, 0.7, running=1), {"start": 0}),
        ({}, tried(0.5, 0.6, 0.7, None), {"outcome": "Completed"}),
        ({}, tried(None, None, None, None), {"outcome": "Failed", "reason": rules.ALL_FAILED}),
        ({"TargetObjectiveMetricValue": 0.6}, tried(0.5, 0.6, running=1), {"stops": True}),
        ({"TargetObjectiveMetricValue": 0.6}, tried(0.5, 0.6), {"outcome": "Completed"}),
        (
            {"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 2}},
            tried(0.9, 0.5, None),
            {"outcome": "Completed"},
        ),
    ],
)
def test_what_a_tuning_job_does_next(
    config: dict[str, Any], trials: list[Trial], expected: dict[str, Any]
) -> None:
    """Limits, criteria and failures decide."""
    limits = {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2}
    given = {"ResourceLimits": limits, "TuningJobCompletionCriteria": config}
    verdict = rules.decide(given, trials, UP, age_s=1, is_stopping=False)
    assert verdict == rules.Verdict(**expected)


def test_five_failures_without_a_success_are_enough() -> None:
    """And a stop is a stop, whatever has come out."""
    limits = {"ResourceLimits": {"MaxNumberOfTrainingJobs": 9, "MaxParallelTrainingJobs": 1}}
    found = rules.decide(limits, tried(*[None] * 5), UP, age_s=1, is_stopping=False)
    assert (found.outcome, found.reason) == ("Failed", rules.NONE_SUCCEEDED)
    stopped = rules.decide(limits, tried(0.5), UP, age_s=1, is_stopping=True)
    assert stopped.outcome == "Stopped"
