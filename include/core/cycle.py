"""The description of one model's continuous cycle, and how descriptions are found.

Imported while Airflow parses DAG files: the standard library and croniter only.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from croniter import croniter  # type: ignore[import-untyped]  # it ships no types

from include.core.checks import (
    QUOTED,
    Limits,
    Share,
    Stretch,
    close_match,
    field_faults,
    show,
)
from include.core.compute import Compute, Rollout
from include.core.cycle_files import Expected, package_faults
from include.core.exceptions import FlywheelError, InvalidCycle, PermanentError
from include.core.layout import CYCLE_NAME
from include.core.monitoring import Monitoring
from include.core.sources import SOME_TIME, FileSource, PythonSource
from include.core.tasks import METRICS, TASKS, TaskName

__all__ = [
    "Compute",
    "Cycle",
    "FileSource",
    "Promotion",
    "PythonSource",
    "Rollout",
    "Split",
    "broken_cycles",
    "described_cycle",
    "find_cycles",
    "refuse_broken_cycles",
]

CYCLES = Path(__file__).parents[1] / "cycles"
#: what every job is told by these names; all its other arguments are parameters of the step
JOB_ARGUMENTS = ("cycle", "start", "end", "key")
#: SageMaker's limits of a training job's hyperparameters
LONGEST_NAME, LONGEST_VALUE, MOST_HYPERPARAMETERS = 256, 2500, 100 - len(JOB_ARGUMENTS)
A_NAME = "lower-case letters and digits, at most 16, a letter first: it becomes part of job names and S3 keys"
#: what Airflow and croniter know under the same name, besides five fields
PRESETS = {"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"}
#: hashed and random fields give other ticks each time they are read
UNSTABLE = re.compile(r"(?i)(?:^|[\s,])[hr](?:[\s,(/]|$)")
HOW_TO = (
    "Write five fields (minute, hour, day of the month, month, day of the week) such as '0 0 1 * *', "
    f"or one of {', '.join(sorted(PRESETS))}."
)


@dataclass(frozen=True)
class Split:
    """How the rows of one training set are divided by event time, counted back from the interval's end."""

    #: the last stretch, which only `evaluate` reads
    holdout: Stretch
    #: the stretch before it, for the training job's metrics, the check of the exported model, and early
    #: stopping or calibration where the cycle's estimator.py has a `fit` of its own
    validation: Stretch


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """When a challenger replaces the champion; gains and floors are in the unit of the cycle's metric."""

    #: what the lower bound of the gain over the champion must exceed
    minimum_gain: float = 0.0
    #: no slice's gain over the champion may surely be below this; a negative floor tolerates a small loss
    slice_floor: float = -0.02
    #: at their thresholds the challenger's answers may not be surely worse than the champion's and by more
    #: than this: in accuracy, in the mean share of a class that is missed, or in how far the answers' shares
    #: are from those of labels; None: whatever clients are answered, the metric alone decides
    operating_slack: Share | None = 0.1
    #: other floors, by column of SLICES in estimator.py
    slice_floors: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    #: of the two-sided intervals: equal models are promoted in half of the rest
    confidence: Annotated[float, Limits(above=0, below=1)] = 0.95
    #: draws of the bootstrap
    repetitions: Annotated[int, Limits(least=100)] = 2000
    seed: Annotated[int, Limits(least=0, below=2**32)] = 0
    #: events of one stretch of this length (in UTC) share what no column tells, and are drawn as one; None
    #: where rows are independent
    block: Annotated[timedelta | None, Limits(least=timedelta(seconds=1))] = None

    def faults(self, path: str, sound: set[str]) -> Iterator[str]:
        """Yield that a block has fractions of a second, which the rule does not keep."""
        if "block" in sound and self.block is not None and self.block.microseconds:
            yield f"{path}block={show(self.block)} has fractions of a second. Write whole seconds, or None."

    def floor(self, column: str) -> float:
        """Return the floor of a column's slices."""
        return self.slice_floors.get(column, self.slice_floor)


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """One model's continuous cycle: fetch, clean, transform, train, evaluate, deploy, score, monitor."""

    #: lower-case letters and digits, at most 16; part of every job's name and of every S3 key
    name: Annotated[str, Limits(pattern=CYCLE_NAME, form=A_NAME)]
    #: one sentence for people
    description: str
    #: for the model card: what the model is to be used for, and where it is not to be trusted
    intended_uses: str = "What the description says, on records like those that it was trained on."
    limits: str = "Evaluated on one stretch of time after its training rows; no other population was tested."
    #: the kind of model
    task: TaskName
    #: cron expression in UTC; an interval reaches from one tick to the next
    schedule: str
    #: start of the first interval there is data for (UTC)
    start: datetime
    #: end of the last interval there will ever be data for; None while the source lives
    end: datetime | None = None
    source: PythonSource | FileSource
    split: Split
    #: metric that decides between models, one that TASKS calls deciding
    metric: str
    #: a clean step that quarantines a larger share of its rows than this fails
    quarantine_limit_share: Share = 0.05
    #: what it takes to replace the champion
    promotion: Promotion = Promotion()
    #: extra hyperparameters of the training job, by name
    hyperparameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    processing: Compute = field(default_factory=Compute)
    training: Compute = field(default_factory=Compute)
    serving: Compute = field(default_factory=lambda: Compute(instance_type="ml.m5.large"))
    rollout: Rollout = field(default_factory=Rollout)
    #: how the model in production is monitored, and when it is retrained
    monitoring: Monitoring = field(default_factory=Monitoring)

    def __post_init__(self) -> None:
        """Raise InvalidCycle with all that is wrong, here and in every value inside."""
        faults = field_faults(self)
        if faults:
            raise InvalidCycle(self.name, faults)

    @property
    def expected(self) -> Expected:
        """What the modules of its package must agree with."""
        return Expected(
            task=TASKS[self.task],
            tables=self.source.tables if isinstance(self.source, FileSource) else None,
            floors=self.promotion.slice_floors,
            facets=[facet.column for facet in self.monitoring.facets],
            private=self.monitoring.private,
            hyperparameters=self.hyperparameters,
        )

    def faults(self, path: str, sound: set[str]) -> Iterator[str]:  # noqa: ARG002 - a cycle lies in nothing
        """Yield what is wrong with fields together."""
        if self.name == "code":
            yield "name='code' is the name of the folder of the jobs' code in the bucket. Write another name."
        if "metric" in sound:
            yield from self._metric_faults() if "task" in sound else _unknown_metric(self.metric)
        if "start" in sound and "end" in sound:
            yield from self._span_faults(has_split="split" in sound)
        if "schedule" in sound:
            yield from self._schedule_faults("schedule", self.schedule, has_start="start" in sound)
        windows = self.monitoring.schedule if isinstance(self.monitoring, Monitoring) else None
        if isinstance(windows, str):
            yield from self._schedule_faults("monitoring.schedule", windows, has_start="start" in sound)
        if isinstance(self.hyperparameters, Mapping):
            yield from _hyperparameter_faults(self.hyperparameters)

    def _metric_faults(self) -> Iterator[str]:
        """Yield that the metric is none that the task decides by, or that no value reaches a rule's limit."""
        task = TASKS[self.task]
        if self.metric not in task.deciding:
            why = "is measured, and cannot decide," if self.metric in task.names else "is no metric"
            near = close_match(self.metric, task.deciding)
            yield f"metric={show(self.metric)} {why} for the task {task.name}. {near}"
            return
        metric = task.metric(self.metric)
        limits = {
            "promotion.minimum_gain": getattr(self.promotion, "minimum_gain", None),
            "monitoring.quality_drop": getattr(self.monitoring, "quality_drop", None),
        }
        for name, value in limits.items():
            if isinstance(value, (int, float)) and value >= metric.high - metric.low:
                yield (
                    f"{name}={value!r} is never reached: {metric.name} lies between {metric.low} and "
                    f"{metric.high}. Write less than {metric.high - metric.low}."
                )

    def _span_faults(self, *, has_split: bool) -> Iterator[str]:
        """Yield that the cycle ends before it starts, or before there could be rows to train on."""
        if self.end is None:
            return
        if self.end <= self.start:
            yield (
                f"end={self.end.isoformat()} is not after start={self.start.isoformat()}. Write the end of "
                "the last interval there will be data for, or None while the source lives."
            )
        elif has_split and self.split.holdout + self.split.validation >= self.end - self.start:
            yield (
                f"split.holdout={show(self.split.holdout)} and "
                f"split.validation={show(self.split.validation)} leave no row to train on of the "
                f"{show(self.end - self.start)} from start to end. Write shorter ones."
            )

    def _schedule_faults(self, name: str, expression: str, *, has_start: bool) -> Iterator[str]:
        """Yield that Airflow and jobs do not read a schedule alike, or that `start` is none of its ticks."""
        given = f"{name}={show(expression)}"
        is_known = len(expression.split()) == 5 or expression in PRESETS  # noqa: PLR2004 - minutes, not seconds
        if not is_known or UNSTABLE.search(expression):
            yield f"{given} is no schedule. {HOW_TO}"
            return
        start = self.start if has_start else SOME_TIME
        try:
            tick = croniter(expression, croniter(expression, start).get_prev(datetime)).get_next(datetime)
            first = croniter(expression, start).get_next(datetime)
        except (ValueError, OverflowError) as error:
            yield f"{given} is never due, or cannot be read: {str(error)[:QUOTED]}. {HOW_TO}"
            return
        if has_start and isinstance(self.end, datetime) and self.end.tzinfo and start < self.end < first:
            yield (
                f"{given} has no interval that ends by end={self.end.isoformat()}: the first ends at "
                f"{first.isoformat()}. Write a later end, or another schedule."
            )
        if has_start and tick != start:
            yield (
                f"{given} has no tick at start={start.isoformat()}, where the first interval begins. "
                f"Write start={tick.isoformat()}, or another schedule."
            )


