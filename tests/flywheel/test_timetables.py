"""When a cycle's runs are due."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pendulum
import pytest
from airflow.timetables.base import DataInterval, TimeRestriction

from flywheel.timetables import CycleTimetable
from include.core.cycle import Cycle
from tests.examples import not_none


def month(number: int, year: int = 2013) -> pendulum.DateTime:
    """The first of a month in UTC."""
    return pendulum.datetime(year, number, 1)


@pytest.fixture
def timetable(cycle: Cycle) -> CycleTimetable:
    """The timetable of a cycle that ended with 2013."""
    return CycleTimetable.of(cycle)


def backfilled(timetable: CycleTimetable) -> list[str]:
    """The months a backfill of everything works on."""
    found: list[str] = []
    last: DataInterval | None = None
    restriction = TimeRestriction(month(1), month(6, 2014), catchup=True)
    while info := timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction):
        last = not_none(info.data_interval)
        found.append(f"{last.start:%Y-%m}")
    return found


def test_a_backfill_covers_the_cycle_and_ends_with_it(timetable: CycleTimetable) -> None:
    """Also when it is asked for more."""
    assert backfilled(timetable) == [f"2013-{number:02}" for number in range(1, 13)]


def test_nothing_is_scheduled_after_the_end(timetable: CycleTimetable) -> None:
    """The DAG of a finished source rests."""
    restriction = TimeRestriction(month(1), None, catchup=False)
    assert timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction) is None


def test_a_living_source_goes_on() -> None:
    """Without an end the newest interval is due."""
    restriction = TimeRestriction(month(1), None, catchup=False)
    info = CycleTimetable("0 0 1 * *").next_dagrun_info(
        last_automated_data_interval=None, restriction=restriction
    )
    assert not_none(not_none(info).data_interval).end <= datetime.now(UTC)


@pytest.mark.parametrize(("now", "start"), [(month(6, 2020), 12), (month(6), 5), (month(1, 2014), 12)])
def test_a_run_by_hand_gets_the_last_complete_interval(
    timetable: CycleTimetable, now: pendulum.DateTime, start: int
) -> None:
    """Of those there is data for."""
    expected = DataInterval(month(start), month(start).add(months=1))
    assert timetable.infer_manual_data_interval(run_after=now) == expected


@pytest.mark.parametrize("end", [None, datetime(2014, 1, 1, tzinfo=UTC)])
def test_it_survives_being_written(end: datetime | None) -> None:
    """The scheduler reads it from the database."""
    made = CycleTimetable("0 0 1 * *", end=end)
    assert (
        CycleTimetable.deserialize(json.loads(json.dumps(made.serialize()))).serialize() == made.serialize()
    )
