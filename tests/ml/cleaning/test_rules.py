"""Cleaning accounts for every row, whatever the rows are and however they are cut into chunks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.ml.cleaning.arrow_types import column_types
from include.ml.cleaning.rules import Cleaned, Cleaner, OnArrow, Rules
from include.ml.exceptions import InvalidInput

SCHEMA = pandera.DataFrameSchema(
    {
        "id": pandera.Column(str),
        "value": pandera.Column(float, pandera.Check.in_range(0, 10), nullable=True),
    }
)
ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.sampled_from(["a", "b", "c", " a "]), st.text(max_size=3)),
        st.one_of(st.none(), st.sampled_from(["1", "2.5", "11", "-1", "x", "nan", "", " ", "1e39"])),
    ),
    min_size=1,
    max_size=30,
)
JANUARY = datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 2, 1, tzinfo=UTC)


def raw_table(rows: list[tuple[str | None, str | None]]) -> pa.Table:
    """Rows as fetch keeps them."""
    return pa.table(
        {"id": pa.array([row[0] for row in rows]), "value": pa.array([row[1] for row in rows])},
        schema=pa.schema([("id", pa.string()), ("value", pa.string())]),
    )


def clean(
    rows: list[tuple[str | None, str | None]], chunk_rows: int, *, coded: bool = False
) -> list[Cleaned]:
    """The rows, cleaned in chunks, as plain texts or as dictionaries."""
    table = raw_table(rows)
    if coded:
        table = pa.table({name: table.column(name).dictionary_encode() for name in table.column_names})
    cleaner = Cleaner("t", SCHEMA, Rules(identity=("id",)))
    return [cleaner.clean(table.slice(at, chunk_rows)) for at in range(0, len(table), chunk_rows)]


def plain(parts: list[pa.Table]) -> list[dict[str, Any]]:
    """The rows of all parts."""
    return [row for part in parts for row in part.to_pylist()]


@settings(max_examples=60)
@given(ROWS, st.integers(1, 30))
def test_every_row_is_accounted_for(rows: list[tuple[str | None, str | None]], chunk_rows: int) -> None:
    """Rows in are rows out and quarantined; each bad one keeps its place and its values."""
    parts = clean(rows, chunk_rows)
    bad = plain([part.quarantined for part in parts])
    assert len(rows) == sum(part.rows.num_rows for part in parts) + len(bad)
    assert [row["row"] for row in bad] == sorted({row["row"] for row in bad})
    assert all(row["reasons"] for row in bad)
    assert [json.loads(row["values"]) for row in bad] == [
        dict(zip(("id", "value"), rows[row["row"]], strict=True)) for row in bad
    ]


@settings(max_examples=60)
@given(ROWS, st.integers(1, 30), st.booleans())
def test_neither_chunks_nor_dictionaries_make_a_difference(
    rows: list[tuple[str | None, str | None]],
    chunk_rows: int,
    coded: bool,  # noqa: FBT001 - hypothesis passes it so
) -> None:
    """In one chunk or in many, read by rows or by distinct values, the same rows and reasons come out."""
    one, many = clean(rows, len(rows)), clean(rows, chunk_rows, coded=coded)
    for name in ("rows", "quarantined"):
        assert plain([getattr(part, name) for part in one]) == plain([getattr(part, name) for part in many])


def test_a_type_that_no_table_has_is_named() -> None:
    """A schema with another type is a fault of the cycle's author, told by the column."""
    with pytest.raises(TypeError, match=r"Column n .* int64"):
        column_types(pandera.DataFrameSchema({"n": pandera.Column(int)}))


def test_a_reason_is_kept_whole_whatever_the_cell_holds() -> None:
    """A cell that looks like two reasons is one reason, and counts as one kind."""
    (part,) = clean([("a", "1; id: missing"), ("b", "x fails y")], 2)
    assert [row["reasons"] for row in part.quarantined.to_pylist()] == [
        ["value: '1; id: missing' is no number"],
        ["value: 'x fails y' is no number"],
    ]
    assert part.reasons == {"value: is no number": 2}


def facts(derive: Any, times: list[str] | None = None) -> Cleaned:  # noqa: ANN401 - either kind of function
    """Two facts, cleaned by rules that derive so."""
    schema = pandera.DataFrameSchema({"id": pandera.Column(str), "t": pandera.Column("datetime64[us, UTC]")})
    table = pa.table({"id": ["a", "b"], "t": times or ["2013-01-02T00:00Z", "2013-01-03T00:00Z"]})
    return Cleaner("t", schema, Rules(identity=("id",), derive=derive), JANUARY).clean(table)


