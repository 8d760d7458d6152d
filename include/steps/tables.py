"""Tables as Parquet files: written chunk by chunk, read as Arrow tables, as a frame, or as a sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from include.ml.cleaning.arrow_types import plain_column, plain_frame
from include.ml.monitoring.summaries import ColumnValues, Texts

#: rows of a row group, and the most that are read at a time
GROUP_ROWS = 131_072
#: values that are read at a time, so that wide tables come in fewer rows
READ_VALUES = 1 << 24
#: rows that tell whether a column repeats its values, and the share of different ones from which it does not
SAMPLE_ROWS, REPETITIVE_SHARE = 16_384, 0.5
#: bytes that wait for a row group to be full
GROUP_BYTES = 1 << 26


class TableWriter:
    """Write tables with the same columns into one Parquet file; the first decides the types."""

    def __init__(self, path: Path) -> None:
        self.path, self.rows = path, 0
        self._writer: pq.ParquetWriter | None = None
        self._schema: pa.Schema | None = None
        self._waiting: list[pa.Table] = []

    def write(self, rows: pd.DataFrame | pa.Table) -> None:
        """Append rows.

        :raises pa.ArrowInvalid: a value does not fit its column's type in the first rows
        """
        table = _plain(rows, self._schema)
        if self._schema is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._schema = table.schema
        waiting = [*self._waiting, table]
        if sum(map(len, waiting)) > GROUP_ROWS or sum(part.nbytes for part in waiting) > GROUP_BYTES:
            self._flush()
        if len(table):
            self._waiting.append(table)
            self.rows += len(table)

    def _flush(self) -> None:
        if self._writer is None:
            # without Arrow's own types, which say how texts were kept here
            self._writer = pq.ParquetWriter(
                self.path,
                self._schema,
                compression="zstd",
                store_schema=False,
                use_dictionary=_repetitive(self._waiting),
            )
        if self._waiting:
            group = pa.concat_tables(self._waiting).unify_dictionaries().combine_chunks()
            self._writer.write_table(group, row_group_size=GROUP_ROWS)
            self._waiting = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._schema is not None:
            self._flush()
        if self._writer is not None:
            self._writer.close()


def _repetitive(tables: list[pa.Table]) -> list[str]:
    """Return the columns whose first values repeat, so that a dictionary of them is worth its making."""
    if not tables:
        return []
    first = tables[0].slice(0, SAMPLE_ROWS)
    most = first.num_rows * REPETITIVE_SHARE
    return [
        name
        for name, column in zip(first.column_names, first.columns, strict=True)
        if pa.types.is_dictionary(column.type)
        or (not pa.types.is_nested(column.type) and pc.count_distinct(column).as_py() <= most)
    ]


def _plain(rows: pd.DataFrame | pa.Table, schema: pa.Schema | None) -> pa.Table:
    """Return rows in types that Parquet keeps, without metadata, which changes with pandas' version."""
    if isinstance(rows, pd.DataFrame):
        wanted = None if schema is None else pa.schema([_decoded(field) for field in schema])
        rows = pa.Table.from_pandas(rows, schema=wanted, preserve_index=False)
    columns = [plain_column(column) for column in rows.columns]
    table = pa.table(columns, names=rows.column_names)
    return table if schema is None or table.schema == schema else _fitted(table, schema)


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table in the types of the first one, whose texts may be a dictionary or not."""
    table = table.select(schema.names)
    return table.cast(pa.schema([_decoded(field) for field in table.schema])).cast(schema)


def _decoded(field: pa.Field) -> pa.Field:
    return field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field


def write_table(path: Path, frame: pd.DataFrame) -> int:
    """Write one frame as a Parquet file; return its number of rows."""
    with TableWriter(path) as writer:
        writer.write(frame)
    return len(frame)


def read_chunks(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the rows of a Parquet file in tables of bounded size; texts stay dictionary-encoded."""
    for batch in read_batches(path, columns, _rows_at_a_time(pq.read_metadata(path), columns)):
        yield pa.Table.from_batches([batch])


def _rows_at_a_time(footer: pq.FileMetaData, columns: Sequence[str] | None) -> int:
    """Return how many rows of a file to read at a time: fewer where they are wide or their texts long."""
    groups = [footer.row_group(n) for n in range(footer.num_row_groups)]
    row_bytes: int = sum(group.total_byte_size for group in groups) // max(footer.num_rows, 1)
    width: int = footer.num_columns if columns is None else len(columns)
    return max(min(GROUP_ROWS, READ_VALUES // max(width, 1), GROUP_BYTES // max(row_bytes, 1)), 16)


def read_table(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a whole Parquet file."""
    with pq.ParquetFile(path) as file:
        return plain_frame(file.read(columns=columns, use_threads=False))


#: rows that are in memory at a time
BATCH_ROWS = 65_536


def read_batches(
    path: Path, columns: Sequence[str] | None = None, rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a Parquet file in batches; texts stay dictionary-encoded."""
    schema = pq.read_schema(path)
    texts = [field.name for field in schema if _is_string(field.type)]
    # pre-buffering would hold the whole file, which is made for stores that are far away
    with pq.ParquetFile(path, read_dictionary=texts, pre_buffer=False) as file:
        yield from file.iter_batches(batch_size=rows, columns=columns, use_threads=False)


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
