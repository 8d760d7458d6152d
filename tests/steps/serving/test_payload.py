"""Request bodies become columns, or an answer that says what is wrong with them."""

from __future__ import annotations

import contextlib
import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.core.documents.model import ColumnSignature
from include.steps.serving.payload import (
    CSV,
    JSON,
    JSON_LINES,
    BadRequest,
    choose_answer_type,
    format_answer,
    parse_body,
)

COLUMNS = (ColumnSignature(name="carrier", type="string"), ColumnSignature(name="temp_f", type="number"))
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
NUMBER = st.none() | st.floats(-1e30, 1e30) | st.integers(-(2**53), 2**53)
ROWS = st.lists(st.tuples(TEXT, NUMBER), min_size=1, max_size=20)


@given(rows=ROWS)
def test_csv_gives_back_what_was_written(rows: list[tuple[str, float | None]]) -> None:
    """Whatever Python's csv module writes is read as the same values."""
    file = io.StringIO()
    csv.writer(file).writerows([(text, "" if number is None else repr(number)) for text, number in rows])
    assert [[t for t, _ in rows], [n for _, n in rows]] == parse_body(file.getvalue().encode(), CSV, COLUMNS)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("empty_lines", range(4))
@pytest.mark.parametrize("row", ["UA,1", '"U ""A""",1', '"x, y",1'])
def test_empty_lines_at_the_end_are_no_rows(row: str, empty_lines: int, line_end: str) -> None:
    """With quotes as without."""
    body = (row + line_end * empty_lines).encode()
    assert parse_body(body, CSV, COLUMNS) == parse_body(row.encode(), CSV, COLUMNS)


@pytest.mark.parametrize("body", ["UA,1\n\nUA,1", '"UA",1\n\n"UA",1'])
def test_an_empty_line_between_rows_is_a_row_that_lacks_fields(body: str) -> None:
    """With quotes as without."""
    with pytest.raises(BadRequest, match="Row 2 has 1 fields, not 2"):
        parse_body(body.encode(), CSV, COLUMNS)


@given(rows=ROWS, shape=st.sampled_from(["instances", "list", "lines"]))
def test_json_gives_back_what_was_written(rows: list[tuple[str, float | None]], shape: str) -> None:
    """All shapes of JSON are read as the same values."""
    objects = [{"temp_f": number, "carrier": text, "ignored": [1]} for text, number in rows]
    bodies = {
        "instances": json.dumps({"instances": objects}),
        "list": json.dumps(objects),
        "lines": "\n".join(map(json.dumps, objects)),
    }
    kind = JSON_LINES if shape == "lines" else JSON
    assert [[t for t, _ in rows], [n for _, n in rows]] == parse_body(bodies[shape].encode(), kind, COLUMNS)


@given(body=st.binary(max_size=200), kind=st.sampled_from([CSV, JSON, JSON_LINES]))
def test_any_bytes_are_read_or_refused(body: bytes, kind: str) -> None:
    """No body makes the parser fail in any other way than by saying what is wrong."""
    with contextlib.suppress(BadRequest):
        columns = parse_body(body, kind, COLUMNS)
        assert len(columns) == 2
        assert len(columns[0]) == len(columns[1]) >= 1


def test_one_object_is_one_row() -> None:
    """A single JSON object needs no list around it, and null is a missing value."""
    assert parse_body(b'{"carrier": null, "temp_f": null}', JSON, COLUMNS) == [[""], [None]]


