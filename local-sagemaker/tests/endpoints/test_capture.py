"""Data capture on a real endpoint: files in S3, written while it runs and when the service stops."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sagemaker_kit import serving
from sagemaker_kit.service import Service
from sagemaker_kit.serving import ask, deploy, make_model, until, variant

NAME = re.compile(r"c/flights/main/\d{4}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{3}-[0-9a-f-]{36}\.jsonl")


@pytest.fixture
def service(start_service: Callable[..., Service], tmp_path: Path) -> Service:
    """A service with a model and a bucket for captures."""
    started = start_service("--image", str(serving.image(tmp_path / "image")))
    make_model(started, "first")
    started.s3.create_bucket(Bucket="captured")
    return started


def config(**changes: Any) -> dict[str, Any]:
    """A DataCaptureConfig that captures all of CSV as text, with `changes`."""
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://captured/c",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
        **changes,
    }


def captured(service: Service) -> list[dict[str, Any]]:
    """All captured records."""
    found = service.s3.list_objects_v2(Bucket="captured").get("Contents", [])
    assert all(NAME.fullmatch(item["Key"]) for item in found)
    bodies = [service.s3.get_object(Bucket="captured", Key=item["Key"])["Body"].read() for item in found]
    return [json.loads(line) for body in bodies for line in body.splitlines()]


def test_invocations_appear_in_s3(service: Service) -> None:
    """Input, output, inference id and time of each invocation, soon after it; errors are not captured."""
    deploy(service, "flights", variant("first"), DataCaptureConfig=config())
    ask(service, "flights", "x,1", InferenceId="flight-7", CustomAttributes="event_time=2013-03-01T00:00:00Z")
    ask(service, "flights", "yy,2")
    with pytest.raises(ClientError):
        ask(service, "flights", "status 400 no")
    lines = until(lambda: found if len(found := captured(service)) >= 2 else None, "two captured records")

    by_input = {line["captureData"]["endpointInput"]["data"]: line for line in lines}
    assert set(by_input) == {"x,1", "yy,2"}
    assert by_input["x,1"]["captureData"]["endpointOutput"]["data"] == "3,x\n"
    assert by_input["x,1"]["eventMetadata"]["inferenceId"] == "flight-7"
    assert by_input["x,1"]["eventMetadata"]["customAttributes"] == ["event_time=2013-03-01T00:00:00Z"]
    assert not {"inferenceId", "customAttributes"} & set(by_input["yy,2"]["eventMetadata"])
    described = service.sagemaker.describe_endpoint(EndpointName="flights")["DataCaptureConfig"]
    assert (described["CaptureStatus"], described["CurrentSamplingPercentage"]) == ("Started", 100)


def test_a_stopping_service_writes_its_buffers(service: Service) -> None:
    """Nothing captured is lost when the service is stopped right after an invocation."""
    deploy(service, "flights", variant("first"), DataCaptureConfig=config())
    for number in range(20):
        ask(service, "flights", f"x,{number}")
    service.stop()
    service.start()

    assert {line["captureData"]["endpointInput"]["data"] for line in captured(service)} == {
        f"x,{number}" for number in range(20)
    }


def test_unlisted_types_are_base64_and_sides_are_chosen(service: Service) -> None:
    """Without CaptureContentTypeHeader data is BASE64; only the chosen side is recorded."""
    given = config(CaptureOptions=[{"CaptureMode": "Output"}])
    del given["CaptureContentTypeHeader"]
    deploy(service, "flights", variant("first"), DataCaptureConfig=given)
    ask(service, "flights", "x,1")
    (line,) = until(lambda: captured(service), "a captured record")

    data = line["captureData"]
    assert set(data) == {"endpointOutput"}
    assert data["endpointOutput"]["encoding"] == "BASE64"
    assert base64.b64decode(data["endpointOutput"]["data"]) == b"3,x\n"


def test_nothing_is_captured_at_zero_per_cent(service: Service) -> None:
    """A sampling percentage of 0 is off."""
    deploy(service, "flights", variant("first"), DataCaptureConfig=config(InitialSamplingPercentage=0))
    ask(service, "flights", "x,1")
    service.stop()
    service.start()

    assert captured(service) == []