def test_a_derive_of_frames_and_one_of_arrow_give_the_same() -> None:
    """A cycle may write either; ids that are integers become their digits."""

    def on_frames(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(event_id=[9007199254740993, 2], event_time=table["t"], known_time=table["t"])

    def on_arrow(table: pa.Table) -> pa.Table:
        columns = {"event_id": pa.array(["9007199254740993", "2"]), "event_time": table["t"]}
        for name, column in (columns | {"known_time": table["t"]}).items():
            table = table.append_column(name, column)
        return table

    one, other = facts(on_frames), facts(OnArrow(on_arrow))
    assert one.rows["event_id"].to_pylist() == ["9007199254740993", "2"]
    assert one.rows.to_pylist() == other.rows.to_pylist()


@pytest.mark.parametrize("event_id", [None, "", "  "])
def test_a_fact_without_id_is_set_aside(event_id: str | None) -> None:
    """An empty id is no id."""
    part = facts(
        lambda table: table.assign(event_id=["a", event_id], event_time=table["t"], known_time=table["t"])
    )
    assert part.rows["event_id"].to_pylist() == ["a"]
    assert part.quarantined["reasons"].to_pylist() == [["event_id: missing"]]


@pytest.mark.parametrize("value", [1e39, float("inf"), float("-inf"), -1e300])
def test_a_derived_number_that_no_model_can_bear_is_set_aside(value: float) -> None:
    """The bounds hold for what derive adds as for what was fetched."""
    part = facts(
        lambda table: table.assign(
            event_id=table["id"], event_time=table["t"], known_time=table["t"], ratio=[1.0, value]
        )
    )
    assert part.rows["ratio"].to_pylist() == [1.0]
    assert part.quarantined["row"].to_pylist() == [1]


def test_still_open_is_no_known_time() -> None:
    """9999-12-31 says that there is none yet; any other year from 1 on is carried through."""
    part = facts(
        lambda table: table.assign(
            event_id=table["id"],
            event_time=table["t"],
            known_time=["9999-12-31T23:59:59.999999Z", "9999-12-30T23:59:59.999999Z"],
        )
    )
    last = datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=UTC)
    assert part.rows["known_time"].to_pylist() == [None, last]


def test_a_derived_time_that_is_none_is_set_aside() -> None:
    """A year before 1 or after 9999 cannot be written."""
    part = facts(
        lambda table: table.assign(
            event_id=table["id"], event_time=table["t"], known_time=[None, "0000-12-31T00:00Z"]
        )
    )
    assert part.rows["known_time"].to_pylist() == [None]
    assert part.quarantined["reasons"].to_pylist() == [["known_time: '0000-12-31T00:00Z' is no time"]]


@pytest.mark.parametrize(
    ("derive", "words"),
    [
        (lambda table: table, "returns no column event_id, event_time, known_time"),
        (lambda table: table.drop(columns="id"), "returns no column id"),
        (lambda table: table.head(1), "returns 1 of 2 rows"),
    ],
)
def test_a_derive_that_breaks_its_promise_is_refused(derive: Any, words: str) -> None:  # noqa: ANN401
    """What is missing is named, and where to look."""
    with pytest.raises(InvalidInput, match=f"Table t: derive of cleaning.py {words}"):
        facts(derive)


def test_rules_that_fit_no_column_are_refused() -> None:
    """A rule that would have no effect is a slip of the pen."""
    with pytest.raises(ValueError, match="keep='latest' is none of 'last known', 'last', 'first'"):
        Rules(identity=("id",), keep="latest")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"table t in cleaning.py unify ID, which schema.py does not name"):
        Cleaner("t", SCHEMA, Rules(identity=("id",), unify={"ID": {}}))


def test_a_check_over_rows_sees_the_whole_table() -> None:
    """It asks for the whole table, as its answer depends on other rows; checks of values do not."""
    alone = pandera.DataFrameSchema({"a": pandera.Column(float, pandera.Check.in_range(0, 1))})
    of_rows = pandera.DataFrameSchema({"a": pandera.Column(float, pandera.Check(lambda a: a < a.mean()))})
    assert not Cleaner("t", alone, Rules(identity=("a",))).needs_whole_table
    cleaner = Cleaner("t", of_rows, Rules(identity=("a",)))
    assert cleaner.needs_whole_table
    assert cleaner.clean(pa.table({"a": [1.0, 5.0]})).rows["a"].to_pylist() == [1.0]


def test_what_was_unified_and_trimmed_is_counted() -> None:
    """By column and spelling, in a text column and in one of numbers."""
    rules = Rules(identity=("id",), unify={"id": {"United States": "US"}, "value": {"24": "0"}})
    table = raw_table([("US", "1"), (" United States ", "24"), ("United States", None)])
    part = Cleaner("t", SCHEMA, rules).clean(table)
    assert part.rows.to_pylist() == [
        {"id": "US", "value": 1.0},
        {"id": "US", "value": 0.0},
        {"id": "US", "value": None},
    ]
    assert part.unified == {"id": {"United States": 2}, "value": {"24": 1}}
    assert part.trimmed == {"id": 1}
    of_numbers = Cleaner("t", SCHEMA, rules).clean(pa.table({"id": ["a"], "value": pa.array([24])}))
    assert (of_numbers.rows["value"].to_pylist(), of_numbers.unified) == ([0.0], {"value": {"24": 1}})


def test_a_column_that_need_not_be_there_is_missing() -> None:
    """Its rows are valid, and the column is there for the steps that follow."""
    schema = pandera.DataFrameSchema(
        {"id": pandera.Column(str), "note": pandera.Column(str, pandera.Check.isin(["x"]), required=False)}
    )
    part = Cleaner("t", schema, Rules(identity=("id",))).clean(pa.table({"id": ["a"]}))
    assert part.rows.to_pylist() == [{"id": "a", "note": None}]


def test_a_frames_fix_is_read_again() -> None:
    """A cycle's fix may return any type that its schema reads."""
    rules = Rules(identity=("id",), fix=lambda table: table.assign(value=[3, 11]))
    part = Cleaner("t", SCHEMA, rules).clean(raw_table([("a", "1"), ("b", "2")]))
    assert part.rows.to_pylist() == [{"id": "a", "value": 3.0}]
    assert part.quarantined["reasons"].to_pylist() == [["value: 11.0 fails in_range(0, 10)"]]
