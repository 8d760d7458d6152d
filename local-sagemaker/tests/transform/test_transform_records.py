"""Splitting, filtering, joining and assembling the records of a batch transform."""

import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.engine.jobs.records import DataProcessing, RecordError, dump, parse
from local_sagemaker.engine.jobs.transform import assemble, iter_batches, iter_lines, whole_batch

RECORDS = st.lists(st.binary(min_size=1, max_size=20).filter(lambda b: not set(b) & {10, 13}), max_size=30)
CELLS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=8)


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


@given(st.lists(CELLS, min_size=2, max_size=6))
def test_a_csv_row_survives_being_parsed_and_written(row: list[str]) -> None:
    """Quotes and commas in cells are kept."""
    assert row == parse(dump(row, "csv"), "csv")


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
    ) == [b'{"id":1,"SageMakerOutput":{"score":0.5}}', b'{"SageMakerInput":[1,2],"SageMakerOutput":3}']


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
