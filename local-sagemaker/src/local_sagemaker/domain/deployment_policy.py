"""How a deployment goes: a request's DeploymentConfig as shares of traffic, waits and alarms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: default of MaximumExecutionTimeoutInSeconds, which is also SageMaker's maximum, in seconds
TIMEOUT_S = 28800.0
PERCENT = 100
#: bounds of a canary, a linear step and a batch, in per cent of a fleet
CANARY, LINEAR, BATCH = (1, 50), (10, 50), (5, 50)


class DeploymentPolicyError(Exception):
    """A DeploymentConfig cannot be carried out; the text says why."""


@dataclass(frozen=True)
class DeploymentPolicy:
    """The course of one deployment."""

    #: the candidate's share of the traffic after each step; the last one is 1
    shares: tuple[float, ...] = (1.0,)
    #: how long each share is baked, in seconds
    wait_s: float = 0.0
    #: how long the last share is baked in addition, in seconds
    termination_wait_s: float = 0.0
    #: limit of the whole deployment, in seconds
    timeout_s: float = TIMEOUT_S
    #: names of the alarms that roll it back
    alarms: tuple[str, ...] = ()
    #: whether capacity moves with the traffic, batch by batch; otherwise both fleets run in full
    is_rolling: bool = False


def policy_from_config(config: Mapping[str, Any] | None, instance_count: int) -> DeploymentPolicy:
    """Return the policy that a DeploymentConfig describes for a fleet of `instance_count` instances.

    :raises DeploymentPolicyError: when SageMaker would refuse it.
    """
    config = config or {}
    blue_green, rolling = config.get("BlueGreenUpdatePolicy"), config.get("RollingUpdatePolicy")
    alarms = config.get("AutoRollbackConfiguration", {}).get("Alarms", [])
    names = tuple(alarm["AlarmName"] for alarm in alarms if "AlarmName" in alarm)
    if blue_green and rolling:
        raise DeploymentPolicyError("Give one of BlueGreenUpdatePolicy and RollingUpdatePolicy.")
    if rolling:
        batch = _share("MaximumBatchSize", rolling["MaximumBatchSize"], instance_count, BATCH)
        return DeploymentPolicy(
            shares=_equal_steps(batch),
            wait_s=rolling["WaitIntervalInSeconds"],
            timeout_s=_timeout_s(rolling, rolling["WaitIntervalInSeconds"]),
            alarms=names,
            is_rolling=True,
        )
    if not blue_green:
        return DeploymentPolicy(alarms=names)
    routing = blue_green["TrafficRoutingConfiguration"]
    wait_s, termination_wait_s = (
        routing["WaitIntervalInSeconds"],
        blue_green.get("TerminationWaitInSeconds", 0),
    )
    return DeploymentPolicy(
        shares=_traffic_shares(routing, instance_count),
        wait_s=wait_s,
        termination_wait_s=termination_wait_s,
        timeout_s=_timeout_s(blue_green, wait_s + termination_wait_s),
        alarms=names,
    )


def _traffic_shares(routing: Mapping[str, Any], instance_count: int) -> tuple[float, ...]:
    kind = routing["Type"]
    for member, owner in (("CanarySize", "CANARY"), ("LinearStepSize", "LINEAR")):
        if (member in routing) != (kind == owner):
            raise DeploymentPolicyError(
                f"{member} belongs to the traffic routing {owner}, and to that alone."
            )
    if kind == "CANARY":
        return (_share("CanarySize", routing["CanarySize"], instance_count, CANARY), 1.0)
    if kind == "LINEAR":
        return _equal_steps(_share("LinearStepSize", routing["LinearStepSize"], instance_count, LINEAR))
    return (1.0,)


def _share(member: str, size: Mapping[str, Any], instance_count: int, bounds: tuple[int, int]) -> float:
    value, is_percent = size["Value"], size["Type"] == "CAPACITY_PERCENT"
    percent = float(value if is_percent else PERCENT * value / instance_count)
    low, high = bounds
    if not low <= percent <= high:
        counted = "" if is_percent else f" ({value} of {instance_count} instances)"
        raise DeploymentPolicyError(
            f"{member} must be between {low} % and {high} % of the new fleet's capacity, and is "
            f"{percent:g} %{counted}."
        )
    return percent / PERCENT


def _equal_steps(step: float) -> tuple[float, ...]:
    # A remainder that comes from rounding alone is not a step of its own.
    count = math.ceil(1 / step - 1e-9)
    return (*(step * number for number in range(1, count)), 1.0)


def _timeout_s(policy: Mapping[str, Any], wait_s: float) -> float:
    timeout_s: float = policy.get("MaximumExecutionTimeoutInSeconds", TIMEOUT_S)
    if timeout_s <= wait_s:
        raise DeploymentPolicyError(
            f"MaximumExecutionTimeoutInSeconds ({timeout_s:g}) must be longer than the waits of the "
            f"deployment ({wait_s:g} s)."
        )
    return timeout_s
