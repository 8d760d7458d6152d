"""CSV by RFC 4180 as bounded chunks of text, as they are spelt; what is none is refused by its row."""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from include.ml.cleaning.arrow_types import plain_column
from include.ml.exceptions import InvalidInput

#: bytes that are read at a time
BLOCK_BYTES = 1 << 22
#: bytes of the longest row; more is a quote that nobody closes
ROW_BYTES = 1 << 29
QUOTE, NEWLINE, RETURN, COMMA = b'"\n\r,'
QUOTED = re.compile(rb'"(?:[^"]|"")*"?')
#: letters of a row that a refusal shows
LETTERS = 60
#: what Arrow says of a row with too few or too many values
WRONG_WIDTH = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+): (.*)", re.DOTALL)
FETCH_AGAIN = "Fetch it again from its origin; a partial table is not used."

Choose = Callable[[Sequence[str]], Sequence[str]]


def text_chunks(
    file: IO[bytes], name: str, missing: Sequence[str] = (), choose: Choose = list
) -> Iterator[pa.Table]:
    r"""Yield the rows of a CSV file with a header line, as tables of text.

    Parameters
    ----------
    file
        The file, read once from where it stands; never whole in memory.
    name
        What to call it in a refusal.
    missing
        Trimmed texts that mean a missing value, besides the empty one, in quotes or not.
    choose
        Returns the columns to read, given those of the header.

    Raises
    ------
    InvalidInput
        The file is empty, no UTF-8, cut off, or not as RFC 4180 has it. Rows are counted from 1, without the
        header and empty lines.

    Examples
    --------
    >>> content = b'a,b\r\n"1","two\r\nlines"\r\n02,""\r\n'
    >>> [chunk.to_pylist() for chunk in text_chunks(io.BytesIO(content), "t.csv")]
    [[{'a': '1', 'b': 'two\r\nlines'}, {'a': '02', 'b': None}]]
    """
    try:
        yield from _Reader(file, name, missing, choose).chunks()
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InvalidInput(
            f"{name} is damaged or cut off ({type(error).__name__}: {error}). {FETCH_AGAIN}"
        ) from error


