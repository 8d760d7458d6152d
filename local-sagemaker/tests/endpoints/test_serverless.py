"""Serverless endpoints: no container before the first request or after the last, and a limit in between."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from sagemaker_kit import serving
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service
from sagemaker_kit.serving import ask, ask_again, deploy, in_service, make_model, until, variant
from sagemaker_kit.traffic import Load, configure, update


def serverless(model: str, concurrency: int = 2, **more: Any) -> dict[str, Any]:
    """A serverless production variant."""
    config = {"MemorySizeInMB": 2048, "MaxConcurrency": concurrency, **more}
    return {"VariantName": "main", "ModelName": model, "ServerlessConfig": config}


@pytest.fixture(scope="module")
def service(
    start_shared_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory
) -> Service:
    """A service with the model `first`; its containers stay for as long as the tests last."""
    started = start_shared_service("--image", str(serving.image(tmp_path_factory.mktemp("image"))))
    make_model(started, "first")
    return started


def instances(service: Service, endpoint: str) -> int:
    """How many containers of an endpoint run."""
    figures = httpx.get(f"{service.url}/endpoints/{endpoint}/metrics").json()
    return figures["variants"]["main"]["instances"]  # type: ignore[no-any-return]


def test_nothing_runs_before_the_first_request(service: Service) -> None:
    """The endpoint is in service without a process; the first request starts one, the second uses it."""
    deploy(service, "cold", serverless("first"))
    assert not list((service.root / "endpoints").glob("cold/*/*/*/container.json"))

    first, second = ask(service, "cold", "who"), ask(service, "cold", "who")

    assert (first["model"], first["pid"]) == ("first", second["pid"])
    described = service.sagemaker.describe_endpoint(EndpointName="cold")["ProductionVariants"][0]
    assert described["CurrentServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 2}
    assert (described["CurrentInstanceCount"], instances(service, "cold")) == (0, 1)


def test_each_invocation_has_a_container_of_its_own_up_to_the_limit(service: Service, tmp_path: Path) -> None:
    """Two at a time are two processes; the third is refused as AWS throttles, until one has ended."""
    deploy(service, "wide", serverless("first"))
    latch = tmp_path / "latch"
    with ThreadPoolExecutor(2) as threads:
        holding = [threads.submit(ask, service, "wide", f"hold {latch}") for _ in range(2)]
        until(lambda: instances(service, "wide") == 2, "two containers")
        with refused("ThrottlingException", "MaxConcurrency is 2") as error:
            ask(service, "wide", "who")
        latch.touch()
        pids = {int(held.result()) for held in holding}

    assert error["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert len(pids) == 2
    assert ask(service, "wide", "who")["pid"] in pids


def test_an_idle_container_is_stopped(start_service: Callable[..., Service], tmp_path: Path) -> None:
    """After the last request the endpoint has no process again, and the next one starts another."""
    image = str(serving.image(tmp_path / "image"))
    service = start_service("--image", image, "--serverless-idle", "0.2")
    make_model(service, "first")
    deploy(service, "idle", serverless("first"))
    pid = ask(service, "idle", "who")["pid"]

    until(lambda: not Path(f"/proc/{pid}").exists(), "the container's end")
    assert instances(service, "idle") == 0
    assert ask(service, "idle", "who")["pid"] != pid


def test_a_container_that_ends_is_replaced(service: Service) -> None:
    """The request that ended it gets an error; the next one gets another container."""
    deploy(service, "mortal", serverless("first"))
    first = ask(service, "mortal", "who")["pid"]
    with refused("ModelError") as error:
        ask(service, "mortal", "exit")
    assert error["OriginalStatusCode"] == 0
    assert ask(service, "mortal", "who")["pid"] != first


def test_a_model_that_does_not_start_is_a_model_error(service: Service) -> None:
    """The invocation gets the end of the container's log."""
    make_model(service, "broken", {"CRASH": "no such feature: wind"})
    deploy(service, "broken", serverless("broken"))
    with refused("ModelError", "no such feature: wind"):
        ask(service, "broken", "who")
    assert instances(service, "broken") == 0


def test_the_body_has_a_limit_of_its_own(service: Service) -> None:
    """4 MiB, where an endpoint with instances takes 6."""
    deploy(service, "narrow", serverless("first"))
    with refused("ValidationError", 4_194_304):
        ask(service, "narrow", b"x" * 4_194_305)


def test_it_streams(service: Service) -> None:
    """A cold start and a stream in one request."""
    deploy(service, "stream", serverless("first"))
    answer = service.runtime.invoke_endpoint_with_response_stream(EndpointName="stream", Body="stream a|b")
    assert b"".join(event["PayloadPart"]["Bytes"] for event in answer["Body"]) == b"ab"


