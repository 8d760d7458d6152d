"""The table of tasks agrees with itself and with what is computed."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest

from include.core.tasks import METRICS, TASKS, Metric, TaskName, task_of_classes
from include.ml.evaluation.comparison import Answers, metric_statistic
from include.ml.evaluation.metrics import metrics

LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1])


def answers(task: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels and random probabilities of as many classes as the task has at least."""
    classes = TASKS[task].least_classes
    return LABELS % classes, np.random.default_rng(3).dirichlet(np.ones(classes), len(LABELS))


@pytest.mark.parametrize("task", TASKS)
def test_the_table_names_what_is_measured_in_its_order(task: str) -> None:
    """Documents have the metrics as the table lists them, each within its bounds."""
    found = metrics(*answers(task))
    assert list(found) == [metric.name for metric in TASKS[task].metrics]
    assert all(metric.low <= found[metric.name] <= metric.high for metric in TASKS[task].metrics)


@pytest.mark.parametrize("task", TASKS)
def test_a_metric_has_the_bounds_that_it_can_reach(task: str) -> None:
    """The best and the worst possible answers give the bounds of the table."""
    labels, probabilities = answers(task)
    classes = probabilities.shape[1]
    best = metrics(labels, np.eye(classes)[labels])
    worst = metrics(labels, np.eye(classes)[(labels + 1) % classes])
    for metric in TASKS[task].metrics:
        ends = (worst[metric.name], best[metric.name])
        low, high = ends if metric.is_higher_better else reversed(ends)
        if metric.name == "average_precision":
            # even the worst order puts some positive rows on top
            low = metric.low
        elif metric.name == "log_loss":
            # probabilities are kept away from 0
            assert high > 1
            high = math.inf
        assert (low, high) == pytest.approx((metric.low, metric.high), abs=1e-6), metric.name


@pytest.mark.parametrize("task", TASKS)
def test_models_are_compared_by_the_value_that_is_measured(task: str) -> None:
    """Every metric of the comparison gives the number that documents have under its name."""
    labels, probabilities = answers(task)
    once = np.ones((1, len(labels)))
    found = metrics(labels, probabilities)
    for name in TASKS[task].compared:
        value = metric_statistic(name, labels, Answers(probabilities))(once)[0]
        assert value == pytest.approx(found[name]), name


def test_the_type_of_a_task_has_every_name() -> None:
    """A row that is added to the table is added to the type, and so to the schemas of documents."""
    assert get_args(TaskName) == tuple(TASKS)


def test_a_name_means_the_same_in_every_task() -> None:
    """Who knows the name of a metric alone knows its direction and its unit."""
    for task in TASKS.values():
        for metric in task.metrics:
            known = METRICS[metric.name]
            assert (known.is_higher_better, known.unit) == (metric.is_higher_better, metric.unit)
            assert metric.name.endswith("_loss") is not metric.is_higher_better


def test_a_cycle_may_decide_by_what_answers_tell() -> None:
    """An answer of several classes has one probability: no loss over all classes can be told from it."""
    deciding = {name: task.deciding for name, task in TASKS.items()}
    assert deciding == {
        "binary": ("roc_auc", "average_precision", "accuracy", "log_loss"),
        "multiclass": ("accuracy",),
    }
    assert all(task.default in task.deciding for task in TASKS.values())


@pytest.mark.parametrize(("classes", "task"), [(2, "binary"), (3, "multiclass"), (1000, "multiclass")])
def test_the_number_of_classes_tells_the_task(classes: int, task: str) -> None:
    """No number of classes belongs to two tasks."""
    assert task_of_classes(classes).name == task
    assert [each.name for each in TASKS.values() if each.least_classes <= classes <= each.most_classes] == [
        task
    ]


def test_an_undefined_bound_stays_undefined() -> None:
    """NaN is no number that could be cut."""
    metric = Metric(name="some", needs=frozenset())
    assert np.isnan(metric.cut(math.nan, math.nan)).all()
    assert metric.cut(-0.5, math.nan)[0] == 0.0