class _Reader:
    """Cuts a file after whole rows, and has Arrow parse what lies between."""

    def __init__(self, file: IO[bytes], name: str, missing: Sequence[str], choose: Choose) -> None:
        self.file, self.name, self.choose = file, name, choose
        self.missing = missing
        #: rows that are parsed
        self.rows = 0
        self.names: list[str] = []

    def chunks(self) -> Iterator[pa.Table]:
        for block, ends in self._blocks():
            rest = block
            if not self.names:
                rest = block[ends[0] :]
                self._read_header(block[: ends[0]])
            if rest.strip(b"\r\n"):
                yield self._parse(rest)
        if not self.names:
            raise InvalidInput(f"{self.name} is empty: it has not even a header line. {FETCH_AGAIN}")

    def _blocks(self) -> Iterator[tuple[bytes, np.ndarray]]:
        """Yield whole rows, and the places where they end; empty lines before the header are left out."""
        rest, is_first = b"", True
        while True:
            # twice as much each time, so that a long row is not looked at again and again
            read = self.file.read(max(BLOCK_BYTES, len(rest)))
            block = rest + read
            if is_first:
                block = block.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
            ends = self._row_ends(block, is_last=not read)
            if len(ends):
                yield block[: ends[-1]], ends
                rest, is_first = block[ends[-1] :], False
            elif len(block) > ROW_BYTES:
                self._refuse(0, block, f"has more than {ROW_BYTES} bytes. Is one of its quotes not closed?")
            else:
                rest = block
            if not read:
                return

    def _row_ends(self, block: bytes, *, is_last: bool) -> np.ndarray:
        """Return the places after the rows that are whole; raise if quotes are not as they have to be."""
        if not block:
            return np.empty(0, dtype=np.intp)
        bytes_ = np.frombuffer(block, np.uint8)
        quotes = np.flatnonzero(bytes_ == QUOTE)
        self._check_quotes(block, bytes_, quotes)
        ends = np.flatnonzero(bytes_ == NEWLINE)
        if RETURN in block:
            # a return may be half of a line end: what follows has to be there
            returns = np.flatnonzero(bytes_[:-1] == RETURN)
            ends = np.union1d(ends, returns[bytes_[returns + 1] != NEWLINE])
        if len(quotes):
            ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
        if is_last and block.strip(b"\r\n"):
            if len(quotes) % 2:
                self._refuse(int(quotes[-1]), block, f"has a quote that is not closed. {FETCH_AGAIN}")
            ends = np.append(ends, len(block) - 1)
        return ends + 1

    def _check_quotes(self, block: bytes, bytes_: np.ndarray, quotes: np.ndarray) -> None:
        """Refuse a quote that neither begins or ends a value nor is doubled within one."""
        marks = (COMMA, NEWLINE, RETURN, QUOTE)
        opening, closing = quotes[0::2], quotes[1::2]
        before = bytes_[np.maximum(opening - 1, 0)]
        is_wrong = ~np.isin(before, marks) & (opening > 0)
        closing = closing[closing + 1 < len(bytes_)]
        wrong = [*opening[is_wrong][:1], *closing[~np.isin(bytes_[closing + 1], marks)][:1]]
        if wrong:
            self._refuse(
                int(min(wrong)),
                block,
                "has a quote in the midst of a value. Put the value in quotes, and double each quote in it.",
            )

    def _read_header(self, line: bytes) -> None:
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise InvalidInput(f"{self.name}: the header is no UTF-8 ({error}). Write it so.") from error
        self.names = next(csv.reader(io.StringIO(text, newline=""), strict=True))
        self.columns = list(self.choose(self.names))

    def _parse(self, block: bytes) -> pa.Table:
        try:
            table = pa_csv.read_csv(
                pa.BufferReader(block),
                read_options=pa_csv.ReadOptions(
                    column_names=self.names, block_size=len(block) + 1, use_threads=False
                ),
                parse_options=pa_csv.ParseOptions(newlines_in_values=QUOTE in block),
                convert_options=pa_csv.ConvertOptions(
                    include_columns=self.columns,
                    column_types=dict.fromkeys(self.names, pa.string()),
                    null_values=["", *self.missing],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=True,
                ),
            )
        except pa.ArrowInvalid as error:
            self._explain(block, error)
            raise
        self.rows += table.num_rows
        return without_missing(table, self.missing)

    def _explain(self, block: bytes, error: pa.ArrowInvalid) -> None:
        """Raise InvalidInput for what Arrow could not parse, by its row."""
        if width := WRONG_WIDTH.search(str(error)):
            row, expected, actual, text = width.groups()
            raise InvalidInput(
                f"{self.name}, row {self.rows + int(row)}: it has {actual} values, the header has {expected}"
                ". A value with a comma, a quote or a line break has to be in quotes. If the row is the last "
                f"one, the file may be cut off: fetch it again. The row begins {text[:LETTERS]!r}."
            ) from error
        try:
            block.decode()
        except UnicodeDecodeError as undecodable:
            offset = undecodable.start
            self._refuse(
                offset, block, f"has the byte {block[offset]:#04x}, which is no UTF-8. Write it in UTF-8."
            )

    def _refuse(self, offset: int, block: bytes, words: str) -> None:
        """Raise InvalidInput for the row around a place in a block."""
        before = QUOTED.sub(b"q", block[:offset])
        lines = re.split(rb"\r\n|\n|\r", before)[:-1]
        row = self.rows + sum(1 for line in lines if line) + (1 if self.names else 0)
        where = f"row {row}" if row else "the header"
        raise InvalidInput(f"{self.name}, {where}: it {words}")


def without_missing(table: pa.Table, missing: Sequence[str]) -> pa.Table:
    """Return a table without the texts that mean a missing value.

    Examples
    --------
    >>> without_missing(pa.table({"a": ["x", " NA"], "b": [1, 2]}), ["NA"]).to_pylist()
    [{'a': 'x', 'b': 1}, {'a': None, 'b': 2}]
    """
    for position, name in enumerate(table.column_names if missing else ()):
        column = plain_column(table.column(position))
        if pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
        if pa.types.is_string(column.type):
            texts = pc.utf8_trim_whitespace(column)
            is_missing = pc.is_in(texts, value_set=pa.array(missing, pa.string()))
            kept = pc.if_else(is_missing, pa.scalar(None, pa.string()), column)
            table = table.set_column(position, name, kept)
    return table
