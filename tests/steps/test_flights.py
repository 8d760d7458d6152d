"""The data steps on real flights: two months of 2013."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from include.cycles.flights import features
from tests.steps.container import Container

JANUARY = {"start": "2013-01-01T00:00:00+00:00", "end": "2013-02-01T00:00:00+00:00"}
FEBRUARY = {"start": "2013-02-01T00:00:00+00:00", "end": "2013-03-01T00:00:00+00:00"}


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Container]:
    """January and February fetched, cleaned, transformed together; February prepared."""
    root = tmp_path_factory.mktemp("flights")
    with pytest.MonkeyPatch.context() as patch:
        jobs = {
            name: Container(root / name, patch)
            for name in ("fetch-1", "clean-1", "fetch-2", "clean-2", "transform", "prepare")
        }
        for number, month in (("1", JANUARY), ("2", FEBRUARY)):
            jobs[f"fetch-{number}"].run("fetch", cycle="flights", **month)
            jobs[f"clean-{number}"].link("fetch", jobs[f"fetch-{number}"].output)
            jobs[f"clean-{number}"].run("clean", cycle="flights", **month)
        for step in ("transform", "prepare"):
            jobs[step].link("clean/2013-01-01_2013-02-01/one", jobs["clean-1"].output)
            jobs[step].link("clean/2013-02-01_2013-03-01/two", jobs["clean-2"].output)
            jobs[step].run(step, cycle="flights", **FEBRUARY)
        return jobs


def manifest(job: Container) -> dict[str, dict[str, int]]:
    """What a job said of its output."""
    return dict(json.loads((job.output / "manifest.json").read_text()))


def test_january_is_fetched_whole(months: dict[str, Container]) -> None:
    """All flights scheduled in January UTC, the weather of three airports, the register."""
    assert manifest(months["fetch-1"])["metrics"] == {
        "rows_flights": 26865,
        "rows_weather": 2211,
        "rows_planes": 3322,
    }


def test_known_time_is_what_the_destinations_clock_showed(months: dict[str, Container]) -> None:
    """The derived arrival, in the destination's own time, is the arrival time in the data, row by row."""
    flights = months["clean-1"].table("flights.parquet").dropna(subset=["known_time"])
    shown = pd.concat(
        [
            known.dt.tz_convert(zone).dt.hour * 100 + known.dt.tz_convert(zone).dt.minute
            for zone, known in flights.groupby("dest_timezone")["known_time"]
        ]
    )
    assert (shown.loc[flights.index] == flights["arr_time"]).all()


def test_the_impossible_wind_is_quarantined(months: dict[str, Container]) -> None:
    """February's hurricane of 1,048 mph is set aside with its value; nothing else is."""
    found = months["clean-2"].table("quarantine.parquet")
    assert len(found) == 1
    assert found["reasons"][0][0].startswith("wind_speed: 1048.36")
    assert float(json.loads(found["values"][0])["wind_speed"]) == pytest.approx(1048.36058)


def test_makers_are_unified(months: dict[str, Container]) -> None:
    """One maker has one name in the cleaned register."""
    makers = set(months["clean-1"].table("planes.parquet")["manufacturer"])
    assert {"AIRBUS", "BOMBARDIER", "MCDONNELL DOUGLAS"} <= makers
    assert not makers & {"AIRBUS INDUSTRIE", "CANADAIR", "CANADAIR LTD", "BOMBARDIER INC", "DOUGLAS"}


def test_the_training_set_knows_nothing_of_the_future(months: dict[str, Container]) -> None:
    """Labels were known by the interval's end; parts do not overlap; ids are unique."""
    parts = {
        name: pd.read_parquet(months["transform"].output / name)
        for name in ("train", "validation", "holdout")
    }
    everything = pd.concat(parts.values())
    assert everything["known_time"].max() <= pd.Timestamp(FEBRUARY["end"])
    assert everything["event_id"].is_unique
    assert parts["train"]["event_time"].max() < pd.Timestamp("2013-02-18", tz="UTC")
    assert parts["holdout"]["event_time"].min() >= pd.Timestamp("2013-02-22", tz="UTC")


def test_columns_are_only_what_is_known_before_departure(months: dict[str, Container]) -> None:
    """The signature, the combined attributes, the label and the identity; nothing measured later."""
    rows = pd.read_parquet(months["transform"].output / "train")
    assert set(rows.columns) == {
        "event_id",
        "event_time",
        "known_time",
        features.LABEL,
        *features.SIGNATURE,
        *features.COMBINED,
    }
    assert not set(rows.columns) & {"dep_delay", "dep_time", "arr_delay", "arr_time", "air_time"}


def test_the_weather_joined_is_that_of_the_scheduled_hour(months: dict[str, Container]) -> None:
    """A flight's temperature is the one that its airport had in its scheduled hour."""
    rows = pd.read_parquet(months["transform"].output / "train").set_index("event_id")
    flights = months["clean-1"].table("flights.parquet").set_index("event_id")
    weather = months["clean-1"].table("weather.parquet").set_index(["origin", "time_hour"])["temp"]
    some = rows.index.intersection(flights.index)[::500]
    hours = flights.loc[some, ["origin", "time_hour"]].itertuples(index=False, name=None)
    expected = [weather.get(hour, np.nan) for hour in hours]
    np.testing.assert_array_equal(rows.loc[some, "temp_f"], expected)


def test_records_for_scoring_are_februarys(months: dict[str, Container]) -> None:
    """One record per flight of the interval, the event id first, as many columns as the signature has."""
    lines = (months["prepare"].output / "batch/part-00000.csv").read_text().splitlines()
    assert len(lines) == manifest(months["clean-2"])["metrics"]["facts_rows_out"]
    assert {line.count(",") for line in lines} == {len(features.SIGNATURE)}


def test_an_interval_without_flights_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There were no flights in 2015, and the message says so."""
    job = Container(tmp_path / "fetch", monkeypatch)
    message = job.refuse(
        "fetch", cycle="flights", start="2015-01-01T00:00:00+00:00", end="2015-02-01T00:00:00+00:00"
    )
    assert "no data in table flights of flights between 2015-01-01T00:00:00+00:00" in message
