"""fetch: the raw tables of one interval, from the cycle's source, as Parquet."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack

import pandas as pd

from include.core.cycle import FileSource
from include.ml.refusal import Refused
from include.steps.contract import Step, run
from include.steps.files import file_tables
from include.steps.manifest import write_manifest
from include.steps.tables import TableWriter


def fetch(step: Step) -> dict[str, int]:
    """Write one Parquet file per table, streaming."""
    required = step.module("schema").TABLES
    rows = {}
    for name, chunks in source_tables(step).items():
        columns = list(required[name].columns) if name in required else []
        rows[name] = _write(step, name, chunks, columns)
    absent = sorted(set(required) - set(rows))
    if absent:
        raise Refused(f"The source of {step.cycle} has no table {absent}; it has {sorted(rows)}. Add it.")
    counts = {"rows_in": sum(rows.values()), "rows_out": sum(rows.values())}
    metrics = {f"rows_{name}": count for name, count in rows.items()}
    write_manifest(step, counts=counts | {"rows_quarantined": 0, "rows_duplicate": 0}, metrics=metrics)
    return counts | metrics


def source_tables(step: Step) -> Mapping[str, Iterator[pd.DataFrame]]:
    """The tables of the interval, from files or from the cycle's own `source.py`."""
    source = step.description.source
    if isinstance(source, FileSource):
        return file_tables(step, source)
    found: Mapping[str, Iterator[pd.DataFrame]] = step.module("source").tables(step.start, step.end)
    return found


def _write(step: Step, name: str, chunks: Iterator[pd.DataFrame], required: list[str]) -> int:
    with ExitStack() as stack, TableWriter(step.output / f"{name}.parquet") as writer:
        if isinstance(chunks, Generator):
            # a refusal leaves it in the middle of a file that it must let go of now
            stack.callback(chunks.close)
        for chunk in chunks:
            _check_columns(step, name, chunk, required)
            writer.write(chunk)
    if writer.rows == 0:
        raise Refused(
            f"There is no data in table {name} of {step.cycle} between {step.start.isoformat()} and "
            f"{step.end.isoformat()}. Choose an interval for which the source has data, or wait for it."
        )
    return writer.rows


def _check_columns(step: Step, name: str, chunk: pd.DataFrame, required: list[str]) -> None:
    missing = [column for column in required if column not in chunk.columns]
    if missing:
        raise Refused(
            f"Table {name} of {step.cycle} lacks the column {', '.join(missing)}; it has "
            f"{', '.join(map(str, chunk.columns))}. Has the source changed? Correct it, or schema.py."
        )


def main() -> None:
    """Run the step in its container."""
    run("fetch", fetch)
