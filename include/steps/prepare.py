"""prepare: the interval's own rows as records to score, as features to monitor, and their labels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from include.core.layout import Interval
from include.ml.exceptions import InvalidInput
from include.ml.features.labels import class_places
from include.steps.contract import Step, run
from include.steps.manifest import write_manifest
from include.steps.rows import Partition, feature_rows, find_partitions, to_columns
from include.steps.tables import write_table

#: records in one file to score; the files are scored side by side
BATCH_ROWS = 65_536


def prepare(step: Step) -> dict[str, int]:
    """Write `batch/*.csv` or `batch/*.jsonl`, `rows/*.parquet` and `labels/labels.parquet`."""
    features = step.module("features")
    rows = feature_rows(step, own_partition(step))
    write_batch = write_json_lines if has_line_breaks(rows, features.SIGNATURE) else write_csv
    watched = ["event_id", "event_time", *features.SIGNATURE, *features.COMBINED]
    for number, first in enumerate(range(0, len(rows), BATCH_ROWS)):
        chunk = rows.iloc[first : first + BATCH_ROWS]
        write_batch(step.output / f"batch/part-{number:05d}", chunk, features.SIGNATURE)
        write_table(step.output / "rows" / f"part-{number:05d}.parquet", chunk[watched])
    n_labels = write_table(step.output / "labels/labels.parquet", all_labels(step, rows))
    counts = {"rows_in": len(rows), "rows_out": len(rows)}
    write_manifest(
        step, counts=counts | {"rows_quarantined": 0, "rows_duplicate": 0}, metrics={"labels": n_labels}
    )
    return counts | {"labels": n_labels}


def own_partition(step: Step) -> Partition:
    """Return the cleaned partition of the step's interval."""
    for partition in find_partitions(step):
        if partition.interval == Interval(step.start, step.end):
            return partition
    raise InvalidInput(
        f"The cleaned data of {step.start.isoformat()} to {step.end.isoformat()} is not among the inputs. "
        "Run clean for the interval, and name its output in the job's input manifest."
    )


def has_line_breaks(rows: pd.DataFrame, signature: Mapping[str, str]) -> bool:
    """Return whether an id or a text has one: a transform job cuts its files at each, in quotes or not."""
    texts = ["event_id", *(name for name, kind in signature.items() if kind != "number")]
    return any(rows[name].dropna().astype(str).str.contains(r"[\r\n]").any() for name in texts)


def write_csv(path: Path, rows: pd.DataFrame, signature: Mapping[str, str]) -> None:
    """Write records without a header: event id, then the signature's columns; a missing value is empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    records = rows[["event_id", *signature]]
    records.to_csv(f"{path}.csv", header=False, index=False, lineterminator="\n", encoding="utf-8")


def write_json_lines(path: Path, rows: pd.DataFrame, signature: Mapping[str, str]) -> None:
    """Write records as `{"event_id": ..., "features": {...}}`, which escape line breaks; missing is null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = [
        [None if value == "" or value != value else value for value in column.tolist()]  # noqa: PLR0124 - NaN
        for column in to_columns(rows, signature).values()
    ]
    with Path(f"{path}.jsonl").open("w", encoding="utf-8", newline="\n") as file:
        for event_id, *values in zip(rows["event_id"].astype(str), *columns, strict=True):
            record = {"event_id": event_id, "features": dict(zip(signature, values, strict=True))}
            file.write(json.dumps(record, separators=(",", ":")) + "\n")


def all_labels(step: Step, rows: pd.DataFrame) -> pd.DataFrame:
    """Return event id, label as a class's text, and the time it was known, of every label in the data.

    Some became known after the interval's end; judging takes those known by a cut-off.
    """
    features = step.module("features")
    known = rows[rows[features.LABEL].notna() & rows["known_time"].notna()]
    text = np.array(features.CLASSES, dtype=object)[class_places(known[features.LABEL], features.CLASSES)]
    labels = pd.Series(text, index=known.index, dtype="str")
    return pd.DataFrame({"event_id": known["event_id"], "label": labels, "known_time": known["known_time"]})


def main() -> None:
    """Run the step in its container."""
    run("prepare", prepare)
