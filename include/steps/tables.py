"""Tables as Parquet files, written and read chunk by chunk; the same bytes for the same rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

#: rows that are in memory at a time
CHUNK_ROWS = 16_384


class TableWriter:
    """Writes frames with the same columns into one Parquet file; the first frame decides the types."""

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
    """The frame without pandas' own metadata, which would change with versions."""
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    fields = [
        field.with_type(pa.string())
        if pa.types.is_null(field.type) or pa.types.is_large_string(field.type)
        else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def write_table(path: Path, frame: pd.DataFrame) -> int:
    """Write one frame as a Parquet file; its number of rows."""
    with TableWriter(path) as writer:
        writer.write(frame)
    return len(frame)


def read_chunks(path: Path, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
    """The rows of a Parquet file in frames of bounded size."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=CHUNK_ROWS, columns=columns, use_threads=False):
            yield cast("pd.DataFrame", batch.to_pandas())


def read_table(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A whole Parquet file."""
    with pq.ParquetFile(path) as file:
        return cast("pd.DataFrame", file.read(columns=columns, use_threads=False).to_pandas())
