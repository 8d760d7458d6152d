"""The description of one model's continuous cycle, and how descriptions are found.

Imported while Airflow parses DAG files: the standard library and croniter only.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from croniter import CroniterError, croniter  # type: ignore[import-untyped]  # it ships no types

from include.core.layout import CYCLE_NAME
from include.core.monitoring import Monitoring
from include.core.tasks import TASKS, TaskName

#: what Airflow and croniter know under the same name, besides five fields
PRESETS = {"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"}
#: hashed and random fields give other ticks each time they are read
UNSTABLE = re.compile(r"(?i)(?:^|[\s,])[hr](?:[\s,(/]|$)")
HOW_TO = (
    "Write five fields (minute, hour, day of the month, month, day of the week) such as '0 0 1 * *', "
    f"or one of {', '.join(sorted(PRESETS))}."
)


@dataclass(frozen=True)
class PythonSource:
    """Data that comes from the cycle's own `source.py`, by its function `tables(start, end)`."""


@dataclass(frozen=True)
class FileSource:
    """Data that comes as one file per table and interval, CSV or Parquet by its ending.

    A URI is `s3://`, `http://`, `https://` or `file://`, and may hold the fields of the interval:
    `s3://raw/flights/{start:%Y-%m}.csv`.
    """

    tables: Mapping[str, str]
    #: texts that mean a missing value, besides the empty one: ("NA", "null")
    missing: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse one text in place of several, whose letters would be taken for missing values."""
        if isinstance(self.missing, str) or not all(isinstance(text, str) for text in self.missing):
            raise ValueError(
                f'FileSource: missing={self.missing!r} has to be a tuple of texts, such as ("NA", "null").'
            )


@dataclass(frozen=True)
class Split:
    """How the rows of one training set are divided by event time, counted back from the interval's end."""

    #: the last stretch, which only `evaluate` reads
    holdout: timedelta
    #: the stretch before it, for early stopping, calibration and the check of the exported model
    validation: timedelta


