"""Deployments with guardrails: canary, linear and rolling, with alarms, and without a failed request."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sagemaker_kit import serving
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service
from sagemaker_kit.serving import ask, deploy, in_service, make_model, until, variant
from sagemaker_kit.traffic import Load, configure, update

CANARY: dict[str, Any] = {"Type": "CANARY", "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 25}}


@pytest.fixture
def service(start_service: Callable[..., Service], tmp_path: Path) -> Service:
    """A service with the endpoint `flights` on two old containers, and a configuration `next`."""
    started = start_service("--image", str(serving.image(tmp_path / "image")))
    for name in ("old", "new"):
        make_model(started, name)
    deploy(started, "flights", variant("old", count=2))
    configure(started, "next", variant("new", count=2))
    return started


def shifting(
    wait_s: int, *, after_s: int = 0, alarms: tuple[str, ...] = (), **routing: Any
) -> dict[str, Any]:
    """A blue/green DeploymentConfig."""
    given = {"WaitIntervalInSeconds": wait_s, **routing}
    policy = {"TrafficRoutingConfiguration": given, "TerminationWaitInSeconds": after_s}
    return {"BlueGreenUpdatePolicy": policy, **watched(*alarms)}


def watched(*alarms: str) -> dict[str, Any]:
    """The part of a DeploymentConfig that names alarms."""
    return (
        {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in alarms]}} if alarms else {}
    )


def rolling(wait_s: int, *alarms: str) -> dict[str, Any]:
    """A rolling DeploymentConfig, one instance after the other."""
    batch = {"Type": "INSTANCE_COUNT", "Value": 1}
    return {
        "RollingUpdatePolicy": {"MaximumBatchSize": batch, "WaitIntervalInSeconds": wait_s},
        **watched(*alarms),
    }


def alarm(service: Service, name: str, config: str, threshold: float) -> None:
    """Alarm when a configuration's fleet has had so many invocations in ten seconds."""
    dimensions = {"EndpointName": "flights", "VariantName": "main", "EndpointConfigName": config}
    service.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SageMaker",
        MetricName="Invocations",
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        Statistic="Sum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=threshold,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )


def described(service: Service) -> Any:
    """The endpoint as DescribeEndpoint has it."""
    return service.sagemaker.describe_endpoint(EndpointName="flights")


def stage(service: Service) -> str:
    """VariantStatus of the deployment; empty if there is none."""
    summary = described(service).get("PendingDeploymentSummary")
    return summary["ProductionVariants"][0]["VariantStatus"][0]["Status"] if summary else ""


def test_a_canary_gets_its_share_and_then_everything(service: Service) -> None:
    """It gets a quarter of the traffic while it bakes, which DescribeEndpoint shows; no request fails."""
    config = shifting(4, **CANARY)
    update(service, "next", DeploymentConfig=config)
    until(lambda: stage(service) == "Baking", "the canary's bake")
    load = Load(service.url, clients=2)
    try:
        until(lambda: load.seen.total() > 40, "traffic")
        seen, state = dict(load.seen), described(service)
        in_service(service, "flights")
    finally:
        load.stop()

    assert set(load.seen) == {(200, "old"), (200, "new")}
    assert 0.15 < seen[200, "new"] / sum(seen.values()) < 0.35
    assert (state["EndpointStatus"], state["EndpointConfigName"]) == ("Updating", "flights")
    assert state["PendingDeploymentSummary"]["EndpointConfigName"] == "next"
    after = described(service)
    assert (after["EndpointConfigName"], after["LastDeploymentConfig"]) == ("next", config)
    assert "PendingDeploymentSummary" not in after
    assert "FailureReason" not in after
    assert ask(service, "flights", "who")["name"] == "new"


@pytest.mark.parametrize(
    "config",
    [
        shifting(30, alarms=("busy",), **CANARY),
        shifting(
            30, alarms=("busy",), Type="LINEAR", LinearStepSize={"Type": "CAPACITY_PERCENT", "Value": 50}
        ),
        shifting(0, after_s=30, alarms=("busy",), Type="ALL_AT_ONCE"),
        rolling(30, "busy"),
    ],
    ids=["canary", "linear", "all-at-once", "rolling"],
)
def test_an_alarm_brings_the_old_fleet_back(service: Service, config: dict[str, Any]) -> None:
    """The endpoint serves as before, FailureReason names the alarm, and no request fails."""
    alarm(service, "busy", "next", threshold=3)
    load = Load(service.url, clients=2)
    try:
        update(service, "next", DeploymentConfig=config)
        in_service(service, "flights")
        count = load.seen[200, "old"]
        until(lambda: load.seen[200, "old"] > count + 20, "traffic to the old fleet")
    finally:
        load.stop()

    assert set(load.seen) == {(200, "old"), (200, "new")}
    after = described(service)
    assert after["EndpointConfigName"] == "flights"
    assert "alarm busy is in the state ALARM" in after["FailureReason"]
    assert {ask(service, "flights", "who")["name"] for _ in range(4)} == {"old"}


