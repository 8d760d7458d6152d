"""Tables that come as files: from a disk, over HTTP, or from S3 as the job's input `source`."""

from __future__ import annotations

import http.client
import shutil
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pyarrow as pa

from include.core.cycle import FileSource
from include.ml.cleaning.csv_chunks import text_chunks
from include.ml.refusal import Refused
from include.steps.contract import Step
from include.steps.tables import read_chunks

#: seconds without a byte after which a download is given up
TIMEOUT_S = 60
AGAIN = "Check the cycle's source in cycle.py, and that the file is there; then run fetch again."


def file_tables(step: Step, source: FileSource) -> Mapping[str, Iterator[pd.DataFrame]]:
    """The tables of a FileSource, each read when it is iterated."""
    return {name: _table(step, name, uri) for name, uri in source.tables.items()}


def _table(step: Step, name: str, template: str) -> Iterator[pd.DataFrame]:
    uri = template.format(start=step.start, end=step.end)
    with TemporaryDirectory() as scratch:
        yield from read_file(locate(step, name, uri, Path(scratch)), uri)


def locate(step: Step, name: str, uri: str, scratch: Path) -> Path:
    """The file behind a URI on this machine, downloaded if it has to be."""
    parts = urllib.parse.urlsplit(uri)
    basename = Path(urllib.parse.unquote(parts.path)).name
    if parts.scheme in {"http", "https"}:
        return download(uri, scratch / basename)
    if parts.scheme == "file":
        places = [Path(urllib.parse.unquote(parts.path))]
    elif parts.scheme == "s3":
        places = [step.input("source") / name / basename, step.input("source") / basename]
    else:
        raise Refused(f"Table {name} comes from {uri}, which is no s3, http, https or file URI. {AGAIN}")
    found = [place for place in places if place.is_file()]
    if not found:
        raise Refused(f"Table {name}: there is no file {uri}. {AGAIN}")
    return found[0]


def download(uri: str, path: Path) -> Path:
    """Download to `path`, streaming; refuse what is not all there."""
    try:
        with urllib.request.urlopen(uri, timeout=TIMEOUT_S) as answer, path.open("wb") as file:  # noqa: S310 - http(s) only, see locate
            shutil.copyfileobj(answer, file)
            promised = answer.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        with error:
            raise Refused(f"{uri} cannot be read: {error}. {AGAIN}") from error
    except (OSError, http.client.HTTPException) as error:
        raise Refused(f"{uri} cannot be read: {error}. {AGAIN}") from error
    size = path.stat().st_size
    if promised is not None and size != int(promised):
        raise Refused(f"{uri} is cut off: {size} bytes came, {promised} were promised. Run fetch again.")
    return path


def read_file(path: Path, name: str) -> Iterator[pd.DataFrame]:
    """The rows of a Parquet, CSV or zipped CSV file, in chunks; told apart by the file's ending."""
    try:
        if path.suffix == ".parquet":
            yield from read_chunks(path)
        elif path.suffix == ".csv":
            with path.open("rb") as file:
                yield from text_chunks(file, name)
        elif path.suffix == ".zip":
            yield from _zipped(path, name)
        else:
            raise Refused(f"{name} ends in {path.suffix!r}; a table is read from .csv, .csv.zip or .parquet.")
    except (pa.ArrowInvalid, zipfile.BadZipFile, OSError) as error:
        raise Refused(f"{name} is damaged or cut off ({error}). Fetch it again from its origin.") from error


def _zipped(path: Path, name: str) -> Iterator[pd.DataFrame]:
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.namelist() if member.endswith(".csv")]
        if len(members) != 1:
            raise Refused(f"{name} holds {len(members)} CSV files, {members}; a table is exactly one.")
        with archive.open(members[0]) as file:
            yield from text_chunks(file, name)
