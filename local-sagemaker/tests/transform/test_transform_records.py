"""Splitting, filtering, joining and assembling the records of a batch transform."""

import dataclasses
import io
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.domain.json_text import JsonText, text_of, unfold
from local_sagemaker.domain.jsonpath import JsonPath
from local_sagemaker.engine.jobs.records import (
    DataProcessing,
    RecordError,
    cells,
    join,
    parse_json,
    select,
)
from local_sagemaker.engine.jobs.transform import assemble, iter_batches, iter_lines, whole_batch

RECORDS = st.lists(st.binary(min_size=1, max_size=20).filter(lambda b: not set(b) & {10, 13}), max_size=30)
#: cells as they may be written: quoted, or of any bytes that need no quotes
RAW_CELLS = st.one_of(
    st.binary(max_size=8).map(lambda b: b'"' + b.replace(b'"', b'""') + b'"'),
    st.binary(max_size=8).filter(lambda b: not set(b) & set(b',\r\n"')),
)
NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?", fullmatch=True)
SCALARS = st.one_of(NUMBERS, st.text(st.characters(blacklist_categories=["Cs"]), max_size=8).map(json.dumps))
BLANKS = st.text(" \t\r\n", max_size=2)
#: JSON as anybody may write it: blanks anywhere, names more than once, numbers of any form
JSON_TEXTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(lambda items, b: "[" + b + ",".join(items) + b + "]", st.lists(inner, max_size=4), BLANKS),
        st.builds(
            lambda items, b: (
                "{" + b + ",".join(f'"{b}k":{b}{item}'.replace("\n", " ") for item in items) + "}"
            ),
            st.lists(inner, max_size=4),
            st.sampled_from(["", " "]),
        ),
    ),
    max_leaves=8,
)


def processing(content_type: str, accept: str | None = None, **given_: str) -> DataProcessing:
    """The DataProcessing of a request with these fields."""
    output = {"S3OutputPath": "s3://b/o"} | ({"Accept": accept} if accept else {})
    return DataProcessing.from_request(
        {"DataProcessing": given_, "TransformInput": {"ContentType": content_type}, "TransformOutput": output}
    )


@given(RECORDS, st.sampled_from([b"\n", b"\r\n"]), st.sampled_from([b"", b"\n"]))
def test_lines_are_the_records_in_their_order(records: list[bytes], end: bytes, last: bytes) -> None:
    """Whatever the line's end, and with or without a last one, the records come back."""
    data = end.join(records) + last

    assert records == list(iter_lines(io.BytesIO(data), 20))


@given(RECORDS, st.integers(20, 64), st.sampled_from(["MultiRecord", "SingleRecord"]))
def test_batches_keep_every_record_once_in_order_within_the_limit(
    records: list[bytes], limit: int, strategy: str
) -> None:
    """No record is lost, doubled or moved, and no request exceeds the limit."""
    made = list(iter_batches(records, is_multi=strategy == "MultiRecord", limit_bytes=limit))

    assert records == [record for batch in made for record in batch.records]
    assert records == [line for batch in made for line in batch.body.split(b"\n")]
    assert all(len(batch.body) <= limit for batch in made)
    if strategy == "SingleRecord":
        assert all(len(batch.records) == 1 for batch in made)


@given(RECORDS, st.integers(20, 64))
def test_batches_are_as_full_as_can_be(records: list[bytes], limit: int) -> None:
    """Two neighbouring requests would not have fitted into one by their next record."""
    made = list(iter_batches(records, is_multi=True, limit_bytes=limit))

    assert all(len(one.body) + 1 + len(other.records[0]) > limit for one, other in pairwise(made))


def test_a_record_of_just_the_limit_fits_and_one_more_byte_does_not() -> None:
    """The limit is the record's own bytes, whatever ends its line."""
    assert list(iter_lines(io.BytesIO(b"x" * 10 + b"\r\n"), 10)) == [b"x" * 10]
    with pytest.raises(RecordError, match="10 bytes"):
        list(iter_lines(io.BytesIO(b"x" * 11 + b"\n"), 10))
    assert list(whole_batch(io.BytesIO(b"x" * 10), 10)) == [b"x" * 10]
    with pytest.raises(RecordError, match="10 bytes"):
        list(whole_batch(io.BytesIO(b"x" * 11), 10))


