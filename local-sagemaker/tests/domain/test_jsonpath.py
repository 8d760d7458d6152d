"""The JSONPath subset of batch transform's filters."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.domain.jsonpath import JsonPath, JsonPathError

RECORD = {
    "id": 7,
    "features": [1, 2, 3, 4],
    "meta": {"place": "JFK", "when": "2013"},
    "rows": [{"x": 1}, {"x": 2}],
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", RECORD),
        ("$.id", 7),
        ("$['id']", 7),
        ("$.features", [1, 2, 3, 4]),
        ("$.features[0]", 1),
        ("$.features[-1]", 4),
        ("$.features[1,3]", [2, 4]),
        ("$.features[1:]", [2, 3, 4]),
        ("$.features[:-1]", [1, 2, 3]),
        ("$.features[1:3]", [2, 3]),
        ("$.meta.*", ["JFK", "2013"]),
        ("$.features[*]", [1, 2, 3, 4]),
        ("$.rows[*].x", [1, 2]),
        ("$.rows.*.x", [1, 2]),
        ("$['id','meta']", {"id": 7, "meta": {"place": "JFK", "when": "2013"}}),
        ("$.meta.['place','when']", {"place": "JFK", "when": "2013"}),
        ("$['meta'].place", "JFK"),
    ],
)
def test_a_path_leads_to_its_value(path: str, expected: object) -> None:
    """Each form of the subset gives what the developer guide describes."""
    assert expected == JsonPath.parse(path).apply(RECORD)


@pytest.mark.parametrize(
    "path", ["", "id", ".id", "$id", "$..id", "$[", "$[?(@.x)]", "$['a'", "$[1,'a']", "$.a b"]
)
def test_a_path_outside_the_subset_is_refused(path: str) -> None:
    """The error comes when the job is created, not while it runs."""
    with pytest.raises(JsonPathError, match=re.escape(repr(path))):
        JsonPath.parse(path)


@pytest.mark.parametrize(
    "path", ["$.none", "$.features[4]", "$.features[-5]", "$.id.x", "$.id[0]", "$.meta[0]"]
)
def test_a_path_that_leads_nowhere_is_an_error(path: str) -> None:
    """An index out of range or a missing name is an error and never an empty answer."""
    parsed = JsonPath.parse(path)
    with pytest.raises(JsonPathError, match=re.escape(repr(path))):
        parsed.apply(RECORD)


@given(st.lists(st.integers(), min_size=1, max_size=8), st.data())
def test_slices_and_indices_agree_with_lists(row: list[int], data: st.DataObject) -> None:
    """An index or slice selects what Python's does, for every row and every bound in range."""
    index = data.draw(st.integers(-len(row), len(row) - 1))
    start, end = data.draw(st.integers(-9, 9)), data.draw(st.integers(-9, 9))

    assert row[index] == JsonPath.parse(f"$[{index}]").apply(row)
    assert row[start:end] == JsonPath.parse(f"$[{start}:{end}]").apply(row)
    assert [row[index], row[0]] == JsonPath.parse(f"$[{index},0]").apply(row)
