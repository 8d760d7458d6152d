"""The interval of a run, however it was started."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from flywheel.intervals import run_interval
from flywheel.operators import CleanOperator
from include.core.cycle import Cycle
from include.core.exceptions import IntervalError
from include.core.layout import Interval
from include.core.schedule import newest_complete
from tests.attempt import run_outside_airflow


def day(year: int, month: int, number: int = 1) -> datetime:
    """A midnight in UTC."""
    return datetime(year, month, number, tzinfo=UTC)


def context(
    *,
    asked: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    after: datetime | None = None,
    run_type: str = "scheduled",
) -> dict[str, Any]:
    """What of Airflow's context tells the interval."""
    run = SimpleNamespace(
        data_interval_start=start,
        data_interval_end=end,
        run_after=after or day(2013, 6, 15),
        run_type=run_type,
    )
    return {"dag_run": run, "params": {"interval_start": asked}}


@pytest.mark.parametrize("run_type", ["scheduled", "backfill", "asset_triggered"])
@pytest.mark.parametrize("asked", ["2013-01-01", "2013-03-01"])
def test_a_run_that_nobody_asked_for_by_itself_takes_no_param(
    cycle: Cycle, run_type: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backfill of February and March with the form filled in would score one of them twice."""
    run_outside_airflow(monkeypatch)
    given: Any = context(asked=asked, start=day(2013, 1), end=day(2013, 2), run_type=run_type)
    with pytest.raises(IntervalError, match=rf"'{asked}' .*'{run_type}', .*2013-01-01_2013-02-01") as refused:
        # no hook and no service: the operator ends before it asks for either
        CleanOperator(task_id="clean", cycle=cycle).execute(given)
    assert "Leave *Start of the interval* empty" in str(refused.value)


def test_a_run_by_hand_may_name_its_interval(cycle: Cycle, caplog: pytest.LogCaptureFixture) -> None:
    """With no interval of its own, or with the newest one, which Airflow's form fills in by itself."""
    caplog.set_level(logging.INFO)
    for month in (None, 5, 3):
        own = {} if month is None else {"start": day(2013, month), "end": day(2013, month + 1)}
        given = context(asked="2013-03-01", run_type="manual", **own)
        assert run_interval(given, cycle) == Interval(day(2013, 3), day(2013, 4))
    assert caplog.text.count("the param interval_start=2013-03-01") == 3


def test_a_run_by_hand_of_another_interval_takes_no_param(cycle: Cycle) -> None:
    """Who chose a logical date and a start has said two things."""
    given = context(asked="2013-03-01", start=day(2013, 1), end=day(2013, 2), run_type="manual")
    with pytest.raises(IntervalError, match=r"2013-01-01_2013-02-01.*clear the logical date"):
        run_interval(given, cycle)


def test_without_a_param_the_runs_interval_counts(cycle: Cycle, caplog: pytest.LogCaptureFixture) -> None:
    """A scheduled or backfilled run has one."""
    caplog.set_level(logging.INFO)
    given = context(start=day(2013, 1), end=day(2013, 2), run_type="backfill")
    assert run_interval(given, cycle) == Interval(day(2013, 1), day(2013, 2))
    assert "the run's data interval" in caplog.text


def test_a_run_without_any_takes_the_newest_complete_one(cycle: Cycle) -> None:
    """It is a matter of when the run was due, so a later retry takes the same."""
    assert run_interval(context(), cycle) == Interval(day(2013, 5), day(2013, 6))


def test_a_run_by_hand_after_the_source_ended_takes_its_last_interval(cycle: Cycle) -> None:
    """The form fills in "now", of which a finished source has no data."""
    given = context(start=day(2020, 1), end=day(2020, 2), after=day(2020, 2), run_type="manual")
    assert run_interval(given, cycle) == Interval(day(2013, 12), day(2014, 1))


@pytest.mark.parametrize("asked", ["2012-12-01", "2014-01-01"])
def test_an_interval_outside_of_the_cycle_is_refused(cycle: Cycle, asked: str) -> None:
    """The error says which time there is data for."""
    with pytest.raises(IntervalError, match="2013-01-01 to 2014-01-01"):
        run_interval(context(asked=asked, run_type="manual"), cycle)


def test_an_interval_that_is_not_over_is_refused(cycle: Cycle) -> None:
    """Half a month would train a model on half a month."""
    endless = replace(cycle, end=None)
    month = newest_complete(endless, datetime.now(UTC)).end
    with pytest.raises(IntervalError, match=f"{month:%Y-%m-%d}_"):
        run_interval(context(asked=f"{month:%Y-%m-%d}", run_type="manual"), endless)
