"""Shadow variants: they get copies of the invocations, are captured and counted, and answer nobody."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from local_sagemaker.engine.endpoints.fleet import Variant
from sagemaker_kit import serving
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service
from sagemaker_kit.serving import ask, deploy, in_service, make_model, until, variant

CAPTURE = {
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://captured/c",
    "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
    "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
}


@pytest.fixture
def service(start_service: Callable[..., Service], tmp_path: Path) -> Service:
    """A service with two models and a bucket for captures."""
    started = start_service("--image", str(serving.image(tmp_path / "image")))
    for name in ("first", "second"):
        make_model(started, name)
    started.s3.create_bucket(Bucket="captured")
    return started


def shadow(weight: float = 1.0) -> dict[str, Any]:
    """The configuration's member for a shadow of the second model."""
    return {"ShadowProductionVariants": [variant("second", "shadow", weight)]}


def counted(service: Service, name: str) -> int:
    """How many invocations a variant has answered."""
    figures = httpx.get(f"{service.url}/endpoints/flights/metrics").json()
    return int(figures["variants"][name]["invocations"])


def captured(service: Service, name: str) -> list[Any]:
    """What a variant has answered, as captured."""
    listed = service.s3.list_objects_v2(Bucket="captured", Prefix=f"c/flights/{name}/").get("Contents", [])
    bodies = [service.s3.get_object(Bucket="captured", Key=one["Key"])["Body"].read() for one in listed]
    lines = [json.loads(line) for body in bodies for line in body.splitlines()]
    return [json.loads(line["captureData"]["endpointOutput"]["data"])["name"] for line in lines]


def test_the_answer_is_the_productions_and_the_shadow_is_captured(service: Service) -> None:
    """Each variant answers the same request; what the shadow says is found in the capture alone."""
    deploy(service, "flights", variant("first"), **shadow(), DataCaptureConfig=CAPTURE)
    assert [ask(service, "flights", "who")["name"] for _ in range(3)] == ["first"] * 3
    until(lambda: len(captured(service, "shadow")) == 3, "three captures of the shadow")
    until(lambda: len(captured(service, "main")) == 3, "three captures of the production variant")
    assert set(captured(service, "shadow")) == {"second"}
    assert set(captured(service, "main")) == {"first"}


def test_a_shadow_is_described_scaled_and_never_asked_by_name(service: Service) -> None:
    """Also after an update of its weight and a restart of the service."""
    deploy(service, "flights", variant("first"), **shadow(0.5))
    described = service.sagemaker.describe_endpoint(EndpointName="flights")
    [found] = described["ShadowProductionVariants"]
    assert (found["VariantName"], found["CurrentWeight"], found["CurrentInstanceCount"]) == ("shadow", 0.5, 1)
    with refused("ValidationError", "Variant shadow not found"):
        ask(service, "flights", "who", TargetVariant="shadow")
    for _ in range(10):
        ask(service, "flights", "who")
    until(lambda: counted(service, "shadow") == 5, "five copies of ten")
    changes = [{"VariantName": "shadow", "DesiredWeight": 1.0, "DesiredInstanceCount": 2}]
    service.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="flights", DesiredWeightsAndCapacities=changes
    )
    in_service(service, "flights")
    service.restart()
    until(lambda: _is_back(service), "the endpoint's return")
    described = service.sagemaker.describe_endpoint(EndpointName="flights")
    [found] = described["ShadowProductionVariants"]
    assert (found["CurrentWeight"], found["CurrentInstanceCount"]) == (1.0, 2)
    before = counted(service, "main")
    for _ in range(4):
        ask(service, "flights", "who")
    assert counted(service, "main") == before + 4
    until(lambda: counted(service, "shadow") == before + 4, "a copy of each")


def _is_back(service: Service) -> bool:
    try:
        return bool(ask(service, "flights", "who")["name"] == "first")
    except service.runtime.exceptions.ServiceUnavailable:
        return False


def test_a_shadow_that_fails_fails_nobody(service: Service) -> None:
    """Its errors are counted as its own; a streamed invocation is copied as well."""
    make_model(service, "slow", {"SLOW": "0.05"})
    failing = {"ShadowProductionVariants": [variant("slow", "shadow")]}
    deploy(service, "flights", variant("first"), **failing)
    assert ask(service, "flights", "a,b") == "3,a\n"
    answer = service.runtime.invoke_endpoint_with_response_stream(EndpointName="flights", Body="stream a|b")
    assert b"".join(event["PayloadPart"]["Bytes"] for event in answer["Body"]) == b"ab"
    with refused("ModelError"):
        ask(service, "flights", "status 500 no")
    until(lambda: counted(service, "shadow") == 3, "three copies")


@pytest.mark.parametrize(
    ("variants", "more", "value"),
    [
        ([variant("first"), variant("first", "other")], shadow(), "2 production variants"),
        (
            [variant("first")],
            {"ShadowProductionVariants": [variant("first", "a"), variant("first", "b")]},
            "2 shadow variants",
        ),
        ([variant("first", "shadow")], shadow(), "same name"),
        ([variant("first")], {"ShadowProductionVariants": [variant("none", "shadow")]}, "none"),
        (
            [variant("first")],
            {**shadow(), "AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://captured/a"}}},
            "AsyncInferenceConfig",
        ),
    ],
)
def test_what_has_no_shadow_is_refused(
    service: Service, variants: list[dict[str, Any]], more: dict[str, Any], value: str
) -> None:
    """SageMaker's rules: one variant of each kind, on instances, in real time."""
    with refused("ValidationException", value):
        service.sagemaker.create_endpoint_config(
            EndpointConfigName="wrong", ProductionVariants=variants, **more
        )


@pytest.mark.parametrize(
    ("production", "weight", "copies"),
    [(1, 1, 20), (1, 0.5, 10), (2, 0.5, 5), (1, 3, 20), (1, 0, 0), (0, 1, 0)],
)
def test_a_shadow_gets_its_share(production: float, weight: float, copies: int) -> None:
    """Its weight in that of the production variant; never more than there is."""
    made = Variant("main", production, shadow=Variant("shadow", weight))
    assert sum(made.choose_shadow() is not None for _ in range(20)) == copies
