"""Ticks of cron expressions are those that Airflow's timetables have."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest
from croniter import croniter  # type: ignore[import-untyped]  # it ships no types

from include.ml.schedule import ticks

AFTER = datetime(2012, 12, 30, 23, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "expression",
    [
        "0 0 1 * *",
        "0 0 * * *",
        "*/15 6-8 * * mon-fri",
        "30 4 1,15 * 5",
        "5/20 0 * feb,Aug *",
        "0 12 * * 7",
        "0 0 29 2 *",
        "59 23 31 * *",
        "0 0 */2 * 1",
        "@weekly",
        "@monthly",
        "@hourly",
    ],
)
def test_ticks_are_croniters(expression: str):
    """The scheduler and the job mean the same moments."""
    reference = croniter(expression, AFTER)
    expected = [reference.get_next(datetime) for _ in range(6)]
    assert list(islice(ticks(expression, AFTER), 6)) == expected


def test_a_tick_at_the_moment_itself_is_not_after_it():
    """The end of a window is not the end of the next."""
    assert next(ticks("0 0 1 * *", datetime(2013, 2, 1, tzinfo=UTC))) == datetime(2013, 3, 1, tzinfo=UTC)


def test_a_day_that_never_comes_ends_the_search():
    """The thirtieth of February is no tick, and no endless loop."""
    assert list(ticks("0 0 30 2 *", AFTER)) == []


@pytest.mark.parametrize("expression", ["0 0 1 *", "0 0 1 * * *", "61 0 1 * *", "a 0 1 * *", "*/0 0 1 * *"])
def test_what_is_no_schedule_is_refused(expression: str):
    """The message quotes the expression."""
    with pytest.raises(ValueError, match="The schedule"):
        next(ticks(expression, AFTER))
