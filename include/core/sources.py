"""Where a cycle's data comes from, and what can be known of it beforehand.

Imported while Airflow parses DAG files: standard library only.
"""

from __future__ import annotations

import re
import string
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from include.core.checks import close_match, show

SCHEMES = ("s3", "http", "https", "file")
#: of a file that `fetch` reads; a zip holds one CSV file
ENDINGS = (".csv", ".zip", ".parquet")
#: a table's name is that of a file and of a channel; `quarantine` is a file of clean's own
TABLE = re.compile(r"(?!quarantine$)[A-Za-z][A-Za-z0-9_-]{0,62}")
FIELDS = ("start", "end")
#: what strftime knows wherever jobs run
DIRECTIVE = re.compile(r"%-?[aAbBdfGHIjmMpSuUVwWyYzZ%]")
SOME_TIME = datetime(2013, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class PythonSource:
    """Data that comes from the cycle's own `source.py`, by its function `tables(start, end)`."""


@dataclass(frozen=True)
class FileSource:
    """Data that comes as one file per table and interval, CSV or Parquet by its ending.

    A URI is `s3://`, `http://`, `https://` or `file://`, and may hold the fields of the interval:
    `s3://raw/flights/{start:%Y-%m}.csv`.
    """

    tables: Mapping[str, str]
    #: texts that mean a missing value, besides the empty one: ("NA", "null")
    missing: Sequence[str] = ()

    def faults(self, path: str, sound: set[str]) -> Iterator[str]:  # noqa: ARG002 - each table by itself
        """Yield what is wrong with the names and the URIs of tables."""
        if self.tables == {}:
            yield f"{path}tables={{}} names no table. Write {{'events': 's3://bucket/{{start:%Y-%m}}.csv'}}."
        tables: Mapping[Any, Any] = self.tables if isinstance(self.tables, Mapping) else {}
        for table, uri in tables.items():
            if not isinstance(table, str) or not isinstance(uri, str) or not uri.strip():
                continue
            if not TABLE.fullmatch(table):
                yield (
                    f"{path}tables has a table called {show(table)}. Write a name of letters, digits, - and "
                    "_ that begins with a letter and is not 'quarantine': files are called so."
                )
            for fault in _uri_faults(uri):
                yield f"{path}tables[{show(table)}]={show(uri)} {fault}"


def _uri_faults(template: str) -> Iterator[str]:
    """Yield what is wrong with a URI that may hold fields."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        yield f"is no template ({error}). Write a field as {{start:%Y-%m-%d}}, and {{{{ or }}}} for a brace."
        return
    faults = [
        fault
        for _, name, spec, conversion in parts
        if name is not None
        for fault in _field_faults(name, spec or "", conversion)
    ]
    yield from faults
    if not faults:
        yield from _address_faults(template.format(start=SOME_TIME, end=SOME_TIME))


def _field_faults(name: str, spec: str, conversion: str | None) -> Iterator[str]:
    if name not in FIELDS:
        near = close_match(name, FIELDS).replace("'", "").rstrip(".")
        yield f"has a field {{{name}}}; an interval has start and end. {near} in its braces."
    elif conversion or not DIRECTIVE.search(spec) or "%" in DIRECTIVE.sub("", spec) or "{" in spec:
        given = f"{{{name}{'!' + conversion if conversion else ''}{':' + spec if spec else ''}}}"
        yield f"has a field {given}, which is no time by strftime. Write {{{name}:%Y-%m-%d}}."


def _address_faults(uri: str) -> Iterator[str]:
    """Yield what is wrong with a URI whose fields are filled in."""
    try:
        parts = urllib.parse.urlsplit(uri)
    except ValueError as error:
        yield f"is no URI ({error}). Begin it with {_schemes()}."
        return
    if parts.scheme not in SCHEMES or not uri.startswith(f"{parts.scheme}://"):
        yield f"is no s3, http, https or file URI. Begin it with {_schemes()}."
        return
    if parts.scheme == "file" and parts.netloc:
        yield f"has no absolute path. Write file:///{parts.netloc}{parts.path}."
    if parts.scheme != "file" and not parts.netloc:
        yield "names no bucket." if parts.scheme == "s3" else "names no host."
    ending = PurePosixPath(urllib.parse.unquote(parts.path)).suffix
    if ending not in ENDINGS:
        yield f"ends in {ending!r}; a table is read from .csv, .csv.zip or .parquet."


def _schemes() -> str:
    return ", ".join(f"{scheme}://" for scheme in SCHEMES)