def _unknown_metric(name: str) -> Iterator[str]:
    """Yield that no task has a metric, where the task itself is unknown."""
    if name not in METRICS:
        yield f"metric={show(name)} is no metric. {close_match(name, METRICS)}"


def _hyperparameter_faults(given: Mapping[str, str]) -> Iterator[str]:
    """Yield what a training job cannot be given, or could not tell from its own arguments."""
    for name, value in ((name, value) for name, value in given.items() if isinstance(name, str)):
        if name in JOB_ARGUMENTS or name.startswith("sagemaker_"):
            yield (
                f"hyperparameters has the name {show(name)}, which is kept for what every job is told "
                f"({', '.join(JOB_ARGUMENTS)}, sagemaker_...). Write another name."
            )
        if len(name) > LONGEST_NAME or (isinstance(value, str) and len(value) > LONGEST_VALUE):
            yield (
                f"hyperparameters[{show(name)}]={show(value)} is too long for SageMaker. Write a name of at "
                f"most {LONGEST_NAME} and a value of at most {LONGEST_VALUE} characters."
            )
    if len(given) > MOST_HYPERPARAMETERS:
        yield (
            f"hyperparameters has {len(given)} names. Write at most {MOST_HYPERPARAMETERS}: SageMaker takes "
            f"100, {len(JOB_ARGUMENTS)} of which every job is told."
        )


