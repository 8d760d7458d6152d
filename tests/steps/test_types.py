"""The types of a source's Parquet files, through fetch and clean, as the model sees them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.ml.cleaning.columns import read_column
from tests.steps.conftest import FILES, times
from tests.steps.container import Container, Containers

DAY, HOUR = dt.date(2020, 1, 1), dt.datetime(2020, 1, 1, 5, tzinfo=dt.UTC)
#: column, its type, a value, and what the cleaned table has, by the kind in the schema
TEXTS: dict[str, tuple[pa.DataType, Any, str]] = {
    "big": (pa.int64(), 9007199254740993, "9007199254740993"),
    "wide": (pa.uint64(), 2**64 - 1, "18446744073709551615"),
    "code": (pa.int8(), 7, "7"),
    "double": (pa.float64(), 7.0, "7"),
    "half": (pa.float16(), 0.5, "0.5"),
    "price": (pa.decimal128(12, 2), Decimal("7.10"), "7.10"),
    "huge": (pa.decimal256(60, 2), Decimal("7.10"), "7.10"),
    "flag": (pa.bool_(), True, "true"),
    "text": (pa.string(), " 007 ", "007"),
    "large": (pa.large_string(), "007", "007"),
    "coded": (pa.dictionary(pa.int8(), pa.string()), "007", "007"),
    "bytes": (pa.binary(), b"a", "a"),
    "fixed": (pa.binary(1), b"a", "a"),
    "date": (pa.date32(), DAY, "2020-01-01"),
    "clock": (pa.time32("ms"), dt.time(5), "05:00:00.000"),
}
NUMBERS: dict[str, tuple[pa.DataType, Any, float]] = {
    f"n_{name}": (kind, value, float(value))
    for name, (kind, value, _) in TEXTS.items()
    if name in {"code", "double", "half", "price", "huge", "flag"}
} | {"n_large": (pa.large_string(), "1.5", 1.5)}
TIMES: dict[str, tuple[pa.DataType, Any, dt.datetime]] = {
    **{f"t_{unit}": (pa.timestamp(unit, "America/New_York"), HOUR, HOUR) for unit in ("s", "ms", "us", "ns")},
    "t_local": (pa.timestamp("us"), HOUR.replace(tzinfo=None), HOUR),
    "t_date": (pa.date32(), DAY, HOUR.replace(hour=0)),
    "t_date64": (pa.date64(), DAY, HOUR.replace(hour=0)),
    "t_text": (pa.large_string(), "2020-01-01T05:00Z", HOUR),
}
COLUMNS = TEXTS | NUMBERS | TIMES
#: types that no schema names, and that stop nobody
UNNAMED = {
    "list": pa.array([[1]] * 3, pa.list_(pa.int64())),
    "struct": pa.array([{"a": 1}] * 3),
    "span": pa.array([1] * 3, pa.duration("s")),
}


@pytest.fixture
def fetch(ice: Callable[[str], None], container: Containers, tmp_path: Path) -> Callable[..., Container]:
    """A container whose fetch reads a Parquet table that has more columns than the ice cycle's."""

    def prepare(table: pa.Table, schema: dict[str, str]) -> Container:
        rows = table.num_rows
        pq.write_table(
            pa.table(
                {
                    "station": ["A"] * rows,
                    "time": [f"2020-01-01T{hour:02d}:00Z" for hour in range(rows)],
                    "known": pa.nulls(rows),
                    "country": pa.nulls(rows),
                    "temp": pa.nulls(rows, pa.float64()),
                    "froze": pa.nulls(rows, pa.int8()),
                    **{name: table.column(name) for name in table.column_names},
                }
            ).replace_schema_metadata(table.schema.metadata),
            tmp_path / "a.parquet",
        )
        ice((tmp_path / "a.parquet").as_uri())
        own = "".join(f"{name!r}: pa.Column({kind}, nullable=True), " for name, kind in schema.items())
        text = FILES["schema.py"].replace('"station":', own + '"station":')
        (tmp_path / "cycles/ice/schema.py").write_text(text)
        return container("fetch")

    return prepare


def of_type(kind: pa.DataType, values: list[Any]) -> pa.Array:
    """Values of a type."""
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
    return pa.array(values, kind)


@pytest.mark.parametrize("rows", [(1, 1, 1), (1, 0, 1), (0, 0, 0)])
def test_every_type_survives_fetch_and_clean(
    fetch: Callable[..., Container], container: Containers, rows: tuple[int, int, int]
) -> None:
    """With nulls and without, values are what the source has; columns that no schema names are not read."""
    table = pa.table(
        {
            name: of_type(kind, [value if is_there else None for is_there in rows])
            for name, (kind, value, _) in COLUMNS.items()
        }
        | UNNAMED
    )
    kinds = dict.fromkeys(TEXTS, "str") | dict.fromkeys(NUMBERS, "float")
    job = fetch(table, kinds | dict.fromkeys(TIMES, "'datetime64[us, UTC]'"))
    job.run("fetch", **times(1))
    clean = container("clean")
    clean.link("fetch", job.output)
    clean.run("clean", **times(1))
    found = pq.read_table(clean.output / "readings.parquet").to_pydict()
    assert {name: found[name] for name in COLUMNS} == {
        name: [value if is_there else None for is_there in rows] for name, (_, _, value) in COLUMNS.items()
    }


