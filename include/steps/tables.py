"""Tables as Parquet files: written chunk by chunk, read as frames, as column batches, or as a sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from include.ml.monitoring.summaries import ColumnValues, Texts

#: rows that are in memory at a time
CHUNK_ROWS = 16_384


class TableWriter:
    """Write frames with the same columns into one Parquet file; the first frame decides the types."""

    def __init__(self, path: Path) -> None:
        self.path, self.rows = path, 0
        self._writer: pq.ParquetWriter | None = None

    def write(self, frame: pd.DataFrame) -> None:
        """Append the frame's rows."""
        table = _arrow(frame, self._writer.schema if self._writer else None)
        if self._writer is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self.path, table.schema, compression="zstd")
        if len(frame):
            self._writer.write_table(table, row_group_size=CHUNK_ROWS)
            self.rows += len(frame)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()


def _arrow(frame: pd.DataFrame, schema: pa.Schema | None) -> pa.Table:
    """Return the frame without pandas' own metadata, which changes with its version."""
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    fields = [
        field.with_type(pa.string())
        if pa.types.is_null(field.type) or pa.types.is_large_string(field.type)
        else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def write_table(path: Path, frame: pd.DataFrame) -> int:
    """Write one frame as a Parquet file; return its number of rows."""
    with TableWriter(path) as writer:
        writer.write(frame)
    return len(frame)


def read_chunks(path: Path, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
    """Yield the rows of a Parquet file in frames of bounded size."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=CHUNK_ROWS, columns=columns, use_threads=False):
            yield cast("pd.DataFrame", batch.to_pandas())


def read_table(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a whole Parquet file."""
    with pq.ParquetFile(path) as file:
        return cast("pd.DataFrame", file.read(columns=columns, use_threads=False).to_pandas())


#: rows that are in memory at a time
BATCH_ROWS = 65_536


def read_batches(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a Parquet file in batches; texts stay dictionary-encoded."""
    schema = pq.read_schema(path)
    texts = [field.name for field in schema if _is_string(field.type)]
    # pre-buffering would hold the whole file, which is made for stores that are far away
    with pq.ParquetFile(path, read_dictionary=texts, pre_buffer=False) as file:
        yield from file.iter_batches(batch_size=BATCH_ROWS, columns=columns, use_threads=False)


def columns_of(batch: pa.RecordBatch, names: Sequence[str]) -> dict[str, ColumnValues]:
    """Return some columns of a batch; all but numbers are texts."""
    return {name: _column(batch.column(name)) for name in names}


def _column(values: pa.Array) -> ColumnValues:
    kind = values.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        values = values.cast(pa.float64())
    if pa.types.is_floating(values.type):
        return cast("ColumnValues", np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64))
    if not pa.types.is_dictionary(kind):
        values = values.cast(pa.string()).dictionary_encode()
    codes = values.indices.fill_null(-1) if values.null_count else values.indices
    return Texts(codes.to_numpy(zero_copy_only=False), values.dictionary.to_pylist())


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


class RowSample:
    """A seeded sample without replacement of rows that pass by once.

    :param total: how many rows there are
    """

    def __init__(self, total: int, limit: int, seed: int = 0) -> None:
        drawn = np.random.default_rng(seed).choice(total, min(limit, total), replace=False)
        self._places, self._seen = np.sort(drawn), 0
        self._parts: list[pd.DataFrame] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in the next rows."""
        low, high = np.searchsorted(self._places, [self._seen, self._seen + batch.num_rows])
        if low < high:
            chosen = batch.take(pa.array(self._places[low:high] - self._seen))
            self._parts.append(decode_texts(chosen.to_pandas()))
        self._seen += batch.num_rows

    def frame(self) -> pd.DataFrame:
        """Return the sampled rows in their order."""
        return pd.concat(self._parts, ignore_index=True) if self._parts else pd.DataFrame()


def decode_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with plain texts, since dictionaries differ from file to file."""
    coded = frame.select_dtypes("category").columns
    return frame.astype(dict.fromkeys(coded, "str"))


def count_rows(paths: Sequence[Path]) -> int:
    """Return the rows of all files together, from their footers."""
    return sum(pq.read_metadata(path).num_rows for path in paths)
