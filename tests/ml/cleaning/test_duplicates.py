"""One row of each identity stays, by a declared rule, however the rows are cut into chunks."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.ml.cleaning.duplicates import Duplicates, hash_rows

START = datetime(2013, 1, 1, tzinfo=UTC)
TYPES = pa.schema([("id", pa.string()), ("known_time", pa.timestamp("us", "UTC")), ("value", pa.float64())])
#: id, day on which it was known, value
Rows = list[tuple[Any, Any, Any]]
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", None]),
        st.one_of(st.none(), st.integers(0, 2)),
        st.sampled_from([0.0, 1.0, None]),
    ),
    min_size=1,
    max_size=12,
)


def table(rows: Rows) -> pa.Table:
    """Rows as clean writes them."""
    named = [
        {
            "id": row[0],
            "known_time": None if row[1] is None else START + row[1] * timedelta(1),
            "value": row[2],
        }
        for row in rows
    ]
    return pa.Table.from_pylist(named, TYPES)


def dropped(rows: Rows, keep: str, chunk_rows: int) -> tuple[list[int], list[int]]:
    """Places of rows that equal the one that stays, and of those that differ from it."""
    whole = table(rows)
    chunks = [whole.slice(at, chunk_rows) for at in range(0, len(whole), chunk_rows)]
    duplicates = Duplicates([("id",)], keep)
    for chunk in chunks:
        duplicates.add(chunk)
    suspected = duplicates.suspected()
    if not suspected.any():
        return [], []
    found = duplicates.dropped(chunks, suspected)
    return found.equal.tolist(), found.conflicting.tolist()


def expected(rows: Rows, keep: str) -> tuple[list[int], list[int]]:
    """The same by the rule's words."""
    groups = defaultdict(list)
    for place, row in enumerate(rows):
        groups[row[0]].append(place)
    equal, conflicting = [], []
    for places in groups.values():
        rank = {
            "last known": lambda place: (-1 if rows[place][1] is None else rows[place][1], place),
            "last": lambda place: (0, place),
            "first": lambda place: (0, -place),
        }[keep]
        best = rows[max(places, key=rank)]
        alike = [place for place in places if rows[place] == best]
        equal += alike[1:]
        conflicting += [place for place in places if rows[place] != best]
    return sorted(equal), sorted(conflicting)


@given(ROWS, st.sampled_from(["last known", "last", "first"]), st.integers(1, 12))
def test_the_row_that_stays_is_the_rules(
    rows: list[tuple[Any, Any, Any]], keep: str, chunk_rows: int
) -> None:
    """What is dropped is told apart: equal to the one that stays, or in conflict with it."""
    assert dropped(rows, keep, chunk_rows) == expected(rows, keep)


def test_a_correction_wins_over_what_was_known_before() -> None:
    """By default the row known last stays, wherever it stands; without a time the later row does."""
    assert dropped([("a", 2, 1.0), ("a", 1, 0.0)], "last known", 1) == ([], [1])
    assert dropped([("a", None, 1.0), ("a", None, 0.0)], "last known", 1) == ([], [0])
    assert dropped([("a", 1, 1.0), ("a", 2, 0.0)], "first", 1) == ([], [1])


def test_several_keys_are_unique_in_turn() -> None:
    """An event's id is unique even where the identity is not the same."""
    rows = pa.table({"id": ["a", "b", "a", "c"], "event_id": ["1", "1", "1", "2"], "v": [0, 1, 0, 2]})
    duplicates = Duplicates([("id",), ("event_id",)], "last known")
    duplicates.add(rows)
    found = duplicates.dropped([rows], duplicates.suspected())
    assert (found.equal.tolist(), found.conflicting.tolist()) == ([2], [0])


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.timestamp("us", "UTC"), pa.decimal128(9, 2)],
    ids=str,
)
def test_a_missing_value_is_like_another_missing_one_alone(kind: pa.DataType) -> None:
    """Nulls are one identity, and no value's."""
    of_kind: dict[str, list[Any]] = {"string": ["x", ""], "bool": [True, False]}
    values = of_kind.get(str(kind), [1, 0])
    column = pa.array([None, None, *values], None if pa.types.is_timestamp(kind) else kind).cast(kind)
    first, second, *others = hash_rows(pa.table({"a": column})).tolist()
    assert first == second
    assert len({first, *others}) == 3