def test_a_restarted_service_keeps_what_runs(start_service: Callable[..., Service], tmp_path: Path) -> None:
    """The next service adopts the container of a killed one, and stops it with the endpoint."""
    service = start_service("--image", str(serving.image(tmp_path / "image")))
    make_model(service, "first")
    deploy(service, "kept", serverless("first"))
    pid = ask(service, "kept", "who")["pid"]
    service.restart()
    assert ask_again(service, "kept")["pid"] == pid

    service.sagemaker.delete_endpoint(EndpointName="kept")
    waiter = service.sagemaker.get_waiter("endpoint_deleted")
    waiter.wait(EndpointName="kept", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
    assert not Path(f"/proc/{pid}").exists()


def test_updates_go_from_serverless_to_anything_and_not_back(service: Service) -> None:
    """Another model, another limit, then instances; instances do not become serverless."""
    make_model(service, "second")
    deploy(service, "moving", serverless("first"))
    assert ask(service, "moving", "who")["name"] == "first"
    variants = {"serverless": serverless("second"), "instances": variant("second")}
    for name, made in variants.items():
        service.sagemaker.create_endpoint_config(EndpointConfigName=f"to-{name}", ProductionVariants=[made])
    service.sagemaker.update_endpoint(EndpointName="moving", EndpointConfigName="to-serverless")
    in_service(service, "moving")
    assert ask(service, "moving", "who")["name"] == "second"

    change = {"VariantName": "main", "ServerlessUpdateConfig": {"MaxConcurrency": 7}}
    service.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="moving", DesiredWeightsAndCapacities=[change]
    )
    in_service(service, "moving")
    described = service.sagemaker.describe_endpoint(EndpointName="moving")["ProductionVariants"][0]
    assert described["CurrentServerlessConfig"]["MaxConcurrency"] == 7

    service.sagemaker.update_endpoint(EndpointName="moving", EndpointConfigName="to-instances")
    in_service(service, "moving")
    described = service.sagemaker.describe_endpoint(EndpointName="moving")["ProductionVariants"][0]
    assert (described["CurrentInstanceCount"], "CurrentServerlessConfig" in described) == (1, False)
    with refused("ValidationException", "serverless"):
        service.sagemaker.update_endpoint(EndpointName="moving", EndpointConfigName="to-serverless")


def test_an_update_fails_no_request(service: Service) -> None:
    """Continuous requests are answered by the previous model, then by the new one."""
    make_model(service, "third")
    deploy(service, "flights", serverless("first", 3))
    configure(service, "flights-2", serverless("third", 3))
    load = Load(service.url, clients=2)
    try:
        until(lambda: load.seen[200, "first"] > 10, "answers of the previous model")
        update(service, "flights-2")
        in_service(service, "flights")
        until(lambda: load.seen[200, "third"] > 10, "answers of the new model")
    finally:
        seen = load.stop()
    assert seen.keys() == {(200, "first"), (200, "third")}


CAPTURE = {
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://captured",
    "CaptureOptions": [{"CaptureMode": "Input"}],
}


@pytest.mark.parametrize(
    ("changes", "more", "value"),
    [
        ({"InstanceType": "ml.m5.large"}, {}, "InstanceType"),
        ({"InitialInstanceCount": 1}, {}, "InitialInstanceCount"),
        ({}, {"DataCaptureConfig": CAPTURE}, "DataCaptureConfig"),
        ({}, {"EnableNetworkIsolation": True}, "EnableNetworkIsolation"),
        ({}, {"VpcConfig": {"SecurityGroupIds": ["sg"], "Subnets": ["subnet"]}}, "VpcConfig"),
        ({"ServerlessConfig": {"MemorySizeInMB": 1500, "MaxConcurrency": 1}}, {}, "1024, 2048"),
        (
            {"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 2, "ProvisionedConcurrency": 1}},
            {},
            "ProvisionedConcurrency",
        ),
    ],
)
def test_what_serverless_excludes_is_refused(
    service: Service, changes: dict[str, Any], more: dict[str, Any], value: str
) -> None:
    """The error comes when the configuration is created, and names the members."""
    with refused("ValidationException", value):
        service.sagemaker.create_endpoint_config(
            EndpointConfigName="refused", ProductionVariants=[{**serverless("first"), **changes}], **more
        )


def test_two_variants_are_refused(service: Service) -> None:
    """A serverless endpoint has one."""
    both = [serverless("first"), {**serverless("first"), "VariantName": "other"}]
    with refused("ValidationException", "ServerlessConfig"):
        service.sagemaker.create_endpoint_config(EndpointConfigName="refused", ProductionVariants=both)
