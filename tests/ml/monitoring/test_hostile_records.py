"""Whatever a client sends is parsed or malformed for a reason; it never ends the step that reads it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.ml.monitoring.ground_truth import as_frame, parse_truth
from include.ml.monitoring.records import MalformedError, parse_capture

CLASSES = ("0", "1")
HOUR_END = datetime(2020, 1, 2, 6, tzinfo=UTC)

#: values that are absurd, each of its kind
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        None, True, -1, 10**400, 1e308, float("nan"), float("inf"), "", "\ud800", "\x00", "nan", "1e999",
        [], {}, [[]], {"label": {}}, "9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00", "2020-02-30",
        "2020-01-02T05:00:00Z", "a" * 200_000, "=" * 5, "\u2028", "\r", '"', "1,0.5", "BASE64", "CSV", "JSON",
    ]
)  # fmt: skip
JSON = st.recursive(
    st.one_of(ODD, st.text(max_size=5), st.integers(), st.floats()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["label", "score", "predictions", "data"]), inner, max_size=3),
    ),
    max_leaves=5,
)


def members(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of these members, which are right or of any kind."""
    return st.fixed_dictionaries(
        {}, optional={name: st.one_of(right, JSON) for name, right in values.items()}
    )


def encoded(text: str) -> str:
    """Return text in BASE64."""
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()


ANSWERS = st.sampled_from(
    ["1,0.5", '{"label": "1", "score": 1}', '{"predictions": [{"label": 1, "score": 0.5}]}']
)
DATA = st.one_of(ANSWERS, ANSWERS.map(encoded), JSON.map(lambda value: encoded(json.dumps(value))))
PART = members(
    data=DATA,
    encoding=st.sampled_from(["CSV", "JSON", "BASE64"]),
    observedContentType=st.sampled_from(["text/csv", "application/jsonlines", "application/json"]),
)
ATTRIBUTES = st.lists(st.one_of(ODD, ODD.map(lambda value: f"event_time={value}")), max_size=2)
TIME = st.just("2020-01-02T05:00:00Z")
METADATA = members(
    eventId=st.just("e"), inferenceId=st.just("i"), inferenceTime=TIME, customAttributes=ATTRIBUTES,
    knownTime=TIME, eventTime=TIME,
)  # fmt: skip
RECORD = members(captureData=members(endpointOutput=PART), eventMetadata=METADATA, groundTruthData=PART)


def use(line: str) -> None:
    """Parse a line as both kinds of record, and do with it what collect does."""
    for parse in (lambda: parse_capture(line, CLASSES), lambda: parse_truth(line, CLASSES, HOUR_END)):
        try:
            record: Any = parse()
        except MalformedError as error:
            assert error.reason  # noqa: PT017 - what is asserted is that nothing else is raised
            continue
        assert record.label in CLASSES
        record.event_id.encode("utf-8")
        if hasattr(record, "record"):
            json.loads(json.dumps(record.record, allow_nan=False))
            assert 0 <= record.score <= 1
        else:
            assert len(as_frame([record])) == 1


@settings(max_examples=1500, deadline=None)
@given(RECORD)
def test_records_of_any_members_are_parsed_or_malformed(record: dict[str, Any]) -> None:
    """Right members beside absurd ones: no exception but the one that is counted."""
    use(json.dumps(record))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_malformed(line: bytes) -> None:
    """A line may be anything at all, as a file is read: what is no UTF-8 is replaced."""
    use(line.decode("utf-8", "replace"))


def capture(output: dict[str, Any] | None = None, **metadata: Any) -> str:  # noqa: ANN401 - any JSON
    """A capture that is right but for what is given."""
    answer = {"observedContentType": "text/csv", "encoding": "CSV", "data": "1,0.5", **(output or {})}
    about = {"eventId": "e", "inferenceTime": "2020-01-02T05:00:00Z", **metadata}
    return json.dumps({"captureData": {"endpointOutput": answer}, "eventMetadata": about})


CASES: dict[str, tuple[Callable[[], str], str]] = {
    "end of time": (
        lambda: capture(customAttributes=["event_time=9999-12-31T23:59:59-05:00"]),
        "its event_time lies beyond the years 1 to 9999",
    ),
    "beginning of time": (
        lambda: capture(inferenceTime="0001-01-01T00:00:00+05:00"),
        "its inferenceTime lies beyond the years 1 to 9999",
    ),
    "a number for a time": (
        lambda: capture(inferenceTime=20200102),
        "its inferenceTime is no ISO 8601 time",
    ),
    "half a character": (lambda: capture(inferenceId="\ud800"), "its inferenceId is no text"),
    "NaN": (lambda: capture(extra=float("nan")), "it has a number without end"),
    "too many digits": (lambda: '{"a": ' + "9" * 5000 + "}", "it has a number without end"),
    "too deep": (lambda: '{"a": ' + "[" * 10**5 + "]" * 10**5 + "}", "it is nested too deeply"),
    "unhashable encoding": (
        lambda: capture({"encoding": []}),
        "its data is in none of the encodings CSV, JSON and BASE64",
    ),
    "no ASCII in BASE64": (
        lambda: capture({"encoding": "BASE64", "data": "\u00e9"}),
        "its data is no text in BASE64",
    ),
    "a field without end": (lambda: capture({"data": "1" * 200_000 + ",1"}), "its answer is no CSV"),
    "another class": (lambda: capture({"data": "2,0.5"}), "its label is none of the classes"),
    "no probability": (lambda: capture({"data": "1,1.5"}), "its score is no probability"),
    "an endless score": (
        lambda: capture({"observedContentType": "", "data": "1,1" + "0" * 400}),
        "its score is no probability",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_malformed_record_has_a_reason(name: str) -> None:
    """Reasons are the same for all records of a kind, so that they can be counted."""
    line, reason = CASES[name]
    with pytest.raises(MalformedError) as raised:
        parse_capture(line(), CLASSES)
    assert raised.value.reason == reason


def test_every_depth_is_read_and_written_or_malformed() -> None:
    """What is read is copied into merged records: no depth is read that cannot be written."""
    for depth in range(150, 1100, 7):
        use(capture(extra=None).replace("null", "[" * depth + "]" * depth))


@pytest.mark.parametrize("given", [5, {"event_time": 1}, "event_time=2020-01-02T01:00:00Z", None])
def test_custom_attributes_need_be_no_list(given: object) -> None:
    """Without a time among them, the request's own counts."""
    hour = 1 if isinstance(given, str) else 5
    assert parse_capture(capture(customAttributes=given)).event_time.hour == hour
