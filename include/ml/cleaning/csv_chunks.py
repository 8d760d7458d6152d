"""CSV as bounded chunks of text: what cannot be read is refused, what can be read keeps its spelling."""

from __future__ import annotations

import csv
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import IO, cast

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from include.ml.exceptions import InvalidInput

#: bytes that are parsed at a time
BLOCK_BYTES = 1 << 22


def text_chunks(file: IO[bytes], name: str, null_values: Sequence[str] = ("",)) -> Iterator[pd.DataFrame]:
    r"""Yield the rows of a CSV file with a header line, as frames of text.

    Parameters
    ----------
    file
        The file, read once from where it stands; never whole in memory.
    name
        What to call it in a refusal.
    null_values
        Spellings of a missing value.

    Raises
    ------
    InvalidInput
        The file is empty, no UTF-8, cut off, or has a row with too few or too many values.

    Examples
    --------
    >>> import io
    >>> [chunk.to_dict("list") for chunk in text_chunks(io.BytesIO(b"a,b\n1,x\n02,\n"), "t.csv")]
    [{'a': ['1', '02'], 'b': ['x', nan]}]
    """
    try:
        names = _header(file)
        if not names:
            raise InvalidInput(
                f"{name} is empty: it has not even a header line. Fetch it again from its origin."
            )
        for batch in _batches(file, names, null_values):
            yield cast("pd.DataFrame", batch.to_pandas())
    except (pa.ArrowInvalid, zipfile.BadZipFile, zlib.error, EOFError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{name} is damaged or cut off ({type(error).__name__}: {error}). "
            "Fetch it again from its origin; a partial table is not used."
        ) from error


def _header(file: IO[bytes]) -> list[str]:
    line = file.readline().decode("utf-8-sig").strip()
    return next(csv.reader([line])) if line else []


def _batches(file: IO[bytes], names: list[str], null_values: Sequence[str]) -> Iterator[pa.RecordBatch]:
    try:
        yield from pa_csv.open_csv(
            pa.PythonFile(file, mode="r"),
            read_options=pa_csv.ReadOptions(column_names=names, block_size=BLOCK_BYTES, use_threads=False),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=list(null_values),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV file" not in str(error):
            raise
