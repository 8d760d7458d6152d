"""fetch: the raw tables of one interval, from the cycle's source, as Parquet."""

from __future__ import annotations

import http.client
import shutil
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from include.core.cycle import FileSource
from include.core.documents.manifest import InputFile, InputLists, SourceFile
from include.core.layout import INPUT_LISTS, LISTS_INPUT
from include.ml import cycle_code
from include.ml.cleaning.arrow_types import column_types, refuse_type
from include.ml.cleaning.csv_chunks import Choose, text_chunks, without_missing
from include.ml.exceptions import InvalidInput
from include.steps.contract import Step, digest, run
from include.steps.manifest import write_manifest
from include.steps.tables import TableWriter, read_chunks

#: the function of a cycle's own source, as messages name it
SOURCE = "tables of source.py"
Chunk: TypeAlias = pd.DataFrame | pa.Table | pa.RecordBatch


def fetch(step: Step) -> dict[str, int]:
    """Write one Parquet file per table, streaming: the columns that schema.py names, in their types."""
    schemas = step.module("schema").TABLES
    origins: dict[str, SourceFile] = {}
    sources = source_tables(step, origins)
    absent = sorted(set(schemas) - set(sources))
    if absent:
        raise InvalidInput(
            f"The source of {step.cycle} has no table {absent}; it has {sorted(sources)}. Add it."
        )
    rows = {name: _write(step, wanted_columns(step, name), sources[name]) for name in schemas}
    counts = {"rows_in": sum(rows.values()), "rows_out": sum(rows.values())}
    metrics = {f"rows_{name}": count for name, count in rows.items()}
    write_manifest(
        step,
        counts=counts | {"rows_quarantined": 0, "rows_duplicate": 0},
        metrics=metrics,
        sources=[replace(origins[name], rows=count) for name, count in rows.items()],
    )
    return counts | metrics


@dataclass(frozen=True)
class WantedColumns:
    """The columns of one table that its schema names, with their kinds."""

    cycle: str
    table: str
    kinds: Mapping[str, str]
    optional: frozenset[str]

    def choose(self, names: Sequence[str]) -> list[str]:
        """Return the named columns that a table has; raise InvalidInput if one is missing, or there twice."""
        missing = [name for name in self.kinds if name not in names and name not in self.optional]
        if missing:
            raise InvalidInput(
                f"Table {self.table} of {self.cycle} lacks the column {', '.join(missing)}; it has "
                f"{', '.join(map(str, names))}. Has the source changed? Correct it, or schema.py."
            )
        twice = [name for name in self.kinds if list(names).count(name) > 1]
        if twice:
            raise InvalidInput(
                f"Table {self.table} of {self.cycle} has several columns {', '.join(twice)}: which one is "
                "meant? Rename the others in the source."
            )
        return [name for name in self.kinds if name in names]

    def select(self, chunk: Chunk) -> pa.Table:
        """Return the named columns of a source's chunk; raise InvalidInput if a type cannot be read."""
        if isinstance(chunk, pd.DataFrame):
            named = chunk[self.choose([*chunk.columns])]
            try:
                table = pa.Table.from_pandas(named, preserve_index=False)
            except pa.ArrowException as error:
                raise InvalidInput(
                    f"Table {self.table} of {self.cycle}: a column holds values of several types ({error}). "
                    "Give it one type in source.py; text is best left as text."
                ) from error
        else:
            table = chunk.select(self.choose(chunk.schema.names))
        for name in table.schema.names:
            refuse_type(self.table, name, self.kinds[name], table.schema.field(name).type)
        return pa.table({name: table.column(name) for name in table.schema.names})


def wanted_columns(step: Step, table: str) -> WantedColumns:
    """Return the columns that the cycle's schema names."""
    schema = step.module("schema").TABLES[table]
    optional = frozenset(name for name, column in schema.columns.items() if not column.required)
    return WantedColumns(step.cycle, table, column_types(schema), optional)


def source_tables(step: Step, origins: dict[str, SourceFile]) -> Mapping[str, Iterator[Chunk]]:
    """Return the tables of the interval, from files or from the cycle's own `source.py`.

    :param origins: is given where a table's rows come from, at the latest when the first are read
    """
    source = step.description.source
    if isinstance(source, FileSource):
        return {name: _table(step, name, source, origins) for name in source.tables}
    module = step.module("source")
    function, path = module.tables, Path(str(module.__file__))
    tables = cycle_code.call(lambda _: function(step.start, step.end), {}, SOURCE)
    if not isinstance(tables, Mapping):
        raise cycle_code.FaultyCode(
            f"{SOURCE} returns {type(tables).__name__} instead of a dict with the chunks of each table: "
            '{"table": [data frame, ...]}.'
        )
    for name in tables:
        origins[name] = describe_origin(name, f"python:{module.__name__}", path)
    return {name: checked_chunks(name, chunks) for name, chunks in tables.items()}


