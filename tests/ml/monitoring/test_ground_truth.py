"""Records of captured answers and of ground truth, and the history of labels."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.ml.monitoring.ground_truth import label_coverage, label_history, labels_at, parse_truth
from include.ml.monitoring.records import MalformedError, parse_answer, parse_capture

HOUR_END = datetime(2013, 3, 1, 5, tzinfo=UTC)
DAY = datetime(2013, 3, 2, tzinfo=UTC)


def truth(data: str | int, encoding: str = "CSV", **metadata: str) -> str:
    """A line of a ground-truth file."""
    about = {"eventId": "e", **metadata}
    return json.dumps(
        {"groundTruthData": {"data": data, "encoding": encoding}, "eventMetadata": about, "eventVersion": "0"}
    )


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("1", "CSV"),
        ("1\n", "CSV"),
        ("1.0", "CSV"),
        ("1", "JSON"),
        (1, "JSON"),
        ('{"label": "1"}', "JSON"),
        ("[1]", "JSON"),
        (base64.b64encode(b"1").decode(), "BASE64"),
    ],
)
def test_labels_in_all_encodings(data: str | int, encoding: str) -> None:
    """CSV, JSON and BASE64 name the same class."""
    assert parse_truth(truth(data, encoding), ("0", "1"), HOUR_END).label == "1"


def test_text_classes_are_taken_as_they_are() -> None:
    """A class need be no number."""
    assert parse_truth(truth("late"), ("late", "on time"), HOUR_END).label == "late"


def test_the_time_a_label_was_known() -> None:
    """By the record's word in any offset, or else at the end of its file's hour."""
    told = parse_truth(truth("1", knownTime="2013-03-01T04:10:00-01:00"), ("0", "1"), HOUR_END)
    assert told.known_time == datetime(2013, 3, 1, 5, 10, tzinfo=UTC)
    assert parse_truth(truth("1"), ("0", "1"), HOUR_END).known_time == HOUR_END


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (truth("1")[:-9], "JSON .* at character"),
        ("[]", "JSON object"),
        ('{"eventMetadata": {"eventId": "e"}}', "groundTruthData"),
        ('{"groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": {}}', "eventId"),
        (truth("2"), "label"),
        (truth("1,0"), "label"),
        (truth(""), "label"),
        (truth("NaN"), "label"),
        (truth("?", "BASE64"), "in BASE64"),
        (truth("1", "XML"), "CSV, JSON and BASE64"),
        (truth("1", knownTime="yesterday"), "knownTime"),
    ],
)
def test_unusable_truth_says_why(line: str, fault: str) -> None:
    """Each fault is named."""
    with pytest.raises(MalformedError, match=fault):
        parse_truth(line, ("0", "1"), HOUR_END)


@given(st.text())
def test_any_text_is_a_record_or_a_told_fault(line: str) -> None:
    """No line, however broken, ends the job."""
    for parse in (lambda text: parse_truth(text, ("0", "1"), HOUR_END), parse_capture):
        with pytest.raises(MalformedError):
            parse(line)


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("text/csv; charset=utf-8", "1,0.5\n", ("1", 0.5)),
        ("application/json", '{"predictions": [{"label": "0", "score": 0.5}]}', ("0", 0.5)),
        ("application/jsonlines", '{"label": "0", "score": 0.5}\n', ("0", 0.5)),
    ],
)
def test_answers_of_every_content_type(kind: str, data: str, expected: tuple[str, float]) -> None:
    """As the model serves them."""
    assert parse_answer({"observedContentType": kind, "data": data, "encoding": "CSV"}) == expected


@pytest.mark.parametrize(
    "data", ["", "1", "1,0.5,2", "1,nan", "1,0.5\n1,0.5", '{"predictions": []}', '{"predictions": [1]}', "3"]
)
@pytest.mark.parametrize("kind", ["text/csv", "application/json"])
def test_other_answers_are_none_of_one_row(kind: str, data: str) -> None:
    """No answer, several, or something else."""
    with pytest.raises(MalformedError):
        parse_answer({"observedContentType": kind, "data": data, "encoding": "CSV"})


def labels(*rows: tuple[str, str, int]) -> pd.DataFrame:
    """Event, label, and the day of March on which it became known."""
    frame = pd.DataFrame(rows, columns=["event_id", "label", "known_time"])
    return frame.assign(known_time=[pd.Timestamp(2013, 3, day, tz="UTC") for day in frame["known_time"]])


def test_corrections_count_up_and_repetitions_do_not() -> None:
    """In the order of the times, whatever the order of the files."""
    found = label_history(labels(("a", "1", 9), ("b", "0", 1), ("a", "0", 3), ("a", "0", 4), ("a", "0", 12)))
    assert found[["event_id", "label", "version"]].to_numpy().tolist() == [
        ["a", "0", 0],
        ["a", "1", 1],
        ["a", "0", 2],
        ["b", "0", 0],
    ]


def test_a_cutoff_hides_what_became_known_later() -> None:
    """Before the first label there is none; before the correction there is the first."""
    history = label_history(labels(("a", "0", 3), ("a", "1", 9), ("b", "1", 5)))
    at = {
        day: dict(
            labels_at(history, datetime(2013, 3, day, tzinfo=UTC))[["event_id", "label"]].to_numpy().tolist()
        )
        for day in (2, 3, 8, 9)
    }
    assert at == {2: {}, 3: {"a": "0"}, 8: {"a": "0", "b": "1"}, 9: {"a": "1", "b": "1"}}


def test_coverage_is_a_share_of_all_events() -> None:
    """Also of those that have no label."""
    events = pd.DataFrame({"event_id": list("abcd"), "event_time": [pd.Timestamp(2013, 3, 1, tz="UTC")] * 4})
    found = label_coverage(events, label_history(labels(("a", "0", 2), ("b", "0", 3), ("b", "1", 4))), DAY)
    shares = {each.age_s // 86400: each.share for each in found.by_age}
    assert (shares[0], shares[1], shares[2], shares[90]) == (0.0, 0.25, 0.5, 0.5)
    assert (found.events, found.labelled, found.late, found.corrected) == (4, 2, 1, 1)
