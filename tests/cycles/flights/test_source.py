"""The package's files, whole or refused."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from include.cycles.flights import source
from include.ml.exceptions import InvalidInput

START, END = datetime(2013, 1, 1, 6, 30, tzinfo=UTC), datetime(2013, 1, 1, 12, tzinfo=UTC)
FLIGHTS = "flight,dest,minute,time_hour\n1,IAH,30,2013-01-01T10:00:00Z\n2,SJU,0,2013-01-01T12:00:00Z\n"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package's real files, with the flights replaced by two."""
    real = source.package_files()
    for name in ("airports.csv", "planes.csv", "weather.csv"):
        (tmp_path / name).write_bytes(real[name].read_bytes())
    write_flights(tmp_path, FLIGHTS)
    copies = {name: tmp_path / name for name in real}
    monkeypatch.setattr(source, "package_files", lambda: copies)
    return tmp_path


def write_flights(folder: Path, text: str) -> None:
    """Write the zipped flights."""
    with zipfile.ZipFile(folder / "flights.csv.zip", "w") as archive:
        archive.writestr("flights.csv", text)


def flights() -> pd.DataFrame:
    """The flights of the interval."""
    return pd.concat(source.tables(START, END)["flights"])


@pytest.mark.usefixtures("files")
def test_a_flight_belongs_to_the_interval_of_its_scheduled_departure() -> None:
    """The end is excluded, and each flight knows its destination's time zone."""
    assert flights()[["flight", "dest_timezone"]].to_numpy().tolist() == [["1", "America/Chicago"]]


def test_a_destination_that_airports_leave_out_has_its_time_zone(files: Path) -> None:
    """San Juan is missing from the list of airports and has a declared time zone."""
    write_flights(files, FLIGHTS.replace("IAH", "SJU"))
    assert flights()["dest_timezone"].tolist() == ["America/Puerto_Rico"]


@pytest.mark.usefixtures("files")
def test_weather_starts_at_the_full_hour() -> None:
    """The first flights of an interval that starts within an hour need that hour's weather."""
    hours = pd.concat(source.tables(START, END)["weather"])["time_hour"]
    assert (hours.min(), hours.max()) == ("2013-01-01T06:00:00Z", "2013-01-01T11:00:00Z")


def test_a_row_without_a_readable_time_is_left_to_clean(files: Path) -> None:
    """It belongs to no interval that could be told, and must not vanish."""
    write_flights(files, FLIGHTS + "3,IAH,0,soon\n")
    assert flights()["flight"].tolist() == ["1", "3"]


def test_a_file_without_a_needed_column_is_refused(files: Path) -> None:
    """The missing column is named."""
    write_flights(files, FLIGHTS.replace("minute", "second"))
    with pytest.raises(InvalidInput, match=r"flights\.csv\.zip .* minute"):
        flights()


def test_a_truncated_archive_is_refused(files: Path) -> None:
    """Half a zip file is none."""
    path = files / "flights.csv.zip"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InvalidInput, match=r"flights\.csv\.zip"):
        flights()


def test_a_missing_file_is_refused(files: Path) -> None:
    """The file is named."""
    (files / "planes.csv").unlink()
    with pytest.raises(InvalidInput, match=r"planes\.csv"):
        next(source.tables(START, END)["planes"])