@dataclass(frozen=True)
class Compute:
    """What SageMaker is asked for; the local service takes any instance type."""

    instance_type: str = "ml.m5.xlarge"
    instance_count: int = 1
    volume_gb: int = 30
    #: after this the job is stopped and its task fails
    max_runtime_s: int = 3600


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """How a new version takes over an endpoint that serves already: by a canary, whose metrics decide.

    An alarm fires when what was measured is above its limit; a limit of None is no alarm.
    """

    #: share of the invocations that the new version gets at first; 0 replaces the old one without a trial
    canary_share: float = 0.1
    #: how long the trial lasts. AWS has metrics by the minute and a minute late: 300 is the least there
    bake_s: float = 600.0
    #: before the end of the bake, an alarm counts from so many of the canary's invocations on
    minimum_invocations: int = 20
    #: what happens when there were fewer in the whole bake, and no alarm
    too_few: Literal["go on", "roll back"] = "go on"
    #: share of the canary's invocations that end with 5XX
    error_rate_limit: float | None = 0.02
    #: by how much its share of 4XX may be above the champion's, which has the same clients
    client_error_gain_limit: float | None = 0.05
    #: the model's latency
    latency_p99_limit_ms: float | None = 1000.0
    latency_mean_limit_ms: float | None = None

    def __post_init__(self) -> None:
        """Refuse what is no canary."""
        if not 0 <= self.canary_share < 1:
            raise ValueError(f"canary_share={self.canary_share} must be at least 0 and less than 1.")
        if self.bake_s < 0 or self.minimum_invocations < 0:
            raise ValueError(
                f"bake_s={self.bake_s} and minimum_invocations={self.minimum_invocations} "
                "must not be negative."
            )


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """When a challenger replaces the champion; gains and floors are in the unit of the cycle's metric."""

    #: what the lower bound of the gain over the champion must exceed
    minimum_gain: float = 0.0
    #: no slice's gain over the champion may surely be below this; a negative floor tolerates a small loss
    slice_floor: float = -0.02
    #: other floors, by column of SLICES in estimator.py
    slice_floors: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    #: of the two-sided intervals: equal models are promoted in half of the rest
    confidence: float = 0.95
    #: draws of the bootstrap
    repetitions: int = 2000
    seed: int = 0
    #: events of one stretch of this length (in UTC) share what no column tells, and are drawn as one; None
    #: where rows are independent
    block: timedelta | None = None

    def __post_init__(self) -> None:
        """Refuse what gives no interval."""
        if not 0 < self.confidence < 1 or self.repetitions < 100:  # noqa: PLR2004 - tails of less are chance
            raise ValueError(
                f"Promotion: confidence={self.confidence} must lie between 0 and 1, and "
                f"repetitions={self.repetitions} be at least 100, or there is no interval to decide by."
            )
        if self.block is not None and self.block < timedelta(seconds=1):
            raise ValueError(f"Promotion: a block of {self.block} is too short; use whole seconds, or None.")

    def floor(self, column: str) -> float:
        """Return the floor of a column's slices."""
        return self.slice_floors.get(column, self.slice_floor)


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """One model's continuous cycle: fetch, clean, transform, train, evaluate, deploy, score, monitor."""

    #: lower-case letters and digits, at most 16; part of every job's name and of every S3 key
    name: str
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
    quarantine_limit_share: float = 0.05
    #: what it takes to replace the champion
    promotion: Promotion = Promotion()
    #: extra hyperparameters of the training job, by name
    hyperparameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    processing: Compute = Compute()
    training: Compute = Compute()
    serving: Compute = Compute(instance_type="ml.m5.large")
    rollout: Rollout = Rollout()
    #: how the model in production is monitored, and when it is retrained
    monitoring: Monitoring = field(default_factory=Monitoring)

    def __post_init__(self) -> None:
        """Refuse what no run could work with."""
        if not CYCLE_NAME.fullmatch(self.name):
            raise ValueError(
                f"The cycle's name {self.name!r} does not fit {CYCLE_NAME.pattern}: it becomes part of "
                "job names and S3 keys. Rename the cycle and its package."
            )
        if self.start.tzinfo is not UTC or (self.end is not None and self.end.tzinfo is not UTC):
            raise ValueError(f"Cycle {self.name}: start and end must be in UTC (datetime(..., tzinfo=UTC)).")
        if self.task not in TASKS:
            raise ValueError(f"Cycle {self.name}: task={self.task!r} is none of {', '.join(TASKS)}.")
        if self.metric not in TASKS[self.task].deciding:
            raise ValueError(
                f"Cycle {self.name}: metric={self.metric!r} cannot decide between models of the task "
                f"{self.task}; these can: {', '.join(TASKS[self.task].deciding)}."
            )
        self._check_schedule("schedule", self.schedule)
        if self.monitoring.schedule is not None:
            self._check_schedule("monitoring.schedule", self.monitoring.schedule)
        if not 0 <= self.quarantine_limit_share <= 1:
            raise ValueError(
                f"Cycle {self.name}: quarantine_limit_share={self.quarantine_limit_share} is a share, 0 to 1."
            )

    def _check_schedule(self, field: str, expression: str) -> None:
        """Raise ValueError unless Airflow and jobs read a schedule alike, and `start` is one of its ticks."""
        given = f"Cycle {self.name}: {field}={expression!r}"
        is_known = len(expression.split()) == 5 or expression in PRESETS  # noqa: PLR2004 - minutes, not seconds
        if not is_known or UNSTABLE.search(expression):
            raise ValueError(f"{given} is no schedule. {HOW_TO}")
        try:
            tick = croniter(expression, croniter(expression, self.start).get_prev(datetime)).get_next(
                datetime
            )
        except CroniterError as error:
            raise ValueError(f"{given} is never due, or cannot be read: {error}. {HOW_TO}") from error
        if tick != self.start:
            raise ValueError(
                f"{given} has no tick at start={self.start.isoformat()}, where the first interval begins. "
                f"Write start={tick.isoformat()}, or another schedule."
            )


def find_cycles() -> dict[str, Cycle]:
    """Every cycle of this project by name, in the order of their names.

    A cycle is a package beside this file whose `cycle.py` has a `CYCLE`; its folder bears the cycle's name.
    """
    cycles: dict[str, Cycle] = {}
    for path in sorted((Path(__file__).parents[1] / "cycles").glob("*/cycle.py")):
        cycle: Cycle = importlib.import_module(f"include.cycles.{path.parent.name}.cycle").CYCLE
        if cycle.name != path.parent.name:
            raise ValueError(
                f"The cycle in {path} calls itself {cycle.name!r}, its folder {path.parent.name!r}: "
                "jobs find a cycle's code by its name. Make them the same."
            )
        cycles[cycle.name] = cycle
    return cycles