def test_an_index_of_pandas_is_a_column(fetch: Callable[..., Container]) -> None:
    """A frame's index is written as a column, and read as one."""
    frame = pd.DataFrame({"v": [1.0, 2.0]}, index=pd.Index([9007199254740993, 2], name="id"))
    job = fetch(pa.Table.from_pandas(frame), {"id": "str"})
    job.run("fetch", **times(1))
    assert job.table("readings.parquet")["id"].tolist() == [9007199254740993, 2]


@pytest.mark.parametrize("name", UNNAMED)
def test_a_type_that_cannot_be_read_is_refused_by_its_column(
    fetch: Callable[..., Container], name: str
) -> None:
    """If the schema names it: fetch says which column of which table has which type."""
    message = fetch(pa.table(UNNAMED), {name: "str"}).refuse("fetch", **times(1))
    assert f"Table readings, column {name}: type " in message
    assert " cannot be read as a string" in message


def test_two_columns_of_one_name_are_refused(fetch: Callable[..., Container], tmp_path: Path) -> None:
    """Nothing says which of them is meant."""
    job = fetch(pa.table({"id": ["a"]}), {"id": "str"})
    table = pq.read_table(tmp_path / "a.parquet")
    pq.write_table(table.append_column("id", pa.array(["b"])), tmp_path / "a.parquet")
    assert "has several columns id" in job.refuse("fetch", **times(1))


CHUNKS = {
    "integers beside a missing one": (
        "[pd.DataFrame({'id': [2**53 + 1]}), pd.DataFrame({'id': pd.array([None, 7], 'Int64')})]",
        ["9007199254740993", None, "7"],
    ),
    "objects": (
        "[pd.DataFrame({'id': pd.Series([2**53 + 1, None], dtype=object)})]",
        ["9007199254740993", None],
    ),
    "doubles": ("[pd.DataFrame({'id': [7, None]}), pd.DataFrame({'id': [8]})]", ["7", None, "8"]),
    "no value at first": ("[pd.DataFrame({'id': [None]}), pd.DataFrame({'id': [7]})]", [None, "7"]),
    "Arrow": ("[pa.table({'id': [7, None]}), pa.record_batch({'id': [8]})]", ["7", None, "8"]),
    "categories": ("[pd.DataFrame({'id': pd.Categorical([7, None])})]", ["7", None]),
    "an index": ("[pd.DataFrame({'id': [7]}, index=[5])]", ["7"]),
}


def of_python(root: Path, chunks: str) -> None:
    """Let the cycle's data come from its own source, which has no more than ids."""
    cycle = (root / "cycles/ice/cycle.py").read_text().replace("FileSource", "PythonSource")
    (root / "cycles/ice/cycle.py").write_text(re.sub(r"PythonSource\(.*?\)", "PythonSource()", cycle))
    (root / "cycles/ice/schema.py").write_text(
        "import pandera.pandas as pa\nFACTS = 'readings'\n"
        "TABLES = {'readings': pa.DataFrameSchema({'id': pa.Column(str, nullable=True)})}\n"
    )
    (root / "cycles/ice/source.py").write_text(
        "import pandas as pd\nimport pyarrow as pa\n"
        f"def tables(start, end):\n    return {{'readings': iter({chunks})}}\n"
    )


@pytest.mark.parametrize("name", CHUNKS)
def test_a_source_in_python_may_give_frames_or_arrow(
    ice: Callable[[str], None], container: Containers, tmp_path: Path, name: str
) -> None:
    """Chunks of one table have one text for one value."""
    chunks, texts = CHUNKS[name]
    ice("file:///none.csv")
    of_python(tmp_path, chunks)
    job = container("fetch")
    job.run("fetch", **times(1))
    found = read_column(pq.read_table(job.output / "readings.parquet")["id"], "string")
    assert found.column.array().to_pylist() == texts


@pytest.mark.parametrize(
    ("chunks", "words"),
    [
        ("[pd.DataFrame({'id': [1, 'a']})]", "a column holds values of several types"),
        (
            "[pd.DataFrame({'id': [0.5]}), pd.DataFrame({'id': ['a']})]",
            "a chunk has other types than the first",
        ),
        ("[pd.DataFrame({'id': [0.5]}), pd.DataFrame({'id': [2**53 + 1]})]", "a chunk has other types than"),
        ("[pd.DataFrame({'id': pd.period_range('2020', periods=1)})]", "type extension<pandas.period"),
        ("[pd.DataFrame({'id': pd.to_timedelta([1])})]", "type duration[ns] cannot be read as a string"),
        ("[pd.DataFrame({'ID': ['a']})]", "lacks the column id; it has ID"),
    ],
)
def test_a_source_in_python_with_other_chunks_is_refused(
    ice: Callable[[str], None], container: Containers, tmp_path: Path, chunks: str, words: str
) -> None:
    """In words, with the table and what to do."""
    ice("file:///none.csv")
    of_python(tmp_path, chunks)
    assert words in container("fetch").refuse("fetch", **times(1))