def test_a_rolling_update_replaces_batch_by_batch(service: Service) -> None:
    """One instance after the other, with no failed request; what is left is the new fleet in full size."""
    alarm(service, "quiet", "next", threshold=1e9)
    load = Load(service.url, clients=2)
    try:
        update(service, "next", DeploymentConfig=rolling(1, "quiet"))
        in_service(service, "flights")
        count = load.seen[200, "new"]
        until(lambda: load.seen[200, "new"] > count + 20, "traffic to the new fleet")
    finally:
        load.stop()

    assert set(load.seen) == {(200, "old"), (200, "new")}
    assert described(service)["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    answers = [ask(service, "flights", "who") for _ in range(6)]
    assert {answer["name"] for answer in answers} == {"new"}
    assert len({answer["pid"] for answer in answers}) == 2


def test_a_batch_that_does_not_start_rolls_everything_back(service: Service) -> None:
    """The reason is the container's own."""
    make_model(service, "broken", {"CRASH": "no such feature: wind"})
    configure(service, "worse", variant("broken", count=2))
    update(service, "worse", DeploymentConfig=rolling(0))
    in_service(service, "flights")

    assert "no such feature: wind" in described(service)["FailureReason"]
    assert len({ask(service, "flights", "who")["pid"] for _ in range(4)}) == 2


@pytest.mark.parametrize("is_alarming", [False, True])
def test_a_killed_service_finishes_the_deployment(service: Service, *, is_alarming: bool) -> None:
    """After a kill in the baking period it ends with one configuration or the other, completely."""
    config = shifting(3, alarms=("busy",), **CANARY)
    alarm(service, "busy", "next", threshold=1e9)
    update(service, "next", DeploymentConfig=config)
    until(lambda: stage(service) == "Baking", "the canary's bake")
    service.kill()
    service.start()
    assert described(service)["EndpointStatus"] == "Updating"
    if is_alarming:
        alarm(service, "busy", "next", threshold=0)
        until(lambda: stage(service) == "Baking", "the canary's second bake")
        for _ in range(8):
            ask(service, "flights", "who")
    in_service(service, "flights")

    expected = ("flights", "old") if is_alarming else ("next", "new")
    assert described(service)["EndpointConfigName"] == expected[0]
    answers = [ask(service, "flights", "who") for _ in range(6)]
    assert {answer["name"] for answer in answers} == {expected[1]}
    assert len({answer["pid"] for answer in answers}) == 2


def test_the_last_deployment_is_retained(service: Service) -> None:
    """RetainDeploymentConfig reuses the config of the previous update; without it there is none."""
    config = shifting(1, **CANARY)
    update(service, "next", DeploymentConfig=config)
    in_service(service, "flights")
    update(service, "flights", RetainDeploymentConfig=True)
    until(lambda: stage(service) == "Baking", "the canary's bake")
    in_service(service, "flights")

    assert described(service)["LastDeploymentConfig"] == config
    assert ask(service, "flights", "who")["name"] == "old"


def test_deleting_ends_a_deployment(service: Service) -> None:
    """Both fleets are stopped."""
    pid = ask(service, "flights", "who")["pid"]
    update(service, "next", DeploymentConfig=shifting(600, **CANARY))
    until(lambda: stage(service) == "Baking", "the canary's bake")
    service.sagemaker.delete_endpoint(EndpointName="flights")
    waiter = service.sagemaker.get_waiter("endpoint_deleted")
    waiter.wait(EndpointName="flights", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    ("config", "value"),
    [
        (shifting(1, alarms=("none",), **CANARY), "alarm none"),
        (shifting(1, Type="CANARY"), "CanarySize"),
    ],
)
def test_an_impossible_deployment_is_refused_at_once(
    service: Service, config: dict[str, Any], value: str
) -> None:
    """The endpoint stays as it is."""
    with refused("ValidationException", value):
        update(service, "next", DeploymentConfig=config)
    assert described(service)["EndpointStatus"] == "InService"
