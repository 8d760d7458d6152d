"""The record of a captured invocation, and the key of its file."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.engine.endpoints.capture import (
    CaptureBuffer,
    CaptureConfig,
    CapturedInvocation,
    capture_record,
)

TIME = datetime(2022, 2, 14, 17, 25, 6, 123_000, tzinfo=UTC)


class Memory:
    """An object store that keeps what it is given."""

    def __init__(self) -> None:
        """Begin empty."""
        self.objects: dict[str, bytes] = {}

    def put_bytes(self, bucket: str, key: str, content: bytes) -> None:
        """Keep an object."""
        self.objects[f"{bucket}/{key}"] = content


def config(**changes: object) -> CaptureConfig:
    """A configuration that captures everything, with `changes`."""
    made = CaptureConfig.from_request(
        {
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": "s3://bucket/captured/",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            **changes,
        }
    )
    assert made is not None
    return made


def invocation(
    time: datetime = TIME, given: bytes = b"1,2", inference_id: str | None = None
) -> CapturedInvocation:
    """An invocation with CSV in and out."""
    return CapturedInvocation(time, given, "text/csv", b"late,0.9\n", "text/csv; charset=utf-8", inference_id)


def test_a_listed_content_type_is_kept_as_text() -> None:
    """The record has the fields and values that Model Monitor documents."""
    types = {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]}
    line = json.loads(
        capture_record(config(CaptureContentTypeHeader=types), invocation(inference_id="flight-7"))
    )
    event_id = line["eventMetadata"].pop("eventId")

    assert len(event_id) == 36
    assert line == {
        "captureData": {
            "endpointInput": {
                "observedContentType": "text/csv",
                "mode": "INPUT",
                "data": "1,2",
                "encoding": "CSV",
            },
            "endpointOutput": {
                "observedContentType": "text/csv; charset=utf-8",
                "mode": "OUTPUT",
                "data": "late,0.9\n",
                "encoding": "CSV",
            },
        },
        "eventMetadata": {"inferenceId": "flight-7", "inferenceTime": "2022-02-14T17:25:06Z"},
        "eventVersion": "0",
    }


@given(st.binary())
def test_any_other_content_is_base64(data: bytes) -> None:
    """Without a listed type every payload survives bit by bit."""
    line = json.loads(capture_record(config(), invocation(given=data)))

    kept = line["captureData"]["endpointInput"]
    assert kept["encoding"] == "BASE64"
    assert data == base64.b64decode(kept["data"])
    assert "inferenceId" not in line["eventMetadata"]


def test_a_listed_type_that_is_no_text_is_base64() -> None:
    """Bytes that are not UTF-8 stay bytes."""
    types = {"CsvContentTypes": ["text/csv"]}
    line = json.loads(capture_record(config(CaptureContentTypeHeader=types), invocation(given=b"\xff\xfe")))

    assert line["captureData"]["endpointInput"]["encoding"] == "BASE64"


@pytest.mark.parametrize(
    ("mode", "parts"),
    [
        ("Input", {"endpointInput"}),
        ("Output", {"endpointOutput"}),
        ("InputAndOutput", {"endpointInput", "endpointOutput"}),
    ],
)
def test_only_the_asked_for_side_is_captured(mode: str, parts: set[str]) -> None:
    """CaptureOptions decide which sides a record has."""
    line = json.loads(capture_record(config(CaptureOptions=[{"CaptureMode": mode}]), invocation()))

    assert parts == set(line["captureData"])


@pytest.mark.parametrize(("percentage", "low", "high"), [(0, 0, 0), (100, 2000, 2000), (30, 450, 750)])
def test_sampling_keeps_its_percentage(percentage: int, low: int, high: int) -> None:
    """None at 0, all at 100, about the share between (seven standard deviations wide)."""
    chosen = config(InitialSamplingPercentage=percentage)

    assert low <= sum(chosen.is_sampled() for _ in range(2000)) <= high


def test_capture_that_is_off_has_no_configuration() -> None:
    """EnableCapture false, or no DataCaptureConfig at all, captures nothing."""
    assert CaptureConfig.from_request(None) is None
    assert CaptureConfig.from_request({"EnableCapture": False}) is None


def test_capture_is_on_unless_it_is_switched_off() -> None:
    """EnableCapture is true by default."""
    given = {"InitialSamplingPercentage": 5, "DestinationS3Uri": "s3://b", "CaptureOptions": []}

    assert CaptureConfig.from_request(given) is not None


def test_events_are_filed_by_their_hour() -> None:
    """A buffer that spans two hours writes one file for each, named for its first event."""
    memory = Memory()
    buffer = CaptureBuffer(config(), "flights", "champion", memory)
    for time in (TIME, TIME.replace(minute=59), TIME.replace(hour=18, minute=0)):
        buffer.add(invocation(time))
    buffer.write(buffer.take())

    names = sorted(memory.objects)
    assert [name[:59] for name in names] == [
        "bucket/captured/flights/champion/2022/02/14/17/25-06-123-" + names[0][57:59],
        "bucket/captured/flights/champion/2022/02/14/18/00-06-123-" + names[1][57:59],
    ]
    assert [memory.objects[name].count(b"\n") for name in names] == [2, 1]
    assert buffer.take() == []