@given(st.lists(RAW_CELLS, min_size=1, max_size=6), st.data())
def test_a_csv_filter_keeps_the_bytes_of_cells(row: list[bytes], data: st.DataObject) -> None:
    """Quotes, commas in quotes, blanks and bytes of any encoding stand in the output as in the record."""
    chosen = data.draw(st.lists(st.integers(0, len(row) - 1), min_size=2, max_size=4))
    path = JsonPath.parse(f"$[{','.join(map(str, chosen))}]")

    assert row == cells(b",".join(row))
    assert b",".join(row[index] for index in chosen) == select(path, b",".join(row), "csv")


@given(JSON_TEXTS, JSON_TEXTS)
def test_a_json_join_keeps_the_text_of_both(given_: str, answer: str) -> None:
    """Numbers keep their digits, objects their duplicate keys, in whatever way they were written."""
    joined = join(given_.encode(), answer.encode(), "json").decode()

    assert joined.endswith(f'"SageMakerOutput":{answer.strip()}}}')
    text = given_.strip()
    assert joined.startswith(text[:-1].rstrip() if text[0] == "{" else f'{{"SageMakerInput":{text},')
    assert text_of(unfold(JsonText.parse(joined))["SageMakerOutput"]) == answer.strip()


@given(st.dictionaries(st.text(st.characters(blacklist_categories=["Cs"])), JSON_TEXTS, min_size=1))
def test_a_json_filter_keeps_the_text_of_values(members: dict[str, str]) -> None:
    """What a path leads to is written as it was."""
    text = "{ " + " ,\n".join(f"{json.dumps(name)} : {value}" for name, value in members.items()) + "}"
    expected = "[" + ",".join(value.strip() for value in members.values()) + "]"

    assert expected.encode() == select(JsonPath.parse("$.*"), text.encode(), "json")


@pytest.mark.parametrize(
    ("record", "path", "expected"),
    [
        (b'{"x": 1e999, "y": -0.0}', "$.x", b"1e999"),
        (b'{"x": 1.10, "x": 2.50}', "$.x", b"2.50"),
        (b'{"id": %s}' % (b"7" * 5000), "$['id']", b"7" * 5000),
        (b'{"a": "\\u00e9\\/"}', "$.a", b'"\\u00e9\\/"'),
        (b'[{"x": [1.0, 2]}, {"x": {}}]', "$[*].x", b"[[1.0, 2],{}]"),
        (b'{"a": 1.0, "b": [ ], "c": 3}', "$['a','b']", b'{"a":1.0,"b":[ ]}'),
    ],
)
def test_values_are_found_and_not_read(record: bytes, path: str, expected: bytes) -> None:
    """No filter makes Infinity, rounds a number or writes a text in another way."""
    assert expected == select(JsonPath.parse(path), record, "jsonlines")


@pytest.mark.parametrize(
    "record",
    [b"", b"{", b"[1,]", b"{} {}", b"NaN", b"-Infinity", b"01", b'"\x00"', b"\xff", b"[" * 100_000, b"'a'"],
)
def test_what_is_no_json_is_a_fault_of_its_record(record: bytes) -> None:
    """Whatever is wrong with it, deep nesting too, it is the one error that costs one file."""
    with pytest.raises(RecordError, match="is no json"):
        parse_json(record, "json")


@pytest.mark.parametrize("record", [b'"a', b'a,"b"c', b'"a""', b"a\rb"])
def test_a_csv_row_whose_quotes_do_not_match_is_not_filtered(record: bytes) -> None:
    """Its columns cannot be told; joined as it is, it passes."""
    with pytest.raises(RecordError, match="is no csv"):
        select(JsonPath.parse("$[0]"), record, "csv")
    assert join(record, b"0.5", "csv") == record + b",0.5"


def test_a_cell_of_any_length_is_one() -> None:
    """Only MaxPayload limits a record."""
    cell = b"x" * 500_000
    assert select(JsonPath.parse("$[1]"), b'1,"' + cell + b'"', "csv") == b'"' + cell + b'"'


def test_an_empty_cell_is_still_a_row() -> None:
    """An empty line would be no record."""
    assert select(JsonPath.parse("$[1]"), b"a,,b", "csv") == b'""'