def checked_chunks(table: str, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Yield the chunks of a table that the cycle's own source gives.

    :raises FaultyCode: the source raises in the middle, or gives something else than tables
    """
    which = f"{SOURCE}, for table {table},"
    if isinstance(chunks, (pd.DataFrame, pa.Table, pa.RecordBatch, str, bytes)):
        chunks = iter([chunks])
    end = object()
    iterator = cycle_code.call(lambda _: iter(chunks), {}, which)
    try:
        while (chunk := cycle_code.call(lambda _: next(iterator, end), {}, which)) is not end:
            if not isinstance(chunk, (pd.DataFrame, pa.Table, pa.RecordBatch)):
                raise cycle_code.FaultyCode(
                    f"{which} gives {type(chunk).__name__} instead of data frames or Arrow tables."
                )
            yield chunk
    finally:
        if isinstance(iterator, Generator):
            iterator.close()


def _write(step: Step, wanted: WantedColumns, chunks: Iterator[Chunk]) -> int:
    with ExitStack() as stack, TableWriter(step.output / f"{wanted.table}.parquet") as writer:
        if isinstance(chunks, Generator):
            # a refusal leaves it in the middle of a file that it must let go of now
            stack.callback(chunks.close)
        for chunk in chunks:
            selected = wanted.select(chunk)
            try:
                writer.write(selected)
            except (pa.ArrowInvalid, KeyError) as error:
                raise InvalidInput(
                    f"Table {wanted.table} of {wanted.cycle}: a chunk has other types than the first "
                    f"({error}). Give every chunk of a table the same columns and types."
                ) from error
    if writer.rows == 0:
        raise InvalidInput(
            f"There is no data in table {wanted.table} of {step.cycle} between {step.start.isoformat()} and "
            f"{step.end.isoformat()}. Choose an interval for which the source has data, or wait for it."
        )
    return writer.rows


def main() -> None:
    """Run the step in its container."""
    run("fetch", fetch)


#: seconds without a byte after which a download is given up
TIMEOUT_S = 60
AGAIN = "Check the cycle's source in cycle.py, and that the file is there; then run fetch again."


def _table(step: Step, name: str, source: FileSource, origins: dict[str, SourceFile]) -> Iterator[pa.Table]:
    uri = source.tables[name].format(start=step.start, end=step.end)
    with TemporaryDirectory() as scratch:
        path, etag, modified = locate(step, name, uri, Path(scratch))
        origins[name] = replace(describe_origin(name, uri, path), etag=etag, modified=modified)
        yield from read_file(path, uri, source.missing, wanted_columns(step, name).choose)


def describe_origin(table: str, uri: str, path: Path) -> SourceFile:
    """Return where a table comes from, still without its number of rows."""
    parts = urllib.parse.urlsplit(uri)
    if parts.scheme in {"http", "https"}:
        # without what may be a password: the user's part, and signatures of the query
        uri = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    return SourceFile(table=table, uri=uri, rows=0, sha256=digest(path), bytes=path.stat().st_size)


#: a file on this machine, its ETag, and when it was last written, as its store says
LocatedFile: TypeAlias = tuple[Path, str | None, datetime | None]


def locate(step: Step, name: str, uri: str, scratch: Path) -> LocatedFile:
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
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise InvalidInput(f"Table {name}: there is no file {uri}. {AGAIN}")
    if parts.scheme == "file":
        return path, None, datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
    listed = _listed_source(step, path.relative_to(step.input("source")).as_posix())
    return path, listed.etag if listed else None, listed.modified if listed else None


def _listed_source(step: Step, name: str) -> InputFile | None:
    """Return what the task that started the job says of an object; `contract` has checked the list."""
    path = step.input(LISTS_INPUT) / INPUT_LISTS
    lists = InputLists.from_text(path.read_bytes()).inputs.items() if path.exists() else ()
    return next(
        (file for given, of in lists for file in of.files if f"{given}/{file.name}" == f"source/{name}"), None
    )


def download(uri: str, path: Path) -> LocatedFile:
    """Download to `path`, streaming; raise InvalidInput if the file is not complete."""
    try:
        with urllib.request.urlopen(uri, timeout=TIMEOUT_S) as answer, path.open("wb") as file:  # noqa: S310 - http(s) only, see locate
            shutil.copyfileobj(answer, file)
            headers = answer.headers
    except urllib.error.HTTPError as error:
        with error:
            raise InvalidInput(f"{uri} cannot be read: {error}. {AGAIN}") from error
    except (OSError, http.client.HTTPException) as error:
        raise InvalidInput(f"{uri} cannot be read: {error}. {AGAIN}") from error
    size, promised = path.stat().st_size, headers.get("Content-Length")
    if promised is not None and size != int(promised):
        raise InvalidInput(f"{uri} is cut off: {size} bytes came, {promised} were promised. Run fetch again.")
    return path, headers.get("ETag"), _http_time(headers.get("Last-Modified"))


def _http_time(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except ValueError:  # a server that writes its own kind of time
        return None


def read_file(path: Path, name: str, missing: Sequence[str], choose: Choose) -> Iterator[pa.Table]:
    """Yield the rows of a Parquet, CSV or zipped CSV file in chunks; the suffix names the format.

    :param missing: texts that mean a missing value
    :param choose: returns the columns to read, given all that there are
    """
    try:
        if path.suffix == ".parquet":
            for chunk in read_chunks(path, choose(pq.read_schema(path).names)):
                yield without_missing(chunk, missing)
        elif path.suffix == ".csv":
            with path.open("rb") as file:
                yield from text_chunks(file, name, missing, choose)
        elif path.suffix == ".zip":
            yield from _zipped(path, name, missing, choose)
        else:
            raise InvalidInput(
                f"{name} ends in {path.suffix!r}; a table is read from .csv, .csv.zip or .parquet."
            )
    except (pa.ArrowException, zipfile.BadZipFile, OSError) as error:
        raise InvalidInput(
            f"{name} is damaged or cut off ({error}). Fetch it again from its origin."
        ) from error


def _zipped(path: Path, name: str, missing: Sequence[str], choose: Choose) -> Iterator[pa.Table]:
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.namelist() if member.endswith(".csv")]
        if len(members) != 1:
            raise InvalidInput(f"{name} holds {len(members)} CSV files, {members}; a table is exactly one.")
        with archive.open(members[0]) as file:
            yield from text_chunks(file, name, missing, choose)
