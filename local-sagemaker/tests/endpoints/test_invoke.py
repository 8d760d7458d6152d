"""InvokeEndpoint: what reaches the model, what comes back, and each error in AWS's shape."""

import json
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from botocore.exceptions import ClientError

from local_sagemaker.__main__ import listen
from local_sagemaker.service import Options
from sagemaker_kit import serving
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service
from sagemaker_kit.serving import ask, ask_again, deploy, make_model, variant

LIMIT = 6_291_456


@pytest.fixture
def service(start_service: Callable[..., Service], tmp_path: Path) -> Service:
    """A service with the endpoint `flights`, which serves the tests' model."""
    started = start_service("--image", str(serving.image(tmp_path / "image")))
    make_model(started, "first", {"COLOUR": "blue"})
    deploy(started, "flights", variant("first", "champion"))
    return started


def test_only_the_allowed_headers_pass(service: Service) -> None:
    """The model sees the four headers of the contract, the client the variant and the custom attributes."""
    answer = service.runtime.invoke_endpoint(
        EndpointName="flights",
        Body="headers",
        ContentType="text/csv",
        Accept="application/json",
        CustomAttributes="trace=7",
        InferenceId="flight-7",
        TargetVariant="champion",
    )
    seen = json.loads(answer["Body"].read())

    assert seen.pop("host")
    assert seen == {
        "content-length": "7",
        "content-type": "text/csv",
        "accept": "application/json",
        "x-amzn-sagemaker-custom-attributes": "trace=7",
        "x-amzn-sagemaker-inference-id": "flight-7",
    }
    assert answer["InvokedProductionVariant"] == "champion"
    assert answer["CustomAttributes"] == "told=1"
    assert "x-secret" not in answer["ResponseMetadata"]["HTTPHeaders"]


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("invoke_endpoint", {"TargetModel": "m.tar.gz"}),
        ("invoke_endpoint", {"InferenceComponentName": "part"}),
        ("invoke_endpoint", {"TargetContainerHostname": "second"}),
        ("invoke_endpoint", {"EnableExplanations": "`true`"}),
        ("invoke_endpoint_with_response_stream", {"SessionId": "NEW_SESSION"}),
    ],
)
def test_a_header_that_is_not_emulated_is_refused(
    service: Service, operation: str, member: dict[str, str]
) -> None:
    """The error names the member, before the container is asked."""
    with refused("ValidationError", *member):
        getattr(service.runtime, operation)(EndpointName="flights", Body="headers", **member)


def test_the_container_has_its_model_and_environment(service: Service) -> None:
    """The environment of the model is there, and nothing of the service's own."""
    environment = ask(service, "flights", "environment")

    assert environment["COLOUR"] == "blue"
    assert environment["SAGEMAKER_BIND_TO_PORT"].isdigit()
    assert "PYTEST_CURRENT_TEST" not in environment
    assert ask(service, "flights", "who")["model"] == "first"


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "client"), (415, "client"), (500, "server"), (503, "server")]
)
def test_an_error_of_the_model_is_a_model_error(service: Service, status: int, kind: str) -> None:
    """HTTP 424 with the model's own status and message, and the place of its log."""
    with refused("ModelError", f"{kind} error ({status})") as answer:
        ask(service, "flights", f"status {status} unknown carrier ZZ")

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["OriginalStatusCode"] == status
    assert answer["OriginalMessage"] == "unknown carrier ZZ"
    assert answer["LogStreamArn"].endswith("log-group:/aws/sagemaker/Endpoints/flights")


def test_a_body_of_the_limit_passes_and_one_more_byte_does_not(service: Service) -> None:
    """The limit is SageMaker's, and the error says what to do instead."""
    assert ask(service, "flights", b"x" * LIMIT).startswith(f"{LIMIT},")
    with refused("ValidationError", LIMIT, "batch transform"):
        ask(service, "flights", b"x" * (LIMIT + 1))


def test_a_chunked_body_has_the_same_limit(service: Service) -> None:
    """A body without Content-Length is counted as it comes."""
    url = f"{service.url}/endpoints/flights/invocations"
    pieces = [b"x" * 1_000_000] * 7
    too_long = httpx.post(url, content=iter(pieces), headers={"content-type": "text/csv"})
    taken = httpx.post(url, content=iter(pieces[:2]), headers={"content-type": "text/csv"})

    assert (too_long.status_code, too_long.headers["x-amzn-errortype"]) == (400, "ValidationError")
    assert (taken.status_code, taken.text[:8]) == (200, "2000000,")


@pytest.mark.parametrize("body", [b"", b"\x00\xff\xfe", b'"unclosed'])
def test_any_bytes_reach_the_model(service: Service, body: bytes) -> None:
    """What a body means is the model's business alone."""
    assert isinstance(ask(service, "flights", body), str)


def test_a_missing_endpoint_is_a_validation_error(service: Service) -> None:
    """The message is AWS's."""
    with pytest.raises(ClientError) as caught:
        ask(service, "none", "who")
    assert caught.value.response["Error"] == {
        "Code": "ValidationError",
        "Message": "Endpoint none of account 000000000000 not found.",
    }


def test_too_long_an_inference_id_is_refused(service: Service) -> None:
    """Limits of headers hold for clients that do not check them."""
    answer = httpx.post(
        f"{service.url}/endpoints/flights/invocations",
        content=b"who",
        headers={"x-amzn-sagemaker-inference-id": "x" * 65},
    )
    assert answer.status_code == 400
    assert "InferenceId" in answer.json()["Message"]


def test_a_crashed_container_is_started_again_and_counted(service: Service) -> None:
    """The request that killed it is a model error, the endpoint comes back by itself, and it is counted."""
    before = ask(service, "flights", "who")["pid"]
    with refused("ModelError"):
        ask(service, "flights", "exit")

    assert ask_again(service, "flights")["pid"] != before
    figures = httpx.get(f"{service.url}/endpoints/flights/metrics").json()["variants"]["champion"]
    assert (figures["restarts"], figures["healthy_instances"]) == (1, 1)


def test_invocations_are_counted_by_variant(service: Service) -> None:
    """Counts, errors by class and latencies are there to be read."""
    for body in ("who", "who", "status 400 x", "status 500 x"):
        with suppress(service.runtime.exceptions.ModelError):
            ask(service, "flights", body)

    figures = httpx.get(f"{service.url}/endpoints/flights/metrics").json()["variants"]["champion"]
    assert (figures["invocations"], figures["errors_4xx"], figures["errors_5xx"]) == (4, 1, 1)
    assert figures["model_latency_us"]["p50"] > 0
    assert figures["in_flight"] == 0


def test_the_containers_log_is_in_cloudwatch(service: Service) -> None:
    """Lines of the container are in its endpoint's group, under `<variant>/<instance>`."""
    group = "/aws/sagemaker/Endpoints/flights"
    streams = service.logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert [stream["logStreamName"].partition("/")[0] for stream in streams] == ["champion"]
    events = service.logs.get_log_events(
        logGroupName=group, logStreamName=streams[0]["logStreamName"], startFromHead=True
    )["events"]
    assert events[0]["message"] == "serving first first"


def test_answers_do_not_wait_for_acknowledgements(tmp_path: Path) -> None:
    """Accepted connections have Nagle's algorithm off: asyncio does so where the protocol is named."""
    listener = listen(Options(root=tmp_path, port=0))
    listener.close()

    assert listener.proto == socket.IPPROTO_TCP
