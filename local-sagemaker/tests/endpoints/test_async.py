"""Asynchronous endpoints: requests are kept, invoked within limits, and answered once by objects in S3."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from sagemaker_kit import serving
from sagemaker_kit.asynchronous import config, in_flight, prepare, read, submit, text
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service
from sagemaker_kit.serving import ask, deploy, in_service, make_model, until, variant


@pytest.fixture(scope="module")
def service(
    start_shared_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory
) -> Service:
    """A service with the asynchronous endpoint `later`."""
    return prepare(start_shared_service("--image", str(serving.image(tmp_path_factory.mktemp("image")))))


def test_an_object_is_answered_by_an_object(service: Service) -> None:
    """The request gets HTTP 202 with both locations; the answer has the model's content type."""
    service.s3.put_object(Bucket="answers", Key="in/rows.csv", Body=b"a,b\ncc,d\n")
    accepted = service.runtime.invoke_endpoint_async(
        EndpointName="later",
        InputLocation="s3://answers/in/rows.csv",
        ContentType="text/csv",
        InferenceId="i-7",
    )

    assert (accepted["ResponseMetadata"]["HTTPStatusCode"], accepted["InferenceId"]) == (202, "i-7")
    assert accepted["OutputLocation"].startswith("s3://answers/good/")
    assert accepted["FailureLocation"].startswith("s3://answers/bad/")
    assert text(service, accepted["OutputLocation"]) == "3,a\n4,cc\n"
    assert read(service, accepted["OutputLocation"])["ContentType"] == "text/csv"
    assert read(service, accepted["FailureLocation"]) is None


def test_the_model_sees_what_the_request_says(service: Service) -> None:
    """Content type, accept, custom attributes and the id, under the headers of the contract."""
    accepted = submit(
        service, "headers", Accept="application/json", CustomAttributes="a=1", InferenceId="i-8"
    )
    seen = text(service, accepted["OutputLocation"])
    for words in ('"accept": "application/json"', '"i-8"', '"a=1"', '"content-type": "text/csv"'):
        assert words in seen


def test_an_object_has_its_own_content_type(service: Service) -> None:
    """It is the request's where that has none; the request's own comes first."""
    service.s3.put_object(Bucket="answers", Key="in/headers", Body=b"headers", ContentType="text/tab")
    for given, seen in (({}, "text/tab"), ({"ContentType": "text/csv"}, "text/csv")):
        accepted = service.runtime.invoke_endpoint_async(
            EndpointName="later", InputLocation="s3://answers/in/headers", **given
        )
        assert f'"content-type": "{seen}"' in text(service, accepted["OutputLocation"])


def test_an_answer_has_the_requested_name(service: Service) -> None:
    """Filename and S3OutputPathExtension below the configuration's path."""
    accepted = submit(service, "a,b", Filename="mine.csv", S3OutputPathExtension="today/early")
    assert accepted["OutputLocation"] == "s3://answers/good/today/early/mine.csv"
    assert text(service, accepted["OutputLocation"]) == "3,a\n"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("status 500 no such carrier", "no such carrier"),
        ("exit", "closed the connection"),
    ],
)
def test_a_failure_is_written_to_its_object(service: Service, body: str, words: str) -> None:
    """The failure object holds the reason, and there is no answer."""
    accepted = submit(service, body)
    assert words in text(service, accepted["FailureLocation"])
    assert read(service, accepted["OutputLocation"]) is None


def test_a_missing_input_is_a_failure(service: Service) -> None:
    """It is looked up when the request is sent to a container, as on AWS."""
    accepted = service.runtime.invoke_endpoint_async(EndpointName="later", InputLocation="s3://answers/none")
    assert "There is no object s3://answers/none" in text(service, accepted["FailureLocation"])


def test_an_invocation_has_a_time_limit(service: Service, tmp_path: Path) -> None:
    """An invocation that takes longer than InvocationTimeoutSeconds fails."""
    accepted = submit(service, f"hold {tmp_path / 'never'}", InvocationTimeoutSeconds=1)
    assert "InvocationTimeoutSeconds: 1" in text(service, accepted["FailureLocation"])
    (tmp_path / "never").touch()


def test_a_large_input_and_answer_pass(service: Service) -> None:
    """Far more than InvokeEndpoint takes, byte for byte."""
    row = b"y" * 999_999 + b"\n"
    service.s3.put_object(Bucket="answers", Key="in/large", Body=row * 20)
    accepted = service.runtime.invoke_endpoint_async(
        EndpointName="later", InputLocation="s3://answers/in/large", ContentType="text/csv"
    )
    expected = "999999," + "y" * 999_999 + "\n"
    assert text(service, accepted["OutputLocation"]) == expected * 20


