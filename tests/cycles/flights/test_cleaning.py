"""The declared rules of the flights cycle."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from include.cycles.flights import cleaning, schema
from include.ml.cleaning.rules import Cleaner

WITHIN = datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 2, 1, tzinfo=UTC)
FLIGHT = {
    "year": "2013",
    "month": "1",
    "day": "1",
    "dep_time": "517",
    "sched_dep_time": "515",
    "arr_time": "830",
    "sched_arr_time": "819",
    "arr_delay": "11",
    "carrier": "UA",
    "flight": "1545",
    "tailnum": "N14228",
    "origin": "EWR",
    "dest": "IAH",
    "dest_timezone": "America/Chicago",
    "distance": "1400",
    "minute": "15",
    "time_hour": "2013-01-01T10:00:00Z",
}


def clean(**change: str | None) -> dict[str, Any]:
    """One flight, cleaned; the row, or the reason why it is in quarantine."""
    raw = pa.table({name: pa.array([value], pa.string()) for name, value in (FLIGHT | change).items()})
    cleaned = Cleaner("flights", schema.FLIGHTS, cleaning.RULES["flights"], WITHIN).clean(raw)
    rows = cleaned.rows if len(cleaned.rows) else cleaned.quarantined
    row: dict[str, Any] = rows.to_pylist()[0]
    return row


@pytest.mark.parametrize(
    ("change", "known"),
    [
        ({}, "2013-01-01T14:30Z"),  # 08:19 in Chicago and 11 minutes
        ({"sched_arr_time": "30"}, "2013-01-02T06:41Z"),  # after midnight there
        ({"sched_arr_time": "2400"}, "2013-01-02T06:11Z"),  # midnight as 2400
        ({"arr_delay": "-20"}, "2013-01-01T13:59Z"),  # early
        ({"dest_timezone": "Pacific/Honolulu"}, "2013-01-01T18:30Z"),
    ],
)
def test_a_label_is_known_at_the_actual_arrival(change: dict[str, str], known: str) -> None:
    """Scheduled arrival by the destination's clock, plus the delay."""
    assert clean(**change)["known_time"] == pd.Timestamp(known)


def test_a_cancelled_flight_has_no_known_time() -> None:
    """Without an arrival there is no label and no time at which it became known."""
    assert pd.isna(clean(arr_delay=None, arr_time=None, dep_time=None)["known_time"])


def test_an_event_is_the_scheduled_departure() -> None:
    """Its id is made of what identifies a flight, its time is in UTC."""
    row = clean()
    assert row["event_id"] == "2013-01-01-UA-1545-EWR"
    assert row["event_time"] == pd.Timestamp("2013-01-01T10:15Z")


def test_midnight_is_zero() -> None:
    """2400 is a way to write the first minute of a day."""
    assert clean(dep_time="2400", arr_time="2400")["dep_time"] == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dep_time": "2401"}, "dep_time: 2401.0 fails"),
        ({"origin": "PHL"}, "origin: 'PHL' fails"),
        ({"dest_timezone": None}, "dest_timezone: missing"),
        ({"flight": "x"}, "flight: 'x' is no number"),
    ],
)
def test_a_flight_that_breaks_the_schema_is_set_aside(change: dict[str, str | None], reason: str) -> None:
    """The reason names the column and the value."""
    assert reason in str(clean(**change)["reasons"])


def test_a_temperature_that_jumps_is_set_aside() -> None:
    """13 F in an hour of May among 60s is no weather."""
    hours = pd.date_range("2013-05-08T22:00Z", periods=6, freq="h")
    table = pd.DataFrame(dict.fromkeys(schema.WEATHER.columns, 10.0), index=range(6)).assign(
        origin="JFK", time_hour=hours, temp=[60.0, 59.0, 13.1, 58.0, 58.0, 57.0], pressure=1010.0
    )
    cleaner = Cleaner("weather", schema.WEATHER, cleaning.RULES["weather"])
    assert cleaner.needs_whole_table
    cleaned = cleaner.clean(pa.Table.from_pandas(table))
    assert cleaned.quarantined["reasons"].to_pylist() == [
        ["temp differs by more than 25 F from the hours around it"],
    ]
    assert cleaned.quarantined["row"].to_pylist() == [2]
