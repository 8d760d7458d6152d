"""InvokeEndpointWithResponseStream: what boto3's event stream gets, when, and how it breaks off."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import EventStreamError

from sagemaker_kit import serving
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service
from sagemaker_kit.serving import deploy, make_model, until, variant


@pytest.fixture(scope="module")
def service(
    start_shared_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory
) -> Service:
    """A service with the endpoint `flights`, which captures all that it answers."""
    started = start_shared_service("--image", str(serving.image(tmp_path_factory.mktemp("image"))))
    make_model(started, "first")
    started.s3.create_bucket(Bucket="captured")
    capture = {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://captured",
        "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv", "text/plain"]},
    }
    deploy(started, "flights", variant("first", "champion"), DataCaptureConfig=capture)
    return started


def parts(answer: Any) -> Iterator[str]:
    """The payload parts of an answer as they come."""
    with closing(answer["Body"]) as events:
        for event in events:
            yield event["PayloadPart"]["Bytes"].decode()


def ask(service: Service, body: str, **more: Any) -> Any:
    """Invoke the endpoint for a stream, with a client that does not wait long."""
    runtime = service.client("sagemaker-runtime", read_timeout=20)
    return runtime.invoke_endpoint_with_response_stream(
        EndpointName="flights", Body=body, ContentType="text/csv", **more
    )


def test_the_first_part_comes_while_the_container_still_works(service: Service, tmp_path: Path) -> None:
    """The container goes on only after the client has read the first part."""
    latch = tmp_path / "latch"
    answer = ask(service, f"stream one|hold {latch}|two|three")
    received = parts(answer)

    assert next(received) == "one"
    latch.touch()
    assert "".join(received) == "twothree"
    assert answer["ContentType"] == "text/plain"
    assert (answer["InvokedProductionVariant"], answer["CustomAttributes"]) == ("champion", "told=1")


def test_the_model_gets_the_headers_of_invoke_endpoint(service: Service) -> None:
    """`Accept` has another header on the way to the service, and its own on the way to the model."""
    answer = ask(
        service, "headers", Accept="application/json", InferenceId="flight-7", CustomAttributes="a=1"
    )
    seen = json.loads("".join(parts(answer)))

    assert (seen["accept"], seen["content-type"]) == ("application/json", "text/csv")
    assert seen["x-amzn-sagemaker-inference-id"] == "flight-7"
    assert "x-amzn-sagemaker-accept" not in seen


def test_a_long_answer_arrives_whole(service: Service) -> None:
    """Far more than fits into one event, byte for byte."""
    text = "x" * 700_000
    assert "".join(parts(ask(service, f"stream {text}|{text}|end"))) == f"{text}{text}end"


def test_an_error_of_the_model_is_no_stream(service: Service) -> None:
    """HTTP 424 like that of InvokeEndpoint, as long as nothing was sent."""
    with refused("ModelError") as answer:
        ask(service, "status 503 too busy")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert (answer["OriginalStatusCode"], answer["OriginalMessage"]) == (503, "too busy")


def test_a_stream_that_breaks_ends_with_an_exception(service: Service) -> None:
    """The parts before it arrive; the error has SageMaker's codes."""
    received = parts(ask(service, "stream one|break"))
    assert next(received) == "one"
    with pytest.raises(EventStreamError, match="ModelStreamError") as caught:
        next(received)
    assert caught.value.response["Error"]["Code"] == "ModelStreamError"

    buffer = EventStreamBuffer()
    url = f"{service.url}/endpoints/flights/invocations-response-stream"
    buffer.add_data(httpx.post(url, content=b"stream break").content)
    (error,) = buffer
    assert json.loads(error.payload)["ErrorCode"] == "StreamBroken"


def test_an_unknown_endpoint_or_variant_is_refused(service: Service) -> None:
    """The errors are AWS's."""
    with refused("ValidationError", "none"):
        ask(service, "stream one", TargetVariant="none")
    answer = httpx.post(f"{service.url}/endpoints/none/invocations-response-stream", content=b"x")
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (400, "ValidationError")


def test_a_client_that_goes_away_leaves_nothing_in_flight(service: Service, tmp_path: Path) -> None:
    """Its connection to the container is closed, though the container has not ended."""
    latch = tmp_path / "latch"

    def in_flight() -> int:
        figures = httpx.get(f"{service.url}/endpoints/flights/metrics").json()
        return figures["variants"]["champion"]["in_flight"]  # type: ignore[no-any-return]

    url = f"{service.url}/endpoints/flights/invocations-response-stream"
    with httpx.stream("POST", url, content=f"stream one|hold {latch}|two".encode()) as answer:
        pieces = answer.iter_raw()
        assert next(pieces)
        assert in_flight() == 1
    until(lambda: in_flight() == 0, "the end of the invocation")
    latch.touch()


def test_a_streamed_answer_is_captured_whole(service: Service) -> None:
    """One record with the request and all parts together."""
    assert list(parts(ask(service, "stream cap|tured", InferenceId="to-capture")))

    def record() -> Any:
        for item in service.s3.list_objects_v2(Bucket="captured").get("Contents", []):
            content = service.s3.get_object(Bucket="captured", Key=item["Key"])["Body"].read()
            for line in map(json.loads, content.splitlines()):
                if line["eventMetadata"].get("inferenceId") == "to-capture":
                    return line["captureData"]
        return None

    captured = until(record, "the record")
    assert captured["endpointInput"]["data"] == "stream cap|tured"
    assert captured["endpointOutput"]["data"] == "captured"
