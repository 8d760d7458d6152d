"""A DeploymentConfig becomes shares of traffic, waits and alarms."""

from __future__ import annotations

from typing import Any

import pytest

from local_sagemaker.domain.deployment_policy import (
    DeploymentPolicy,
    DeploymentPolicyError,
    policy_from_config,
)


def blue_green(kind: str, wait_s: int = 5, **routing: object) -> dict[str, Any]:
    """A blue/green DeploymentConfig."""
    given = {"Type": kind, "WaitIntervalInSeconds": wait_s, **routing}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": given, "TerminationWaitInSeconds": 7}}


def size(value: int, kind: str = "CAPACITY_PERCENT") -> dict[str, Any]:
    """A CapacitySize."""
    return {"Type": kind, "Value": value}


def rolling(value: int, kind: str = "CAPACITY_PERCENT") -> dict[str, Any]:
    """A rolling DeploymentConfig."""
    return {"RollingUpdatePolicy": {"MaximumBatchSize": size(value, kind), "WaitIntervalInSeconds": 1}}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (None, (1.0,)),
        (blue_green("ALL_AT_ONCE"), (1.0,)),
        (blue_green("CANARY", CanarySize=size(10)), (0.1, 1.0)),
        (blue_green("CANARY", CanarySize=size(1, "INSTANCE_COUNT")), (0.25, 1.0)),
        (blue_green("LINEAR", LinearStepSize=size(40)), (0.4, 0.8, 1.0)),
        (blue_green("LINEAR", LinearStepSize=size(20)), (0.2, 0.4, pytest.approx(0.6), 0.8, 1.0)),
        (rolling(50), (0.5, 1.0)),
        (rolling(1, "INSTANCE_COUNT"), (0.25, 0.5, 0.75, 1.0)),
    ],
)
def test_traffic_shifts_in_steps(config: dict[str, Any] | None, expected: tuple[float, ...]) -> None:
    """The fleet has four instances; the last step has all traffic."""
    assert policy_from_config(config, instance_count=4).shares == expected


def test_waits_alarms_and_timeouts_are_parsed() -> None:
    """Each comes from its own member."""
    config = blue_green("ALL_AT_ONCE")
    config["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = 600
    config["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": "late"}]}
    expected = DeploymentPolicy((1.0,), wait_s=5, termination_wait_s=7, timeout_s=600, alarms=("late",))
    assert policy_from_config(config, 1) == expected


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({**blue_green("ALL_AT_ONCE"), **rolling(50)}, "BlueGreenUpdatePolicy and RollingUpdatePolicy"),
        (blue_green("CANARY"), "CanarySize .* CANARY,"),
        (blue_green("LINEAR", CanarySize=size(10)), "CanarySize .* CANARY,"),
        (blue_green("CANARY", CanarySize=size(60)), "between 1 % and 50 %"),
        (blue_green("LINEAR", LinearStepSize=size(5)), "between 10 % and 50 %"),
        (rolling(3, "INSTANCE_COUNT"), "3 of 4 instances"),
    ],
)
def test_an_impossible_config_is_refused(config: dict[str, Any], said: str) -> None:
    """The error names the member and its bounds."""
    with pytest.raises(DeploymentPolicyError, match=said):
        policy_from_config(config, instance_count=4)


def test_a_timeout_must_outlast_the_waits() -> None:
    """Otherwise no deployment could end."""
    config = blue_green("ALL_AT_ONCE", wait_s=3600)
    config["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = 600
    with pytest.raises(DeploymentPolicyError, match=r"\(600\) .* \(3607 s\)"):
        policy_from_config(config, instance_count=1)