def test_a_container_gets_no_more_than_its_limit(service: Service, tmp_path: Path) -> None:
    """With MaxConcurrentInvocationsPerInstance of one, the second waits for the first."""
    deploy(service, "single", variant("first"), AsyncInferenceConfig=config(per_instance=1))
    latches = [tmp_path / "first", tmp_path / "second"]
    accepted = [submit(service, f"hold {latch}", "single") for latch in latches]
    latches[1].touch()
    until(lambda: in_flight(service, "single") == 1, "the first invocation")

    assert read(service, accepted[1]["OutputLocation"]) is None
    assert in_flight(service, "single") == 1
    assert httpx.get(f"{service.url}/endpoints/single/metrics").json()["unanswered"] == 2
    latches[0].touch()
    answers = [text(service, one["OutputLocation"]) for one in accepted]
    assert answers[0] == answers[1]


def test_each_endpoint_has_its_kind_of_invocation(service: Service) -> None:
    """Each refuses the operation of the other, and names what to use."""
    deploy(service, "now", variant("first"))
    with refused("ValidationError", "InvokeEndpointAsync"):
        ask(service, "later", "who")
    with refused("ValidationError", "AsyncInferenceConfig"):
        submit(service, "who", "now")
    with refused("ValidationError", "none"):
        submit(service, "who", "none")


def test_body_and_location_exclude_each_other(service: Service) -> None:
    """Exactly one of them is given."""
    for given in ({}, {"Body": b"x", "InputLocation": "s3://answers/x"}):
        with refused("ValidationError", "Body", "InputLocation"):
            service.runtime.invoke_endpoint_async(EndpointName="later", **given)
    with refused("ValidationError", 128_000):
        submit(service, b"x" * 128_001)


def test_the_endpoint_shows_its_configuration_and_keeps_its_kind(service: Service) -> None:
    """An update may change the model, but does not make the endpoint real-time."""
    assert service.sagemaker.describe_endpoint(EndpointName="later")["AsyncInferenceConfig"] == config()
    make_model(service, "second")
    service.sagemaker.create_endpoint_config(
        EndpointConfigName="newer", ProductionVariants=[variant("second")], AsyncInferenceConfig=config()
    )
    service.sagemaker.create_endpoint_config(
        EndpointConfigName="now-2", ProductionVariants=[variant("second")]
    )
    deploy(service, "moving", variant("first"), AsyncInferenceConfig=config())

    service.sagemaker.update_endpoint(EndpointName="moving", EndpointConfigName="newer")
    in_service(service, "moving")
    assert '"name": "second"' in text(service, submit(service, "who", "moving")["OutputLocation"])
    with refused("ValidationException", "real-time", "asynchronous"):
        service.sagemaker.update_endpoint(EndpointName="moving", EndpointConfigName="now-2")


def test_an_update_lets_invocations_in_flight_finish(service: Service, tmp_path: Path) -> None:
    """The previous container finishes its invocation after the new one has taken over."""
    deploy(service, "busy", variant("first"), AsyncInferenceConfig=config())
    service.sagemaker.create_endpoint_config(
        EndpointConfigName="busy-2", ProductionVariants=[variant("first")], AsyncInferenceConfig=config()
    )
    previous = text(service, submit(service, "who", "busy")["OutputLocation"])
    accepted = submit(service, f"hold {tmp_path / 'latch'}", "busy")
    until(lambda: in_flight(service, "busy") == 1, "the invocation")
    service.sagemaker.update_endpoint(EndpointName="busy", EndpointConfigName="busy-2")
    in_service(service, "busy")
    (tmp_path / "latch").touch()
    assert f'"pid": {text(service, accepted["OutputLocation"])}' in previous


TOPIC = "arn:aws:sns:us-east-1:000000000000:done"


@pytest.mark.parametrize(
    ("output", "values"),
    [
        ({"NotificationConfig": {"SuccessTopic": TOPIC}}, ("SuccessTopic", "NotificationConfig")),
        ({"NotificationConfig": {"ErrorTopic": TOPIC}}, ("ErrorTopic", "NotificationConfig")),
        ({"S3OutputPath": "https://answers.s3.amazonaws.com/x"}, ("s3://bucket/prefix",)),
    ],
)
def test_unsupported_members_are_refused(
    service: Service, output: dict[str, Any], values: tuple[str, ...]
) -> None:
    """The error comes when the configuration is created, and names the member."""
    with refused("ValidationException", *values):
        service.sagemaker.create_endpoint_config(
            EndpointConfigName="refused",
            ProductionVariants=[variant("first")],
            AsyncInferenceConfig=config(**output),
        )


def test_deleting_an_endpoint_deletes_its_requests(service: Service, tmp_path: Path) -> None:
    """A later endpoint of the same name does not answer them."""
    deploy(service, "gone", variant("first"), AsyncInferenceConfig=config(per_instance=1))
    submit(service, f"hold {tmp_path / 'never'}", "gone")
    lost = submit(service, "who", "gone")
    service.sagemaker.delete_endpoint(EndpointName="gone")
    waiter = service.sagemaker.get_waiter("endpoint_deleted")
    waiter.wait(EndpointName="gone", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
    service.sagemaker.create_endpoint(EndpointName="gone", EndpointConfigName="gone")
    in_service(service, "gone")
    assert text(service, submit(service, "who", "gone")["OutputLocation"])
    assert read(service, lost["OutputLocation"]) is None
