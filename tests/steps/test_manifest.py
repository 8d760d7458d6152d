"""Manifests balance, and Parquet files are the same bytes for the same rows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.steps.contract import digest, step_from
from include.steps.manifest import check_balance, write_manifest
from include.steps.tables import GROUP_BYTES, TableWriter, read_chunks, read_table, write_table

TOLD = {"cycle": "c", "start": "2013-01-01T00:00:00+00:00", "end": "2013-02-01T00:00:00+00:00", "key": "ab"}
COUNTS = {"rows_in": 3, "rows_out": 2, "rows_quarantined": 1, "rows_duplicate": 0}


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=4), st.integers(-3, 3))
def test_counts_balance_or_fail(gone: list[int], lost: int) -> None:
    """The sum of where rows went must be the number that came; one row off is a fault."""
    counts = {"rows_in": sum(gone) + lost, **{f"rows_{place}": n for place, n in enumerate(gone)}}
    if lost == 0:
        check_balance(counts)
    else:
        with pytest.raises(AssertionError, match=f"rows_in={counts['rows_in']}.* {sum(gone)}"):
            check_balance(counts)


def test_the_digest_tells_contents_apart(tmp_path: Path) -> None:
    """It is the same for the same files, and another for another byte or name."""
    digests = []
    for place, (name, text) in enumerate(
        [("a.json", "1"), ("a.json", "1"), ("a.json", "2"), ("b.json", "1")]
    ):
        step = step_from("clean", TOLD, tmp_path / str(place))
        (step.output / name).write_text(text)
        digests.append(write_manifest(step, counts=COUNTS).digest)
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_a_table_survives_the_way_through_parquet(tmp_path: Path) -> None:
    """Text, numbers, times and columns without any value come back as they went."""
    frame = pd.DataFrame(
        {
            "text": pd.Series(["a", None, "ä,\n"], dtype="str"),
            "number": [1.5, None, -0.0],
            "time": pd.to_datetime(pd.Series(["2013-01-01", None, "2013-06-01"]), utc=True).astype(
                "datetime64[us, UTC]"
            ),
            "nothing": pd.Series([None, None, None], dtype="str"),
        }
    )
    write_table(tmp_path / "t.parquet", frame)
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet"), frame)


def test_long_texts_come_in_fewer_rows(tmp_path: Path) -> None:
    """What is in memory at a time has a bound, however long the texts are and whoever wrote the file."""
    texts = pa.array([f"{n:04d}" + "x" * 200_000 for n in range(1000)])
    pq.write_table(pa.table({"t": texts}), tmp_path / "t.parquet", compression="zstd")
    chunks = list(read_chunks(tmp_path / "t.parquet"))
    assert sum(map(len, chunks)) == 1000
    assert max(chunk["t"].cast(pa.string()).nbytes for chunk in chunks) <= GROUP_BYTES


def test_integers_beside_a_missing_one_stay_integers(tmp_path: Path) -> None:
    """An id of a table that joining.py reads is not rounded."""
    ids = [9007199254740993, None, 2**63 - 1]
    write_table(tmp_path / "t.parquet", pd.DataFrame({"id": pd.array(ids, "Int64")}))
    found = read_table(tmp_path / "t.parquet")["id"]
    assert [None if value is pd.NA else value for value in found.tolist()] == ids


def test_equal_rows_are_equal_bytes(tmp_path: Path) -> None:
    """Written twice, a table has one digest."""
    frame = pd.DataFrame({"a": range(1000), "b": ["x", "y"] * 500})
    for name in ("one", "two"):
        write_table(tmp_path / name, frame)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


def test_later_frames_take_the_types_of_the_first(tmp_path: Path) -> None:
    """A frame whose column happens to be empty does not change the table's types."""
    with TableWriter(tmp_path / "t.parquet") as writer:
        writer.write(pd.DataFrame({"a": [1.0], "b": pd.Series(["x"], dtype="str")}))
        writer.write(pd.DataFrame({"a": [None], "b": pd.Series([None], dtype="str")}))
        writer.write(pa.table({"b": pa.array(["y"]).dictionary_encode(), "a": pa.array([2])}))
    rows = read_table(tmp_path / "t.parquet")
    assert rows.dtypes.astype(str).tolist() == ["float64", "str"]
    assert rows["b"].tolist()[2] == "y"
    assert writer.rows == 3
