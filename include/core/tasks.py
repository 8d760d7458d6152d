"""What can be predicted, and by what it is measured: tasks and their metrics, as data.

All that depends on a metric's direction, bounds or needs asks here. Imported while Airflow parses DAG files:
standard library only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

#: the names of TASKS
TaskName = Literal["binary", "multiclass"]
#: what a metric is computed from: the answered label or the probabilities of all classes; and what the rows
#: must hold for it to be defined
Need = Literal["label", "probabilities", "positives", "both classes"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number that says how good answers are."""

    name: str
    is_higher_better: bool = True
    #: the least and the largest value that it can have
    low: float = 0.0
    high: float = 1.0
    unit: Literal["share", "nats", "squared probability"] = "share"
    needs: frozenset[Need]
    #: its name in the schema of Model Monitor and of the registry; empty: the same
    aws_name: str = ""

    @property
    def registry_name(self) -> str:
        """The name under which a model package has it."""
        return self.aws_name or self.name

    @property
    def sign(self) -> int:
        """What a value is multiplied by so that more is better: 1 or -1."""
        return 1 if self.is_higher_better else -1

    def gain(self, ours: float, theirs: float) -> float:
        """Return by how much our value is better, negative if it is worse.

        >>> TASKS["binary"].metric("log_loss").gain(0.25, 0.5)
        0.25
        """
        return self.sign * ours - self.sign * theirs

    def cut(self, low: float, high: float) -> tuple[float, float]:
        """Return an interval without what the metric can never be; NaN stays NaN.

        >>> TASKS["binary"].metric("accuracy").cut(0.9, 1.1)
        (0.9, 1.0)
        """
        inside = [min(max(bound, self.low), self.high) for bound in (low, high)]
        return inside[0], inside[1]


@dataclass(frozen=True, kw_only=True)
class Task:
    """One kind of prediction."""

    name: TaskName
    #: what a label is, in words
    label: str
    #: how many CLASSES a cycle may have
    least_classes: int
    most_classes: float
    #: all that is measured, in the order of documents
    metrics: tuple[Metric, ...]
    #: how answers fare as clients get them, in the order of documents
    operating: tuple[Metric, ...]
    #: names of those that two models can be compared by, in the order of documents
    compared: tuple[str, ...]
    #: the name to take where nothing speaks for another
    default: str
    #: what one answer to a client tells, from which a window is judged
    answer: frozenset[Need]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all metrics."""
        return tuple(metric.name for metric in self.metrics)

    @property
    def deciding(self) -> tuple[str, ...]:
        """The names that a cycle may choose as its metric: comparable, and known from answers alone."""
        about_rows: frozenset[Need] = frozenset({"positives", "both classes"})
        return tuple(name for name in self.compared if self.metric(name).needs <= self.answer | about_rows)

    def class_fault(self, classes: int) -> str | None:
        """Return what is wrong with a number of CLASSES, if anything is."""
        if self.least_classes <= classes <= self.most_classes:
            return None
        return (
            f"features.py has {classes} CLASSES for task={self.name!r}, where a label is {self.label}. Write "
            "another task in cycle.py, or other CLASSES."
        )

    def metric(self, name: str) -> Metric:
        """Return a metric by its name.

        :raises KeyError: the task has none of that name
        """
        return {metric.name: metric for metric in self.metrics}[name]


_LABEL: frozenset[Need] = frozenset({"label"})
_PROBABILITIES: frozenset[Need] = frozenset({"probabilities"})
_RANKS: frozenset[Need] = frozenset({"probabilities", "both classes"})
_FINDS: frozenset[Need] = frozenset({"label", "positives"})
_ACCURACY = Metric(name="accuracy", needs=_LABEL)
_LOG_LOSS = Metric(name="log_loss", is_higher_better=False, high=math.inf, unit="nats", needs=_PROBABILITIES)
_BRIER = Metric(name="brier_loss", is_higher_better=False, unit="squared probability", needs=_PROBABILITIES)

#: the operating metrics that may not get worse by much
FLOORS = ("accuracy", "balanced_error", "share_gap")
#: the mean over classes of the share that is answered otherwise, and how far the shares of answers are from
#: those of labels (total variation)
_BALANCED = Metric(name="balanced_error", is_higher_better=False, needs=_LABEL | {"both classes"})
_GAP = Metric(name="share_gap", is_higher_better=False, needs=_LABEL)

_TASKS = (
    Task(
        name="binary",
        label="one of two CLASSES, the positive one last",
        least_classes=2,
        most_classes=2,
        metrics=(
            Metric(name="roc_auc", needs=_RANKS, aws_name="auc"),
            Metric(name="average_precision", needs=_RANKS),
            _LOG_LOSS,
            _BRIER,
            _ACCURACY,
            Metric(name="precision", needs=_LABEL),
            Metric(name="recall", needs=_FINDS),
            Metric(name="f1_score", needs=_FINDS, aws_name="f1"),
        ),
        operating=(
            _ACCURACY,
            _BALANCED,
            _GAP,
            Metric(name="answer_share", needs=_LABEL),
            Metric(name="false_alarm_rate", is_higher_better=False, needs=_LABEL),
            Metric(name="missed_share", is_higher_better=False, needs=_FINDS),
        ),
        compared=("roc_auc", "average_precision", "accuracy", "log_loss"),
        default="roc_auc",
        # the score is the probability of the positive class, which tells both
        answer=_LABEL | _PROBABILITIES,
    ),
    Task(
        name="multiclass",
        label="one of three CLASSES or more",
        least_classes=3,
        most_classes=math.inf,
        # two columns of one row are off by 1 each at worst
        metrics=(
            _ACCURACY,
            _LOG_LOSS,
            replace(_BRIER, high=2.0),
            Metric(name="f1_score", needs=_LABEL, aws_name="f1"),
        ),
        operating=(_ACCURACY, _BALANCED, _GAP),
        compared=("accuracy", "log_loss"),
        default="accuracy",
        # the score is the label's own probability
        answer=_LABEL,
    ),
)
TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in _TASKS})
#: by name, for those who know no task: tasks agree on the direction and the unit of a name
METRICS: Mapping[str, Metric] = MappingProxyType(
    {metric.name: metric for task in reversed(_TASKS) for metric in task.metrics}
)


def task_of_classes(classes: int) -> Task:
    """Return the task whose answers are probabilities of so many classes."""
    return next(task for task in _TASKS if task.least_classes <= classes <= task.most_classes)
