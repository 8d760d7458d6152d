"""What a tuning job does next: how many jobs to start, which to stop early, and whether it is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from local_sagemaker.domain.tuning.strategies import Trial

#: training jobs that may fail before any succeeds
ATTEMPTS = 5
#: jobs that must have ended, and reports that a job may always make, before any is stopped early
JOBS, REPORTS = 3, 2
NONE_SUCCEEDED = (
    f"No training job succeeded after {ATTEMPTS} attempts. For additional details, please take a look at the "
    "training job failures by listing training jobs for the hyperparameter tuning job."
)
ALL_FAILED = "All training jobs failed. Please take a look at the training job failures to get more details."


@dataclass(frozen=True)
class Objective:
    """The metric that is tuned."""

    name: str
    is_maximized: bool

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Objective:
        """HyperParameterTuningJobObjective."""
        return cls(given["MetricName"], given["Type"] == "Maximize")

    def is_better(self, one: float, other: float) -> bool:
        """Whether a value is better than another."""
        return one > other if self.is_maximized else one < other

    def best(self, values: Sequence[float]) -> float:
        """Return the best of some values."""
        return max(values) if self.is_maximized else min(values)


@dataclass(frozen=True)
class Verdict:
    """What is to be done."""

    #: how many training jobs to start
    start: int = 0
    #: whether those that run are to be stopped
    stops: bool = False
    #: HyperParameterTuningJobStatus when it is over
    outcome: str | None = None
    reason: str | None = None


def decide(
    config: Mapping[str, Any],
    trials: Sequence[Trial],
    objective: Objective,
    *,
    age_s: float,
    is_stopping: bool,
) -> Verdict:
    """Return what to do next, given all that was tried.

    :param age_s: seconds since the tuning job was created.
    """
    running = sum(not trial.is_over for trial in trials)
    over = [trial for trial in trials if trial.is_over]
    is_hopeless = len(over) >= ATTEMPTS and all(trial.objective is None for trial in over)
    limits = config["ResourceLimits"]
    is_late = age_s >= limits.get("MaxRuntimeInSeconds", float("inf"))
    ends_now = is_stopping or is_hopeless or is_late or _is_satisfied(config, trials, objective)
    if ends_now and running:
        return Verdict(stops=True)
    left = limits.get("MaxNumberOfTrainingJobs", float("inf")) - len(trials)
    if ends_now or (left <= 0 and not running):
        return _over(trials, is_stopping=is_stopping, is_hopeless=is_hopeless)
    return Verdict(start=max(0, int(min(limits["MaxParallelTrainingJobs"] - running, left))))


def exhausted(trials: Sequence[Trial]) -> Verdict:
    """Return what to do when there is nothing left to try."""
    if any(not trial.is_over for trial in trials):
        return Verdict()
    return _over(trials, is_stopping=False, is_hopeless=False)


def _over(trials: Sequence[Trial], *, is_stopping: bool, is_hopeless: bool) -> Verdict:
    if is_stopping:
        return Verdict(outcome="Stopped", reason="The hyperparameter tuning job was stopped by a request.")
    if is_hopeless:
        return Verdict(outcome="Failed", reason=NONE_SUCCEEDED)
    if trials and all(trial.objective is None for trial in trials):
        return Verdict(outcome="Failed", reason=ALL_FAILED)
    return Verdict(outcome="Completed")


def _is_satisfied(config: Mapping[str, Any], trials: Sequence[Trial], objective: Objective) -> bool:
    """Whether a TuningJobCompletionCriteria is met."""
    criteria = config.get("TuningJobCompletionCriteria", {})
    values = [trial.objective for trial in trials if trial.objective is not None]
    target = criteria.get("TargetObjectiveMetricValue")
    if target is not None and values and not objective.is_better(target, objective.best(values)):
        return True
    patience = criteria.get("BestObjectiveNotImproving", {}).get("MaxNumberOfTrainingJobsNotImproving")
    return patience is not None and not_improving(trials, objective) >= patience


def not_improving(trials: Sequence[Trial], objective: Objective) -> int:
    """How many training jobs have ended since the best one was begun."""
    over = [trial.objective for trial in trials if trial.is_over]
    values = [value for value in over if value is not None]
    if not values:
        return 0
    return len(over) - 1 - over.index(objective.best(values))


def is_below_median(
    reports: Sequence[float], others: Sequence[Sequence[float]], *, is_maximized: bool
) -> bool:
    """Whether a job is to be stopped early by SageMaker's median rule, given its reports and those of others.

    It is when its objective after so many reports is worse than the median of the running averages, over as
    many reports, of the jobs that have ended.
    """
    count = len(reports)
    comparable = [other for other in others if len(other) >= count]
    if count < REPORTS or len(comparable) < JOBS:
        return False
    best = max(reports) if is_maximized else min(reports)
    middle = median(fmean(other[:count]) for other in comparable)
    return best < middle if is_maximized else best > middle
