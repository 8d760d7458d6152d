"""Endpoints: created, described, listed, updated, scaled and deleted, by boto3 over HTTP."""

from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import WaiterError

from sagemaker_kit import serving
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service
from sagemaker_kit.serving import ask, deploy, in_service, make_model, variant


@pytest.fixture
def service(start_service: Callable[..., Service], tmp_path: Path) -> Service:
    """A service that knows the tests' model image."""
    return start_service("--image", str(serving.image(tmp_path / "image")))


def test_an_endpoint_serves_its_model(service: Service) -> None:
    """From a model archive in S3 to an answer, with the endpoint described and listed."""
    make_model(service, "first")
    deploy(service, "flights", variant("first"))

    who = ask(service, "flights", "who")
    described = service.sagemaker.describe_endpoint(EndpointName="flights")
    assert (who["name"], who["model"]) == ("first", "first")
    assert described["EndpointStatus"] == "InService"
    assert described["EndpointConfigName"] == "flights"
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    assert [item["EndpointName"] for item in service.sagemaker.list_endpoints()["Endpoints"]] == ["flights"]


def test_a_missing_endpoint_is_a_validation_exception(service: Service) -> None:
    """Operators and botocore's waiters recognise an endpoint that is not there by this code and message."""
    with refused("ValidationException", "Could not find", "none"):
        service.sagemaker.describe_endpoint(EndpointName="none")
    with refused("ValidationException", "Could not find", "endpoint-config/none"):
        service.sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="none")
    with refused("ValidationException", "Could not find", "model/none"):
        service.sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant("none")])


def test_taken_names_are_refused_in_awss_words(service: Service) -> None:
    """Operators match the beginning of these messages to go on with an update."""
    make_model(service, "first")
    deploy(service, "flights", variant("first"))

    with refused("ValidationException", "Cannot create already existing", ":endpoint/flights"):
        service.sagemaker.create_endpoint(EndpointName="flights", EndpointConfigName="flights")
    with refused("ValidationException", "Cannot create already existing", ":endpoint-config/flights"):
        service.sagemaker.create_endpoint_config(
            EndpointConfigName="flights", ProductionVariants=[variant("first")]
        )


def test_a_deleted_endpoint_is_gone_with_its_processes(service: Service) -> None:
    """The endpoint_deleted waiter ends, invocations find nothing, and no container is left."""
    make_model(service, "first")
    deploy(service, "flights", variant("first", count=2))
    pids = {ask(service, "flights", "who")["pid"] for _ in range(4)}
    assert len(pids) == 2

    service.sagemaker.delete_endpoint(EndpointName="flights")
    waiter = service.sagemaker.get_waiter("endpoint_deleted")
    waiter.wait(EndpointName="flights", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})

    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert not (service.root / "endpoints/flights").exists()
    with refused("ValidationError", "flights", "000000000000"):
        ask(service, "flights", "who")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"CRASH": "no such feature: wind"}, "cannot load the model: no such feature: wind"),
        ({"CRASH": "x"}, "exit code 3"),
    ],
)
def test_a_container_that_ends_fails_the_endpoint_with_its_last_words(
    service: Service, environment: dict[str, str], words: str
) -> None:
    """The reason tells what the container's log says, without anybody looking for it."""
    make_model(service, "broken", environment)
    with pytest.raises(WaiterError):
        deploy(service, "flights", variant("broken"))

    described = service.sagemaker.describe_endpoint(EndpointName="flights")
    assert described["EndpointStatus"] == "Failed"
    assert words in described["FailureReason"]
    with refused("ValidationError", "Failed"):
        ask(service, "flights", "who")


def test_an_archive_that_leaves_its_folder_is_refused(service: Service) -> None:
    """A member with a path to elsewhere fails the endpoint and writes nothing."""
    make_model(service, "evil")
    archive = serving.archive({"../../../evil.txt": b"x"})
    service.s3.put_object(Bucket=serving.BUCKET, Key="evil/model.tar.gz", Body=archive)
    with pytest.raises(WaiterError):
        deploy(service, "flights", variant("evil"))

    reason = service.sagemaker.describe_endpoint(EndpointName="flights")["FailureReason"]
    assert "is refused" in reason
    assert not list(service.root.rglob("evil.txt"))


def test_a_missing_archive_fails_the_endpoint(service: Service) -> None:
    """The reason names the object that is not there."""
    make_model(service, "gone")
    service.s3.delete_object(Bucket=serving.BUCKET, Key="gone/model.tar.gz")
    with pytest.raises(WaiterError):
        deploy(service, "flights", variant("gone"))

    reason = service.sagemaker.describe_endpoint(EndpointName="flights")["FailureReason"]
    assert "Could not find model data at s3://models/gone/model.tar.gz" in reason


def test_several_endpoints_and_variants_serve_at_once(service: Service) -> None:
    """Traffic follows the weights exactly over a round of them, and TargetVariant overrides them."""
    for name in ("first", "second", "third"):
        make_model(service, name)
    deploy(service, "flights", variant("first", "champion", 3.0), variant("second", "challenger", 1.0))
    deploy(service, "digits", variant("third"))

    names = [ask(service, "flights", "who")["name"] for _ in range(8)]
    assert (names.count("first"), names.count("second")) == (6, 2)
    assert ask(service, "flights", "who", TargetVariant="challenger")["name"] == "second"
    assert ask(service, "digits", "who")["name"] == "third"
    with refused("ValidationError", "none"):
        ask(service, "flights", "who", TargetVariant="none")


def test_weights_and_counts_change_in_place(service: Service) -> None:
    """UpdateEndpointWeightsAndCapacities moves traffic and adds processes, and keeps those that run."""
    make_model(service, "first")
    make_model(service, "second")
    deploy(service, "flights", variant("first", "a", 1.0), variant("second", "b", 0.0))
    pid = ask(service, "flights", "who", TargetVariant="a")["pid"]

    service.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="flights",
        DesiredWeightsAndCapacities=[
            {"VariantName": "a", "DesiredWeight": 0.0, "DesiredInstanceCount": 1},
            {"VariantName": "b", "DesiredWeight": 2.0, "DesiredInstanceCount": 2},
        ],
    )
    in_service(service, "flights")

    seen = [ask(service, "flights", "who") for _ in range(6)]
    assert {who["name"] for who in seen} == {"second"}
    assert len({who["pid"] for who in seen}) == 2
    assert ask(service, "flights", "who", TargetVariant="a")["pid"] == pid
    counts = {
        item["VariantName"]: (item["CurrentWeight"], item["CurrentInstanceCount"])
        for item in service.sagemaker.describe_endpoint(EndpointName="flights")["ProductionVariants"]
    }
    assert counts == {"a": (0.0, 1), "b": (2.0, 2)}
