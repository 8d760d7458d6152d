"""Cron expressions mean the same to Airflow, to operators and to jobs; intervals lie between their ticks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pendulum
import pytest
from airflow.timetables.base import DataInterval, TimeRestriction
from croniter import croniter  # type: ignore[import-untyped]  # it ships no types

from flywheel.timetables import CycleTimetable
from include.core.cycle import Cycle
from include.core.exceptions import IntervalError
from include.core.layout import Interval
from include.core.monitoring import Monitoring
from include.core.schedule import (
    history,
    interval_around,
    last_windows,
    newest_complete,
    next_tick,
    starting_at,
    ticks,
    window_schedule,
)

AFTER = datetime(2012, 12, 30, 23, 59, tzinfo=UTC)
EXPRESSIONS = [
    "0 0 1 * *",
    "0 0 * * *",
    "*/15 6-8 * * mon-fri",
    "30 4 1,15 * 5",
    "5/20 0 * feb,Aug *",
    "0 12 * * 7",
    "0 0 29 2 *",
    "59 23 31 * *",
    "0 0 */2 * 1",
    "0 0 L * *",
    "0 0 * * 1#1",
    "0 0 ? * *",
    "0 22-2 * * *",
    "0 0 * * FRI-MON",
    "@hourly",
    "@daily",
    "@midnight",
    "@weekly",
    "@monthly",
    "@yearly",
    "@annually",
]


def described(cycle: Cycle, expression: str) -> Cycle:
    """A cycle without end that trains and monitors by an expression, from its first tick after `AFTER` on."""
    first = next_tick(expression, AFTER)
    return replace(
        cycle, schedule=expression, monitoring=Monitoring(schedule=expression), start=first, end=None
    )


def airflows(cycle: Cycle, count: int) -> list[Interval]:
    """The first intervals that Airflow's own timetable makes of a cycle."""
    timetable = CycleTimetable.of_windows(cycle)
    restriction = TimeRestriction(pendulum.instance(cycle.start), None, catchup=True)
    found: list[DataInterval] = []
    for _ in range(count):
        info = timetable.next_dagrun_info(
            last_automated_data_interval=found[-1] if found else None, restriction=restriction
        )
        assert info is not None
        assert info.data_interval is not None
        found.append(info.data_interval)
    return [Interval(each.start, each.end) for each in found]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_ticks_are_croniters(expression: str) -> None:
    """A job means the moments that croniter gives."""
    reference = croniter(expression, AFTER)
    expected = [reference.get_next(datetime) for _ in range(6)]
    assert list(islice(ticks(expression, AFTER), 6)) == expected


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_airflow_schedules_the_intervals_that_the_core_knows(cycle: Cycle, expression: str) -> None:
    """Training, scoring, monitoring and the scheduler agree about every interval."""
    given = described(cycle, expression)
    expected = airflows(given, 4)
    assert list(history(given, expected[-1])) == expected
    assert last_windows(given, expected[-1], 4) == expected
    assert [starting_at(given, each.start.isoformat()) for each in expected] == expected
    middles = [each.start + (each.end - each.start) / 2 for each in expected]
    assert [interval_around(window_schedule(given), middle) for middle in middles] == expected


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_run_by_hand_gets_the_newest_interval_that_the_core_knows(cycle: Cycle, expression: str) -> None:
    """Also where Airflow infers it."""
    given = described(cycle, expression)
    moment = airflows(given, 3)[-1].end + timedelta(seconds=30)
    inferred = CycleTimetable.of(given).infer_manual_data_interval(run_after=pendulum.instance(moment))
    assert newest_complete(given, moment) == Interval(inferred.start, inferred.end)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "0 0 1 *",
        "0 0 1 * * *",
        "0 0 1 * * 0 2013",
        "61 0 1 * *",
        "a 0 1 * *",
        "*/0 0 1 * *",
        "0 0 30 2 *",
        "0 0 * * 5L",
        "H 0 1 * *",
        "R 0 1 * *",
        "0 0 R(1-5) * *",
        "0 H/6 * * *",
        "@once",
        "@continuous",
        "@quarterly",
        "tomorrow",
    ],
)
def test_a_schedule_that_airflow_and_jobs_do_not_share_is_refused(cycle: Cycle, expression: str) -> None:
    """When the cycle is described, and not when its first monitoring runs."""
    with pytest.raises(ValueError, match=r"Cycle flights: schedule="):
        replace(cycle, schedule=expression)
    with pytest.raises(ValueError, match=r"Cycle flights: monitoring\.schedule="):
        replace(cycle, monitoring=Monitoring(schedule=expression))


@pytest.mark.parametrize("field", ["schedule", "monitoring"])
def test_a_start_between_two_ticks_is_refused_with_the_next_tick(cycle: Cycle, field: str) -> None:
    """The first interval would be none of the scheduler's."""
    wrong: dict[str, Any] = {"schedule": "0 0 L * *", "monitoring": Monitoring(schedule="0 0 L * *")}
    with pytest.raises(ValueError, match="start=2013-01-31T00:00:00"):
        replace(cycle, **{field: wrong[field]})


def test_a_tick_at_the_moment_itself_is_not_after_it() -> None:
    """The end of a window is not the end of the next."""
    assert next_tick("0 0 1 * *", datetime(2013, 2, 1, tzinfo=UTC)) == datetime(2013, 3, 1, tzinfo=UTC)


def day(year: int, month: int, number: int = 1) -> datetime:
    """A midnight in UTC."""
    return datetime(year, month, number, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "start"),
    [
        (day(2013, 6), day(2013, 5)),
        (day(2013, 6) - timedelta(seconds=1), day(2013, 4)),
        (day(2013, 6) + timedelta(microseconds=1), day(2013, 5)),
        (day(2030, 1), day(2013, 12)),
    ],
)
def test_an_interval_is_complete_from_its_end_on(cycle: Cycle, moment: datetime, start: datetime) -> None:
    """Exactly at its end it is."""
    assert newest_complete(cycle, moment).start == start


def test_a_date_between_two_intervals_is_refused_with_the_next_start(cycle: Cycle) -> None:
    """The user learns what to write instead."""
    with pytest.raises(IntervalError, match="2013-02-01"):
        starting_at(cycle, "2013-01-15")


@pytest.mark.parametrize("text", ["soon", "2013-13-01", "01.02.2013"])
def test_what_is_no_date_is_refused(cycle: Cycle, text: str) -> None:
    """The error shows how to write one."""
    with pytest.raises(IntervalError, match=f"'{text}'.* 2013-01-01"):
        starting_at(cycle, text)


def test_intervals_of_hours_are_found_by_their_time(cycle: Cycle) -> None:
    """A date with a time, with or without an offset, names one."""
    often = replace(cycle, schedule="0 */6 * * *")
    six = datetime(2013, 1, 1, 6, tzinfo=UTC)
    assert starting_at(often, "2013-01-01T06:00").start == six
    assert starting_at(often, "2013-01-01T07:00+01:00").start == six


def test_history_reaches_from_the_cycles_start_to_the_interval(cycle: Cycle) -> None:
    """The interval itself is the last."""
    found = list(history(cycle, Interval(day(2013, 3), day(2013, 4))))
    assert [i.start for i in found] == [day(2013, 1), day(2013, 2), day(2013, 3)]
    assert [i.end for i in found] == [day(2013, 2), day(2013, 3), day(2013, 4)]