def find_cycles() -> dict[str, Cycle]:
    """Every cycle of this project by name, in the order of their names; one that is broken is left out.

    A cycle is a package beside this file whose `cycle.py` has a `CYCLE`; its folder bears the cycle's name.
    """
    return {name: cycle for name, cycle in _read_cycles().items() if isinstance(cycle, Cycle)}


def broken_cycles() -> dict[str, InvalidCycle]:
    """Return what is wrong with the cycles that cannot be worked with, by the names of their folders."""
    return {name: error for name, error in _read_cycles().items() if isinstance(error, InvalidCycle)}


def refuse_broken_cycles() -> None:
    """Raise an error that tells what is wrong with every broken cycle, if there is one."""
    broken = broken_cycles()
    if broken:
        error = PermanentError("\n".join(str(error) for error in broken.values()))
        raise error from next(iter(broken.values()))


def described_cycle(name: str) -> Cycle:
    """Return a cycle by its name.

    :raises FlywheelError: there is none, or its description is broken
    """
    cycle = _read_cycles().get(name)
    if isinstance(cycle, Cycle):
        return cycle
    if cycle is None:
        raise FlywheelError(f"There is no cycle {name!r}. Known: {', '.join(find_cycles())}.")
    raise cycle


def _read_cycles() -> dict[str, Cycle | InvalidCycle]:
    paths = sorted(CYCLES.glob("*/cycle.py"))
    return {path.parent.name: _read_cycle(path.parent) for path in paths}


def _read_cycle(folder: Path) -> Cycle | InvalidCycle:
    """Return a cycle, or what is wrong with it: one broken cycle must not hide the others."""
    name = folder.name
    try:
        cycle = importlib.import_module(f"include.cycles.{name}.cycle").CYCLE
    except Exception as error:  # noqa: BLE001 - a cycle's own code raises what it likes
        faults = error.faults if isinstance(error, InvalidCycle) else [f"{type(error).__name__}: {error}"]
        broken = InvalidCycle(name, [*faults, *package_faults(folder, None)])
        broken.__cause__ = error
        return broken
    if not isinstance(cycle, Cycle):
        return InvalidCycle(name, [f"cycle.py has CYCLE={show(cycle)}. Write CYCLE = Cycle(...)."])
    faults = package_faults(folder, cycle.expected)
    if cycle.name != name:
        why = "jobs find a cycle's code by its name. Make them the same."
        faults.insert(0, f"name={cycle.name!r} in the folder {name!r}: {why}")
    return InvalidCycle(name, faults) if faults else cycle