def test_a_csv_answer_may_hold_line_breaks_in_quotes() -> None:
    """They end no row."""
    process = processing("text/csv", "text/csv", JoinSource="Input")
    body = b'"a\nb",1\r\n"c ""d""",2\n'

    assert process.output_records([b"x", b"y"], body, None) == [b'x,"a\nb",1', b'y,"c ""d""",2']


def test_where_records_are_lines_an_output_record_is_one() -> None:
    """A pretty-printed answer loses its line breaks, which mean nothing; whole files keep theirs."""
    body = b'{\n "score": 0.50\r\n}\n'
    whole = processing("application/json", JoinSource="Input")
    lines = dataclasses.replace(whole, is_by_line=True)

    assert whole.output_records([b"{}"], body, "application/json") == [
        b'{"SageMakerOutput":{\n "score": 0.50\r\n}}'
    ]
    assert lines.output_records([b"{}"], body, "application/json") == [
        b'{"SageMakerOutput":{ "score": 0.50}}'
    ]


def test_a_csv_join_is_input_columns_then_output_columns() -> None:
    """The id that InputFilter held back from the model stands beside its answer."""
    process = processing(
        "text/csv", "text/csv", InputFilter="$[1:]", JoinSource="Input", OutputFilter="$[0,-2,-1]"
    )
    records = [b"id-1,0.5,JFK", b'"id,2",0.7,EWR']

    assert [process.request_record(record) for record in records] == [b"0.5,JFK", b"0.7,EWR"]
    assert process.output_records(records, b"late,0.9\r\nok,0.1\n", None) == [
        b"id-1,late,0.9",
        b'"id,2",ok,0.1',
    ]


def test_a_json_join_adds_sagemaker_output() -> None:
    """An object gets the key SageMakerOutput; anything else becomes SageMakerInput beside it."""
    process = processing("application/jsonlines", JoinSource="Input", OutputFilter="$")

    assert (
        process.output_records([b'{"id": 1}', b"[1, 2]"], b'{"score": 0.5}\n3\n', "application/jsonlines")
    ) == [
        b'{"id": 1,"SageMakerOutput":{"score": 0.5}}',
        b'{"SageMakerInput":[1, 2],"SageMakerOutput":3}',
    ]


def test_a_single_json_answer_may_span_lines() -> None:
    """A pretty-printed JSON document is one answer."""
    process = processing("application/json", "application/json", OutputFilter="$.score")

    assert process.output_records([b"{}"], b'{\n "score": 0.5\n}\n', None) == [b"0.5"]


@pytest.mark.parametrize(
    ("process", "records", "body", "words"),
    [
        (
            processing("text/csv", "text/csv", JoinSource="Input"),
            [b"1", b"2"],
            b"a\n",
            "2 records with 1 lines",
        ),
        (processing("text/csv", "application/json", JoinSource="Input"), [b"1"], b"{}", "csv .* json"),
        (processing("image/png", "image/png", JoinSource="Input"), [b"1"], b"a", "image/png"),
        (processing("text/csv", "application/json", OutputFilter="$.x"), [b"1"], b"{not json", "{not json"),
        (processing("text/csv", "text/csv", OutputFilter="$[5]"), [b"1"], b"a,b\n", r"\$\[5\]"),
    ],
)
def test_an_answer_that_cannot_be_worked_with_says_why(
    process: DataProcessing, records: list[bytes], body: bytes, words: str
) -> None:
    """Each fault of an answer is named, with what to do."""
    with pytest.raises(ValueError, match=words):
        process.output_records(records, body, None)


@pytest.mark.parametrize(
    ("records", "body", "assemble_with", "expected"),
    [
        (None, b"a", "None", b"a"),
        (None, b"a", "Line", b"a\n"),
        (None, b"a\n", "Line", b"a\n"),
        ([b"a", b"b"], b"", "Line", b"a\nb\n"),
        ([b"a", b"b"], b"", "None", b"a\nb\n"),
        ([b"{}"], b"", "None", b"{}"),
    ],
)
def test_answers_are_assembled(
    records: list[bytes] | None, body: bytes, assemble_with: str, expected: bytes
) -> None:
    """AssembleWith=Line ends each answer's last line; without it the bytes stay what they are."""
    assert expected == assemble(records, body, by_line=assemble_with == "Line")
