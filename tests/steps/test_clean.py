"""clean: bad rows go to quarantine with their reasons, and no row vanishes."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from include.core.documents.data import TableQuality
from tests.steps.container import Container, Containers

#: makes the container of a clean step out of CSV lines
Cleaning = Callable[[list[str]], Container]
GOOD = "A,2020-01-01T{0:02d}:00:00Z,2020-01-01T{0:02d}:30:00Z,US,1.5,0"


def good(n: int) -> list[str]:
    """The first hours of a day, in order."""
    return [GOOD.format(hour) for hour in range(n)]


@pytest.fixture
def clean(fetched: Callable[[list[str]], Path], container: Containers) -> Callable[[list[str]], Container]:
    """Cleans CSV lines; the container of the clean step."""

    def run(lines: list[str]) -> Container:
        job = container("clean")
        job.link("fetch", fetched(lines))
        return job

    return run


@pytest.mark.parametrize(
    ("line", "reasons"),
    [
        ("A,2020-01-01T20:00:00Z,,US,99,0", ["temp: 99.0 fails in_range(-50, 50)"]),
        ("A,2020-01-01T20:00:00Z,,US,warm,0", ["temp: 'warm' is no number"]),
        ("A,2020-01-01T20:00:00Z,,US,inf,0", ["temp: 'inf' is no number"]),
        (
            "A,2020-01-01T20:00:00Z,,US,-1e39,0",
            ["temp: '-1e39' lies beyond single precision, in which models compute"],
        ),
        ("A,soon,,US,1,0", ["time: 'soon' is no time", "time: missing"]),
        ("A,20200101,,US,1,0", ["time: '20200101' is no time", "time: missing"]),
        (",2020-01-01T20:00:00Z,,US,1,0", ["station: missing"]),
        ("  ,2020-01-01T20:00:00Z,,US,1,0", ["station: missing"]),
        (
            "A,2020-01-01T20:00:00Z,,US,99,7",
            ["froze: 7.0 fails isin([0, 1])", "temp: 99.0 fails in_range(-50, 50)"],
        ),
        (
            "A,2020-01-02T00:00:00Z,,US,1,0",
            [
                (
                    "event_time 2020-01-02 00:00:00+00:00 lies outside 2020-01-01T00:00:00+00:00 to "
                    "2020-01-02T00:00:00+00:00"
                )
            ],
        ),
    ],
)
def test_a_bad_row_is_quarantined_with_its_reasons_and_values(
    clean: Cleaning, line: str, reasons: list[str]
) -> None:
    """Its reason names column and value, and the original values are kept as they came."""
    job = clean([*good(9), line])
    counts = job.run("clean")["counts"]
    quarantine = job.table("quarantine.parquet").to_dict("records")
    assert counts == {
        "rows_in": 10,
        "rows_out": 9,
        "rows_quarantined": 1,
        "rows_duplicate": 0,
        "rows_conflicting": 0,
    }
    assert [(row["table"], row["row"], list(row["reasons"])) for row in quarantine] == [
        ("readings", 9, reasons)
    ]
    names = ["station", "time", "known", "country", "temp", "froze"]
    assert json.loads(quarantine[0]["values"]) == {
        name: value or None for name, value in zip(names, line.split(","), strict=True)
    }


def test_categories_are_unified_and_types_fixed(clean: Cleaning) -> None:
    """Spellings become one, text becomes numbers and times."""
    job = clean([*good(3), "B,2020-01-01T05:00:00+01:00,, United States ,1,0"])
    job.run("clean")
    rows = job.table("readings.parquet")
    assert set(rows["country"]) == {"US"}
    assert rows["event_id"].tolist()[-1] == "B-20200101T0400"
    assert rows.dtypes.astype(str).to_dict()["temp"] == "float64"


def test_duplicates_are_dropped_and_counted(clean: Cleaning) -> None:
    """One of equal rows stays, of different ones the last known; both are counted, and not quarantined."""
    first, second, *others = good(5)
    earlier = second.replace("T01:30:00Z", "T01:10:00Z").replace("1.5", "9")
    corrected = first.replace("T00:30:00Z", "T06:00:00Z").replace("1.5", "7")
    job = clean([first, second, *others, *good(2), corrected, earlier])
    assert job.run("clean")["counts"] == {
        "rows_in": 9,
        "rows_out": 5,
        "rows_quarantined": 0,
        "rows_duplicate": 1,
        "rows_conflicting": 3,
    }
    rows = job.table("readings.parquet")
    assert rows["event_id"].is_unique
    assert rows["temp"].tolist() == [1.5, 1.5, 1.5, 1.5, 7.0]
    assert rows["event_id"].tolist()[-1] == "A-20200101T0000"


def test_too_many_bad_rows_stop_the_cycle(clean: Cleaning) -> None:
    """Over the limit the step refuses, with the most frequent reason and examples."""
    bad = [f"B,2020-01-01T{hour:02d}:00:00Z,,US,{90 + hour},0" for hour in range(4)]
    message = clean([*good(6), *bad]).refuse("clean")
    assert "4 of 10 rows of readings are bad (40.0%, the limit is 25.0%)" in message
    assert "4 x temp: fails in_range(-50, 50)" in message
    assert "row 6: temp: 90.0 fails in_range(-50, 50)" in message


def test_the_report_tells_what_was_found(clean: Cleaning) -> None:
    """quality.json has counts, reasons, examples and the share of missing values, and is a document."""
    bad = "A,2020-01-01T21:00:00Z,,US,warm,0"
    job = clean([*good(8), "A,2020-01-01T20:00:00Z,,US,,0", bad])
    job.run("clean")
    report = json.loads((job.output / "quality.json").read_text())["readings"]
    quality = TableQuality.from_json(report)
    assert quality.as_json() == report
    assert (quality.rows_in, quality.rows_out, quality.rows_quarantined, quality.rows_duplicate) == (
        10,
        9,
        1,
        0,
    )
    assert quality.reasons == {"temp: is no number": 1}
    assert [(each.row, each.reason) for each in quality.examples] == [(9, "temp: 'warm' is no number")]
    assert list(json.loads(quality.examples[0].values).values()) == [each or None for each in bad.split(",")]
    assert quality.missing_share["temp"] == pytest.approx(1 / 9)


def test_the_report_counts_what_was_changed(clean: Cleaning) -> None:
    """Spellings that were unified, texts that were trimmed, rows in conflict."""
    lines = good(3)
    job = clean([*lines, lines[0].replace("1.5", "2"), "B,2020-01-01T05:00:00Z,, United States ,1,0"])
    job.run("clean")
    report = TableQuality.from_json(json.loads((job.output / "quality.json").read_text())["readings"])
    assert (report.rows_duplicate, report.rows_conflicting) == (0, 1)
    assert report.unified == {"country": {"United States": 1}}
    assert report.trimmed == {"country": 1}


def test_an_id_is_unique_beyond_the_identity(clean: Cleaning, tmp_path: Path) -> None:
    """Two facts of one derived id are one event: one of them stays, and the other is counted."""
    job = clean(good(4))
    path = tmp_path / "cycles/ice/cleaning.py"
    path.write_text(path.read_text().replace("%Y%m%dT%H%M", "%Y%m%d"))
    importlib.invalidate_caches()
    assert job.run("clean")["counts"]["rows_conflicting"] == 3
    assert job.table("readings.parquet")["event_id"].tolist() == ["A-20200101"]


def test_a_missing_table_is_refused(clean: Cleaning) -> None:
    """An input that lacks a table's file is refused by its name."""
    job = clean(good(2))
    (job.base / "processing/input/fetch/readings.parquet").unlink()
    assert "has no readings.parquet" in job.refuse("clean")


def test_cleaning_twice_gives_the_same_bytes(clean: Cleaning, container: Containers) -> None:
    """The digest of the output depends on the input alone."""
    job = clean([*good(9), "A,soon,,US,1,0"])
    again = container("again")
    again.link("fetch", job.base / "processing/input/fetch")
    assert job.run("clean")["digest"] == again.run("clean")["digest"]


def test_quarantine_is_there_even_if_empty(clean: Cleaning) -> None:
    """No bad row is a statement too: an empty table with all its columns."""
    job = clean(good(2))
    job.run("clean")
    empty: pd.DataFrame = job.table("quarantine.parquet")
    assert (len(empty), list(empty.columns)) == (0, ["table", "row", "reasons", "values"])
