"""A small cycle made of files, and a way to run its steps as a container would."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import include.cycles
from tests.steps.container import Container, Containers, History

FILES = {
    "cycle.py": """
from datetime import UTC, datetime, timedelta
from include.core.cycle import Cycle, FileSource, Split
CYCLE = Cycle(name="ice", description="Will it freeze?", task="binary", schedule="0 0 * * *",
              start=datetime(2020, 1, 1, tzinfo=UTC), source=FileSource({"readings": "SOURCE"}),
              split=Split(holdout=timedelta(hours=6), validation=timedelta(hours=6)), metric="roc_auc",
              quarantine_limit_share=0.25)
""",
    "schema.py": """
import pandera.pandas as pa
FACTS = "readings"
TABLES = {"readings": pa.DataFrameSchema({
    "station": pa.Column(str), "time": pa.Column("datetime64[us, UTC]"),
    "known": pa.Column("datetime64[us, UTC]", nullable=True), "country": pa.Column(str, nullable=True),
    "temp": pa.Column(float, pa.Check.in_range(-50, 50), nullable=True),
    "froze": pa.Column(float, pa.Check.isin([0, 1]), nullable=True)})}
""",
    "cleaning.py": """
from include.ml.cleaning.rules import Rules
def derive(table):
    text = table["time"].dt.strftime("%Y%m%dT%H%M")
    return table.assign(event_id=table["station"] + "-" + text, event_time=table["time"],
                        known_time=table["known"])
RULES = {"readings": Rules(identity=("station", "time"), unify={"country": {"United States": "US"}},
                           derive=derive)}
""",
    "features.py": """
import numpy as np
SIGNATURE = {"station": "string", "country": "string", "temp": "number"}
COMBINED = ("is_cold",)
LABEL = "froze"
CLASSES = ("0", "1")
def combine(columns):
    temp = columns["temp"]
    return {"is_cold": np.where(np.isnan(temp), np.nan, temp < 0)}
""",
    "estimator.py": """
SLICES = ("station",)
""",
    "joining.py": """
from include.cycles.ice.features import LABEL, SIGNATURE
def build(tables):
    names = ["event_id", "event_time", "known_time", *SIGNATURE, LABEL]
    return tables["readings"][names]
""",
}
HEADER = "station,time,known,country,temp,froze\n"


def readings(day: int = 1, hours: int = 24) -> list[str]:
    """CSV lines of one day: a reading every hour, whose label is known half an hour later."""
    date = f"2020-01-{day:02d}"
    return [
        f"A,{date}T{hour:02d}:00:00Z,{date}T{hour:02d}:30:00Z,US,{(hour - 12) / 2},{int(hour < 12)}"
        for hour in range(hours)
    ]


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Containers:
    """Makes containers, each with a directory of its own."""
    return lambda name: Container(tmp_path / "jobs" / name, monkeypatch)


@pytest.fixture
def ice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Installs the cycle "ice", whose readings come from the URI it is called with."""
    forget()
    monkeypatch.setattr(include.cycles, "__path__", [*include.cycles.__path__, str(tmp_path / "cycles")])

    def install(uri: str) -> None:
        package = tmp_path / "cycles/ice"
        package.mkdir(parents=True, exist_ok=True)
        for name, text in FILES.items():
            (package / name).write_text(text.replace("SOURCE", uri))
        (package / "__init__.py").touch()

    yield install
    forget()


def forget() -> None:
    """Drop the modules of the test's cycle, since the next test writes others."""
    for name in [name for name in sys.modules if name.startswith("include.cycles.ice")]:
        del sys.modules[name]
    vars(include.cycles).pop("ice", None)
    importlib.invalidate_caches()


@pytest.fixture
def fetched(ice: Callable[[str], None], tmp_path: Path, container: Containers) -> Callable[..., Path]:
    """Fetches a day of readings given as CSV lines; the directory of the fetched tables."""

    def fetch(lines: list[str], day: int = 1) -> Path:
        (tmp_path / "readings.csv").write_text(HEADER + "\n".join(lines) + "\n")
        ice((tmp_path / "readings.csv").as_uri())
        job = container(f"fetch-{day}")
        job.run("fetch", **times(day))
        return job.output

    return fetch


@pytest.fixture
def cleaned(fetched: Callable[..., Path], container: Containers) -> Callable[..., Path]:
    """Fetches and cleans a day; the directory of the cleaned tables."""

    def clean(day: int, lines: list[str] | None = None) -> Path:
        job = container(f"clean-{day}")
        if job.output.exists():
            return job.output
        job.link("fetch", fetched(lines if lines is not None else readings(day), day))
        job.run("clean", **times(day))
        return job.output

    return clean


@pytest.fixture
def with_history(cleaned: Callable[..., Path], container: Containers) -> History:
    """A container whose input `clean` holds the first days of January."""

    def make(name: str, days: int) -> Container:
        job = container(name)
        for day in range(1, days + 1):
            job.link(f"clean/2020-01-{day:02d}_2020-01-{day + 1:02d}/{day:064x}", cleaned(day))
        return job

    return make


def times(day: int) -> dict[str, str]:
    """The interval of one day of January 2020."""
    return {"start": f"2020-01-{day:02d}T00:00:00+00:00", "end": f"2020-01-{day + 1:02d}T00:00:00+00:00"}
