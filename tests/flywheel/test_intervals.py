"""Which interval a run is about, however it was started."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from include.core.cycle import Cycle
from include.core.exceptions import IntervalError
from include.core.layout import Interval
from include.core.schedule import history, newest_complete, run_interval, starting_at


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
) -> dict:
    """What of Airflow's context tells the interval."""
    run = SimpleNamespace(
        data_interval_start=start,
        data_interval_end=end,
        run_after=after or day(2013, 6, 15),
        run_type=run_type,
    )
    return {"dag_run": run, "params": {"interval_start": asked}}


def test_the_param_beats_the_runs_interval(cycle: Cycle, caplog: pytest.LogCaptureFixture):
    """The log says which of them it was."""
    caplog.set_level(logging.INFO)
    given = context(asked="2013-03-01", start=day(2013, 1), end=day(2013, 2))
    assert run_interval(given, cycle) == Interval(day(2013, 3), day(2013, 4))
    assert "the param interval_start=2013-03-01" in caplog.text


def test_without_a_param_the_runs_interval_counts(cycle: Cycle, caplog: pytest.LogCaptureFixture):
    """A scheduled or backfilled run has one."""
    caplog.set_level(logging.INFO)
    given = context(start=day(2013, 1), end=day(2013, 2), run_type="backfill")
    assert run_interval(given, cycle) == Interval(day(2013, 1), day(2013, 2))
    assert "the run's data interval" in caplog.text


def test_a_run_without_any_takes_the_newest_complete_one(cycle: Cycle):
    """It is a matter of when the run was due, so a later retry takes the same."""
    assert run_interval(context(), cycle) == Interval(day(2013, 5), day(2013, 6))


def test_a_run_by_hand_after_the_source_ended_takes_its_last_interval(cycle: Cycle):
    """The form fills in "now", of which a finished source has no data."""
    given = context(start=day(2020, 1), end=day(2020, 2), after=day(2020, 2), run_type="manual")
    assert run_interval(given, cycle) == Interval(day(2013, 12), day(2014, 1))


@pytest.mark.parametrize(
    ("moment", "start"),
    [
        (day(2013, 6), day(2013, 5)),
        (day(2013, 6) - timedelta(seconds=1), day(2013, 4)),
        (day(2013, 6) + timedelta(microseconds=1), day(2013, 5)),
        (day(2030, 1), day(2013, 12)),
    ],
)
def test_an_interval_is_complete_from_its_end_on(cycle: Cycle, moment: datetime, start: datetime):
    """Exactly at its end it is."""
    assert newest_complete(cycle, moment).start == start


@pytest.mark.parametrize("asked", ["2012-12-01", "2014-01-01"])
def test_an_interval_outside_of_the_cycle_is_refused(cycle: Cycle, asked: str):
    """The error says which time there is data for."""
    with pytest.raises(IntervalError, match="has data from 2013-01-01 to 2014-01-01"):
        run_interval(context(asked=asked), cycle)


def test_an_interval_that_is_not_over_is_refused(cycle: Cycle):
    """Half a month would train a model on half a month."""
    endless = replace(cycle, end=None)
    month = newest_complete(endless, datetime.now(UTC)).end
    with pytest.raises(IntervalError, match="not over yet"):
        run_interval(context(asked=f"{month:%Y-%m-%d}"), endless)


def test_a_date_between_two_intervals_is_refused_with_the_next_start(cycle: Cycle):
    """The user learns what to write instead."""
    with pytest.raises(IntervalError, match="next one starts at 2013-02-01"):
        starting_at(cycle, "2013-01-15")


@pytest.mark.parametrize("text", ["soon", "2013-13-01", "01.02.2013"])
def test_what_is_no_date_is_refused(cycle: Cycle, text: str):
    """The error shows how to write one."""
    with pytest.raises(IntervalError, match="Write it like 2013-01-01"):
        starting_at(cycle, text)


def test_intervals_of_hours_are_found_by_their_time(cycle: Cycle):
    """A date with a time, with or without an offset, names one."""
    often = replace(cycle, schedule="0 */6 * * *")
    six = datetime(2013, 1, 1, 6, tzinfo=UTC)
    assert starting_at(often, "2013-01-01T06:00").start == six
    assert starting_at(often, "2013-01-01T07:00+01:00").start == six


def test_history_reaches_from_the_cycles_start_to_the_interval(cycle: Cycle):
    """The interval itself is the last."""
    found = list(history(cycle, Interval(day(2013, 3), day(2013, 4))))
    assert [i.start for i in found] == [day(2013, 1), day(2013, 2), day(2013, 3)]
    assert [i.end for i in found] == [day(2013, 2), day(2013, 3), day(2013, 4)]
