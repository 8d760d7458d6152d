"""Daily windows over monthly training: each DAG keeps to its own intervals."""
# ruff: noqa: ANN401 - the service's test class has no types

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pendulum
import pytest
from airflow.sdk.exceptions import AirflowSkipException

from flywheel.hooks.sagemaker import SageMakerHook
from flywheel.intervals import run_interval
from flywheel.operators import BatchTransformOperator
from flywheel.operators.monitoring import champion_of
from flywheel.timetables import CycleTimetable
from include.core.cycle import Cycle
from include.core.dependencies import IntervalDependencies
from include.core.exceptions import IntervalError, NoChampion
from include.core.history import cleaned
from include.core.layout import Interval, job_name
from include.core.monitoring import Monitoring
from include.core.schedule import (
    history,
    last_windows,
    newest_complete,
    starting_at,
    window_schedule,
)
from include.core.settings import Settings
from tests.core.test_history import Outputs
from tests.examples import month

DAILY = "0 0 * * *"


@pytest.fixture
def daily(cycle: Cycle) -> Cycle:
    """Monthly training, watched day by day."""
    return replace(cycle, monitoring=Monitoring(schedule=DAILY, alarms=2, windows=3))


def day(number: int, of: int = 3) -> Interval:
    """A day of a month of 2013."""
    start = datetime(2013, of, number, tzinfo=UTC)
    return Interval(start, start + timedelta(days=1))


def context(**given: Any) -> dict[str, Any]:
    """A run by hand without an interval."""
    run = {
        "data_interval_start": None,
        "data_interval_end": None,
        "run_after": datetime(2013, 3, 6, 9, tzinfo=UTC),
        "run_type": "manual",
    }
    return {"dag_run": SimpleNamespace(**{**run, **given}), "params": {"interval_start": given.get("asked")}}


def test_a_cycle_without_a_schedule_of_windows_is_watched_by_its_own(cycle: Cycle, daily: Cycle) -> None:
    """Windows and training intervals are then the same."""
    assert window_schedule(cycle) == cycle.schedule
    assert window_schedule(daily) == DAILY


def test_a_run_that_watches_takes_a_day_and_one_that_trains_a_month(daily: Cycle) -> None:
    """By hand: the newest complete one of each."""
    assert run_interval(context(), daily, schedule=DAILY) == day(5)
    assert run_interval(context(), daily) == month(2)


def test_a_day_is_asked_for_by_its_date(daily: Cycle) -> None:
    """Which would be no start of a training interval."""
    assert run_interval(context(asked="2013-03-05"), daily, schedule=DAILY) == day(5)
    with pytest.raises(IntervalError, match="2013-04-01"):
        run_interval(context(asked="2013-03-05"), daily)


def test_the_last_windows_are_days_and_reach_back_to_the_cycles_start(daily: Cycle) -> None:
    """There is nothing before."""
    assert last_windows(daily, day(1), 3) == [day(27, 2), day(28, 2), day(1)]
    assert last_windows(daily, day(2, 1), 3) == [day(1, 1), day(2, 1)]


def test_each_day_is_due_on_the_timetable_of_windows(daily: Cycle) -> None:
    """And each month on that of trainings."""
    after = pendulum.datetime(2013, 3, 6, 9)
    watched = CycleTimetable.of_windows(daily).infer_manual_data_interval(run_after=after)
    trained = CycleTimetable.of(daily).infer_manual_data_interval(run_after=after)
    assert (watched.start, watched.end) == (day(5).start, day(5).end)
    assert (trained.start, trained.end) == (month(2).start, month(2).end)


def test_the_newest_training_interval_of_a_window_was_complete_at_its_end(daily: Cycle) -> None:
    """The last day of a month completes it."""
    assert newest_complete(daily, day(30).end) == month(2)
    assert newest_complete(daily, day(31).end) == month(3)


def test_days_that_were_cleaned_are_no_part_of_trainings_history(
    service: Any, daily: Cycle, installed: Settings
) -> None:
    """Neither their data nor their order: training goes by months, whatever days were watched."""
    outputs, hook = Outputs(service, daily, installed), SageMakerHook(installed.aws_conn_id)
    months = list(history(daily, month(3)))
    for interval in months:
        outputs.put(interval)
    before = cleaned(hook, daily, month(3), installed)
    for number in (1, 2, 5):
        outputs.put(day(number), fetched="another")
    assert cleaned(hook, daily, month(3), installed) == before
    assert [partition.interval for partition in before] == months
    assert IntervalDependencies(hook, daily, installed).awaited("cleaned", month(4), since=0.0) is None


def test_a_day_and_the_month_it_begins_have_jobs_of_their_own(daily: Cycle) -> None:
    """Their names differ by the key, which holds the interval."""
    first = starting_at(daily, "2013-03-01", DAILY)
    assert first.start == month(3).start
    assert job_name("flights", "clean", first, "a" * 64) != job_name("flights", "clean", month(3), "b" * 64)


def test_days_before_the_first_training_can_have_no_champion(daily: Cycle, installed: Settings) -> None:
    """They are skipped; later ones without a champion are an error."""
    operator = BatchTransformOperator(task_id="batch_transform", cycle=daily, schedule=DAILY)
    assert operator.settings == installed
    for number in (1, 31):
        with pytest.raises(AirflowSkipException, match=str(month(1))):
            champion_of(operator, day(number, 1))
    with pytest.raises(NoChampion):
        champion_of(operator, day(1, 2))
