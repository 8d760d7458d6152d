"""explore: a profile of a step's tables for people, as a page beside its outputs.

It reads at most SAMPLE_ROWS rows of each table, however large the table is; the numbers of rows and of
missing values are Parquet's own. `contract.run` calls it after every processing step. The page is no part of
the output: no manifest names it, and how it looks is part of no step's key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.types import is_list

from include.core.layout import PROFILE
from include.ml.reports.profile import TableSample, render_profile

#: rows of a table that are looked at
SAMPLE_ROWS = 20_000
#: row groups of a table that they are taken from, evenly over all of them
GROUPS = 8
#: tables on one page
TABLES = 12


def write_profile(folder: Path, title: str, private: frozenset[str]) -> bool:
    """Write the page, if the folder has tables; return whether it has.

    :param private: columns of which nothing is shown
    """
    tables = [describe_table(name, files) for name, files in find_tables(folder).items()][:TABLES]
    tables = [table for table in tables if len(table.sample.columns)]
    if not tables:
        return False
    (folder / PROFILE).write_text(render_profile(title, tables, private), encoding="utf-8")
    return True


def find_tables(root: Path) -> Mapping[str, Sequence[Path]]:
    """Return the Parquet files of each table: a file of its own, or all files of a folder."""
    tables: dict[str, list[Path]] = {}
    for path in sorted(root.rglob("*.parquet")):
        folder = path.parent.relative_to(root).as_posix()
        tables.setdefault(path.stem if folder == "." else folder, []).append(path)
    return tables


def describe_table(name: str, files: Sequence[Path]) -> TableSample:
    """Return a table from its files' footers and a sample of its rows."""
    footers = {path: pq.read_metadata(path) for path in files}
    groups = [(path, n) for path, footer in footers.items() for n in range(footer.num_row_groups)]
    sample = read_sample(groups, pq.read_schema(files[0]))
    rows = sum(footer.num_rows for footer in footers.values())
    kept = [count for footer in footers.values() for count in null_counts(footer)]
    missing = {str(column): 0 for column in sample.columns}
    for column, count in kept:
        if column in missing:
            missing[column] += count
    return TableSample(name=name, rows=rows, missing=missing, sample=sample)


def null_counts(footer: pq.FileMetaData) -> Iterator[tuple[str, int]]:
    """Yield the missing values of every column in every row group, from Parquet's footer."""
    for n in range(footer.num_row_groups):
        group = footer.row_group(n)
        for number in range(group.num_columns):
            column = group.column(number)
            if column.statistics is not None and column.statistics.has_null_count:
                yield column.path_in_schema, column.statistics.null_count


def read_sample(groups: Sequence[tuple[Path, int]], schema: pa.Schema) -> pd.DataFrame:
    """Return rows from row groups spread evenly over the table."""
    every = max(-(-len(groups) // GROUPS), 1)
    chosen = groups[::every]
    parts = []
    for path, number in chosen:
        with pq.ParquetFile(path) as file:
            rows = file.read_row_group(number, use_threads=False)
        stride = max(-(-rows.num_rows * len(chosen) // SAMPLE_ROWS), 1)
        parts.append(rows.take(pa.array(range(0, rows.num_rows, stride))))
    table = pa.concat_tables(parts, promote_options="permissive") if parts else schema.empty_table()
    # a list, as of reasons, is shown as text
    lists = {
        name: table.column(name) for name in table.column_names if is_list(table.schema.field(name).type)
    }
    for name, column in lists.items():
        text = pa.array(("; ".join(map(str, cell)) for cell in column.to_pylist()), pa.string())
        table = table.set_column(table.column_names.index(name), name, text)
    return cast("pd.DataFrame", table.to_pandas())
