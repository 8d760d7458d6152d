"""Cleaning accounts for every row, whatever the rows are and however they are cut into chunks."""

from __future__ import annotations

import json

import pandas as pd
import pandera.pandas as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.ml.cleaning.rules import Cleaned, Cleaner, Rules, column_types

SCHEMA = pa.DataFrameSchema(
    {"id": pa.Column(str), "value": pa.Column(float, pa.Check.in_range(0, 10), nullable=True)}
)
ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.sampled_from(["a", "b", "c", " a "]), st.text(max_size=3)),
        st.one_of(st.none(), st.sampled_from(["1", "2.5", "11", "-1", "x", "nan", ""])),
    ),
    min_size=1,
    max_size=30,
)


def clean(rows: list[tuple[str | None, str | None]], chunk_rows: int) -> list[Cleaned]:
    """The rows, cleaned in chunks."""
    table = pd.DataFrame(rows, columns=["id", "value"]).astype("str")
    cleaner = Cleaner("t", SCHEMA, Rules(identity=("id",)))
    return [cleaner.clean(table.iloc[at : at + chunk_rows]) for at in range(0, len(table), chunk_rows)]


@settings(max_examples=60)
@given(ROWS, st.integers(1, 30))
def test_every_row_is_accounted_for(rows: list[tuple[str | None, str | None]], chunk_rows: int) -> None:
    """Rows in are rows out, quarantined and duplicate; each bad one keeps its place and its values."""
    cleaned = clean(rows, chunk_rows)
    out = sum(len(part.rows) for part in cleaned)
    bad = pd.concat([part.quarantined for part in cleaned])
    assert len(rows) == out + len(bad) + sum(part.n_duplicate for part in cleaned)
    assert bad["row"].is_unique
    assert (bad["reason"] != "").all()
    assert [json.loads(values) for values in bad["values"]] == [
        dict(zip(("id", "value"), rows[place], strict=True)) for place in bad["row"]
    ]


@settings(max_examples=40)
@given(ROWS, st.integers(1, 30))
def test_chunks_make_no_difference(rows: list[tuple[str | None, str | None]], chunk_rows: int) -> None:
    """In one chunk or in many, the same rows come out, unique and valid."""
    one, many = clean(rows, len(rows)), clean(rows, chunk_rows)
    expected = one[0].rows.to_dict("list")
    found = pd.concat([part.rows for part in many], ignore_index=True)
    assert str(expected) == str(found.to_dict("list"))
    assert found["id"].is_unique


def test_a_type_that_no_table_has_is_named() -> None:
    """A schema with another type is a fault of the cycle's author, told by the column."""
    with pytest.raises(TypeError, match=r"Column n .* int64"):
        column_types(pa.DataFrameSchema({"n": pa.Column(int)}))
