"""The cleaned partitions a job was given, and their rows as the model sees them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from include.ml.refusal import Refused
from include.steps.contract import Step
from include.steps.tables import read_table

FORMATS = ("%Y-%m-%d", "%Y-%m-%dT%H-%M", "%Y-%m-%dT%H-%M-%S")


@dataclass(frozen=True)
class Partition:
    """The cleaned tables of one interval."""

    interval: str
    start: datetime
    end: datetime
    path: Path


def find(step: Step) -> list[Partition]:
    """The partitions below the input `clean`, `<interval>/<key>/`, from the earliest to the latest."""
    root = step.required("clean")
    found: dict[str, Partition] = {}
    for path in sorted({file.parent for file in root.glob("*/*/*.parquet")}):
        interval = path.parent.name
        if interval in found:
            raise Refused(
                f"The interval {interval} was given twice, as {found[interval].path.name} and {path.name}. "
                "Name one key for each interval in the job's input manifest."
            )
        start, end = _times(interval)
        found[interval] = Partition(interval, start, end, path)
    future = [partition.interval for partition in found.values() if partition.end > step.end]
    if future:
        raise Refused(
            f"The partitions {future} end after {step.end.isoformat()}: the step must not see them."
        )
    if not found:
        raise Refused(
            f"The input 'clean' holds no partition `<interval>/<key>/*.parquet` ({root}). Run clean."
        )
    return sorted(found.values(), key=lambda partition: partition.start)


def _times(interval: str) -> tuple[datetime, datetime]:
    parts = interval.split("_")
    times = [time for time in map(_time, parts) if time]
    if len(parts) != len(times) or len(times) != 2:  # noqa: PLR2004 - a start and an end
        raise Refused(f"{interval!r} is no interval. Partitions are named like 2013-01-01_2013-02-01.")
    return times[0], times[1]


def _time(text: str) -> datetime | None:
    for form in FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def feature_rows(step: Step, partition: Partition) -> pd.DataFrame:
    """The partition's facts ordered by time: ids, times, signature, label, combined attributes."""
    features = step.module("features")
    tables = {}
    for name in step.module("schema").TABLES:
        path = partition.path / f"{name}.parquet"
        if not path.is_file():
            raise Refused(f"The partition {partition.interval} has no {path.name}. Run clean again for it.")
        tables[name] = read_table(path)
    built = step.module("joining").build(tables)
    rows: pd.DataFrame = built.sort_values(["event_time", "event_id"], ignore_index=True)
    combined = features.combine(columns_of(rows, features.SIGNATURE))
    numbers = {name: np.asarray(combined[name], dtype=float) for name in features.COMBINED}
    return pd.concat([rows, pd.DataFrame(numbers, index=rows.index)], axis=1)


def columns_of(rows: pd.DataFrame, signature: dict[str, str]) -> dict[str, np.ndarray]:
    """The signature's columns as arrays: numbers as float, text as objects."""
    return {
        name: rows[name].to_numpy(dtype=float if kind == "number" else object)
        for name, kind in signature.items()
    }
