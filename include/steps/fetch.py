"""fetch: the raw tables of one interval, from the cycle's source, as Parquet."""

from __future__ import annotations

import http.client
import shutil
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pyarrow as pa

from include.core.cycle import FileSource
from include.ml.cleaning.csv_chunks import text_chunks
from include.ml.exceptions import InvalidInput
from include.steps.contract import Step, run
from include.steps.manifest import write_manifest
from include.steps.tables import TableWriter, read_chunks


def fetch(step: Step) -> dict[str, int]:
    """Write one Parquet file per table, streaming."""
    required = step.module("schema").TABLES
    rows = {}
    for name, chunks in source_tables(step).items():
        columns = list(required[name].columns) if name in required else []
        rows[name] = _write(step, name, chunks, columns)
    absent = sorted(set(required) - set(rows))
    if absent:
        raise InvalidInput(
            f"The source of {step.cycle} has no table {absent}; it has {sorted(rows)}. Add it."
        )
    counts = {"rows_in": sum(rows.values()), "rows_out": sum(rows.values())}
    metrics = {f"rows_{name}": count for name, count in rows.items()}
    write_manifest(step, counts=counts | {"rows_quarantined": 0, "rows_duplicate": 0}, metrics=metrics)
    return counts | metrics


def source_tables(step: Step) -> Mapping[str, Iterator[pd.DataFrame]]:
    """Return the tables of the interval, from files or from the cycle's own `source.py`."""
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
        raise InvalidInput(
            f"There is no data in table {name} of {step.cycle} between {step.start.isoformat()} and "
            f"{step.end.isoformat()}. Choose an interval for which the source has data, or wait for it."
        )
    return writer.rows


def _check_columns(step: Step, name: str, chunk: pd.DataFrame, required: list[str]) -> None:
    missing = [column for column in required if column not in chunk.columns]
    if missing:
        raise InvalidInput(
            f"Table {name} of {step.cycle} lacks the column {', '.join(missing)}; it has "
            f"{', '.join(map(str, chunk.columns))}. Has the source changed? Correct it, or schema.py."
        )


def main() -> None:
    """Run the step in its container."""
    run("fetch", fetch)


#: seconds without a byte after which a download is given up
TIMEOUT_S = 60
AGAIN = "Check the cycle's source in cycle.py, and that the file is there; then run fetch again."


def file_tables(step: Step, source: FileSource) -> Mapping[str, Iterator[pd.DataFrame]]:
    """Return the tables of a FileSource, each read when it is iterated."""
    return {name: _table(step, name, uri) for name, uri in source.tables.items()}


def _table(step: Step, name: str, template: str) -> Iterator[pd.DataFrame]:
    uri = template.format(start=step.start, end=step.end)
    with TemporaryDirectory() as scratch:
        yield from read_file(locate(step, name, uri, Path(scratch)), uri)


def locate(step: Step, name: str, uri: str, scratch: Path) -> Path:
    """Return the file behind a URI on this machine; download it if necessary."""
    parts = urllib.parse.urlsplit(uri)
    basename = Path(urllib.parse.unquote(parts.path)).name
    if parts.scheme in {"http", "https"}:
        return download(uri, scratch / basename)
    if parts.scheme == "file":
        places = [Path(urllib.parse.unquote(parts.path))]
    elif parts.scheme == "s3":
        places = [step.input("source") / name / basename, step.input("source") / basename]
    else:
        raise InvalidInput(f"Table {name} comes from {uri}, which is no s3, http, https or file URI. {AGAIN}")
    found = [place for place in places if place.is_file()]
    if not found:
        raise InvalidInput(f"Table {name}: there is no file {uri}. {AGAIN}")
    return found[0]


def download(uri: str, path: Path) -> Path:
    """Download to `path`, streaming; raise InvalidInput if the file is not complete."""
    try:
        with urllib.request.urlopen(uri, timeout=TIMEOUT_S) as answer, path.open("wb") as file:  # noqa: S310 - http(s) only, see locate
            shutil.copyfileobj(answer, file)
            promised = answer.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        with error:
            raise InvalidInput(f"{uri} cannot be read: {error}. {AGAIN}") from error
    except (OSError, http.client.HTTPException) as error:
        raise InvalidInput(f"{uri} cannot be read: {error}. {AGAIN}") from error
    size = path.stat().st_size
    if promised is not None and size != int(promised):
        raise InvalidInput(f"{uri} is cut off: {size} bytes came, {promised} were promised. Run fetch again.")
    return path


def read_file(path: Path, name: str) -> Iterator[pd.DataFrame]:
    """Yield the rows of a Parquet, CSV or zipped CSV file in chunks; the suffix names the format."""
    try:
        if path.suffix == ".parquet":
            yield from read_chunks(path)
        elif path.suffix == ".csv":
            with path.open("rb") as file:
                yield from text_chunks(file, name)
        elif path.suffix == ".zip":
            yield from _zipped(path, name)
        else:
            raise InvalidInput(
                f"{name} ends in {path.suffix!r}; a table is read from .csv, .csv.zip or .parquet."
            )
    except (pa.ArrowInvalid, zipfile.BadZipFile, OSError) as error:
        raise InvalidInput(
            f"{name} is damaged or cut off ({error}). Fetch it again from its origin."
        ) from error


def _zipped(path: Path, name: str) -> Iterator[pd.DataFrame]:
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.namelist() if member.endswith(".csv")]
        if len(members) != 1:
            raise InvalidInput(f"{name} holds {len(members)} CSV files, {members}; a table is exactly one.")
        with archive.open(members[0]) as file:
            yield from text_chunks(file, name)
