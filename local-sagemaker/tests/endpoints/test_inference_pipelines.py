"""Inference pipelines: two to fifteen containers, each of which gets what the one before it answers."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from sagemaker_kit import serving
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service
from sagemaker_kit.serving import IMAGE, ROLE, ask, deploy, in_service, make_model, until, variant


@pytest.fixture
def service(start_service: Callable[..., Service], tmp_path: Path) -> Service:
    """A service with the pipeline `both`, of two containers."""
    started = start_service("--image", str(serving.image(tmp_path / "image")))
    make_model(started, "single")
    make_pipeline(started, "both", 2)
    return started


def make_pipeline(service: Service, name: str, count: int) -> None:
    """Create a model of `count` containers, each of which knows its own name."""
    containers = [{"Image": IMAGE, "Environment": {"NAME": f"part-{number}"}} for number in range(count)]
    service.sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=ROLE,
        Containers=containers,
        InferenceExecutionConfig={"Mode": "Serial"},
    )


def test_each_container_gets_what_the_one_before_answers(service: Service) -> None:
    """The body and its content type go on; the answer is that of the last one."""
    deploy(service, "flights", variant("both"))
    # "who" is answered as JSON by the first container, of which the second one says the size
    answer = ask(service, "flights", "who", Accept="text/csv")
    assert list(answer) == ["size"]
    # the first one answers a row for a row, and the second one a row for that
    assert ask(service, "flights", "abc,d") == "5,5\n"
    deployed = service.sagemaker.describe_endpoint(EndpointName="flights")["ProductionVariants"]
    assert [len(one["DeployedImages"]) for one in deployed] == [2]


def test_a_pipeline_of_fifteen_is_served(service: Service) -> None:
    """As many as SageMaker takes; more are refused."""
    make_pipeline(service, "many", 15)
    deploy(service, "flights", variant("many"))
    assert ask(service, "flights", "x,y") == "3,3\n"
    with pytest.raises(service.sagemaker.exceptions.ClientError, match="less than or equal to 15"):
        make_pipeline(service, "too-many", 16)


def test_an_error_of_any_container_is_a_model_error(service: Service) -> None:
    """What comes behind it is not asked; the invocation counts once."""
    deploy(service, "flights", variant("both"))
    with refused("ModelError", "client error (415)"):
        ask(service, "flights", "status 415 not this")
    # the first container answers with words that the second one takes for an order
    with refused("ModelError", "server error (500)", "broken"):
        ask(service, "flights", "status 200 status 500 broken")
    figures = httpx.get(f"{service.url}/endpoints/flights/metrics").json()["variants"]
    assert (list(figures), figures["main"]["invocations"]) == (["main"], 2)


def test_a_pipeline_outlives_a_restart_an_update_and_its_containers(service: Service) -> None:
    """Each container is brought back, and a rollout replaces all of them."""
    deploy(service, "flights", variant("both", count=2))
    service.restart()
    until(lambda: _answers(service) == "5,5\n", "the pipeline's return")
    service.sagemaker.create_endpoint_config(
        EndpointConfigName="next", ProductionVariants=[variant("single")]
    )
    service.sagemaker.update_endpoint(EndpointName="flights", EndpointConfigName="next")
    in_service(service, "flights")
    assert ask(service, "flights", "abc,d") == "5,abc\n"
    notes = "endpoints/flights/*/*/*/container.json"
    until(lambda: len(list(service.root.glob(notes))) == 1, "one container")


def _answers(service: Service) -> Any:
    try:
        return ask(service, "flights", "abc,d")
    except service.runtime.exceptions.ServiceUnavailable:
        return None


@pytest.mark.parametrize(
    ("changed", "more"),
    [
        ({"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}}, {}),
        ({}, {"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://models/a"}}}),
    ],
)
def test_a_pipeline_is_served_on_instances_and_in_real_time(
    service: Service, changed: dict[str, Any], more: dict[str, Any]
) -> None:
    """Elsewhere the error names the model and the number of its containers."""
    given = variant("both")
    if changed:
        given = {"VariantName": "main", "ModelName": "both", **changed}
    with refused("ValidationException", "Model both is a pipeline of 2 containers"):
        service.sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[given], **more)
    with refused("ValidationException", "Model both is a pipeline of 2 containers"):
        service.sagemaker.create_transform_job(
            TransformJobName="t",
            ModelName="both",
            TransformInput={
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://models/x"}}
            },
            TransformOutput={"S3OutputPath": "s3://models/out"},
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        )


def test_a_pipeline_does_not_stream(service: Service) -> None:
    """The error says what to call instead."""
    deploy(service, "flights", variant("both"))
    with refused("ValidationError", "InvokeEndpoint"):
        service.runtime.invoke_endpoint_with_response_stream(EndpointName="flights", Body="x")