BAD = [
    (CSV, b"", 400, "The body is empty"),
    (CSV, b"\n \n", 400, "The body is empty"),
    (CSV, b"UA", 400, "Row 1 has 1 fields, not 2"),
    (CSV, b"UA,1\nUA,1,2\n", 400, "Row 2 has 3 fields, not 2"),
    (CSV, b"UA,1\nUA,warm\n", 400, "Row 2, column 'temp_f': 'warm' is not a finite number"),
    (CSV, b"UA,1_0", 400, "Row 1, column 'temp_f': '1_0' is not a finite number"),
    (CSV, b"UA,inf", 400, "Row 1, column 'temp_f': 'inf' is not a finite number"),
    (CSV, b"UA,nan", 400, "Row 1, column 'temp_f': 'nan' is not a finite number"),
    (CSV, b"UA,1e300", 400, "Row 1, column 'temp_f': '1e300' is not a finite number"),
    (CSV, b'"UA,1', 400, "The body is not CSV"),
    (CSV, b"\xff,1", 400, "The body is not UTF-8: byte 0"),
    (JSON, b"{", 400, "The body is not JSON"),
    (JSON, b"[" * 100_000, 400, "The body is not JSON"),
    (JSON, b"[]", 400, "There are no rows"),
    (JSON, b'{"instances": 1}', 400, "There are no rows"),
    (JSON, b"[1]", 400, "Row 1 is a int, not an object"),
    (JSON, b'{"carrier": "UA"}', 400, "Row 1 lacks the column(s) temp_f"),
    (JSON, b'{"carrier": "UA", "temp_f": "1"}', 400, "Row 1, column 'temp_f': '1' is not a finite number"),
    (JSON, b'{"carrier": "UA", "temp_f": true}', 400, "Row 1, column 'temp_f': true is not a finite number"),
    (JSON, b'{"carrier": "UA", "temp_f": NaN}', 400, "NaN is not JSON"),
    (JSON, b'{"carrier": 5, "temp_f": 1}', 400, "Row 1, column 'carrier': 5 is not a string"),
    (JSON, b'{"carrier": "\\ud800", "temp_f": 1}', 400, "is not valid Unicode"),
    (JSON_LINES, b'{"carrier": "UA", "temp_f": 1}\n\n{}', 400, "Line 2 is not JSON"),
    ("text/xml", b"<a/>", 415, "Cannot read content type 'text/xml'"),
    ("", b"UA,1", 415, "Cannot read content type ''"),
    ("text/csv; charset=latin-1", b"UA,1", 415, "Cannot read charset 'latin-1'"),
]


@pytest.mark.parametrize(("kind", "body", "status", "message"), BAD)
def test_a_bad_body_is_refused_by_row_and_column(kind: str, body: bytes, status: int, message: str) -> None:
    """Each kind of bad input has its status and words that lead to the cause."""
    with pytest.raises(BadRequest) as caught:
        parse_body(body, kind, COLUMNS)
    assert message in str(caught.value)
    assert status == caught.value.status


@pytest.mark.parametrize(
    ("accept", "expected"),
    [("", CSV), ("*/*", CSV), (JSON, JSON), ("text/*", CSV), (f"image/png, {JSON_LINES};q=0.5", JSON_LINES)],
)
def test_the_answer_is_of_the_kind_that_is_accepted(accept: str, expected: str) -> None:
    """The Accept header decides, and without it the request's own type."""
    assert expected == choose_answer_type(accept, "text/csv; charset=utf-8")


def test_what_cannot_be_accepted_is_refused() -> None:
    """A client that wants a picture is told what there is."""
    with pytest.raises(BadRequest, match="'image/png'") as caught:
        choose_answer_type("image/png", CSV)
    assert caught.value.status == 406


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (CSV, b'1,0.25\n"a,b",1e-09\n'),
        (JSON, b'{"predictions": [{"label": "1", "score": 0.25}, {"label": "a,b", "score": 1e-09}]}'),
        (JSON_LINES, b'{"label": "1", "score": 0.25}\n{"label": "a,b", "score": 1e-09}\n'),
    ],
)
def test_answers_have_their_documented_form(kind: str, expected: bytes) -> None:
    """Labels and scores in each of the three forms."""
    assert expected == format_answer(["1", "a,b"], [0.25, 1e-9], kind)
