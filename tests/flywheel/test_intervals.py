"""The interval of a run, however it was started."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from flywheel.intervals import run_interval
from include.core.cycle import Cycle
from include.core.exceptions import IntervalError
from include.core.layout import Interval
from include.core.schedule import newest_complete


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


def test_the_param_beats_the_runs_interval(cycle: Cycle, caplog: pytest.LogCaptureFixture) -> None:
    """The log says which of them it was."""
    caplog.set_level(logging.INFO)
    given = context(asked="2013-03-01", start=day(2013, 1), end=day(2013, 2))
    assert run_interval(given, cycle) == Interval(day(2013, 3), day(2013, 4))
    assert "the param interval_start=2013-03-01" in caplog.text


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
        run_interval(context(asked=asked), cycle)


def test_an_interval_that_is_not_over_is_refused(cycle: Cycle) -> None:
    """Half a month would train a model on half a month."""
    endless = replace(cycle, end=None)
    month = newest_complete(endless, datetime.now(UTC)).end
    with pytest.raises(IntervalError, match=f"{month:%Y-%m-%d}_"):
        run_interval(context(asked=f"{month:%Y-%m-%d}"), endless)
