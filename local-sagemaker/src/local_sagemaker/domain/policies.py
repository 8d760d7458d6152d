"""How a deployment goes: a request's DeploymentConfig as shares of traffic, waits and alarms. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: what MaximumExecutionTimeoutInSeconds is when it is not given: SageMaker's longest, in seconds
TIMEOUT_S = 28800.0
PERCENT = 100
#: bounds of a canary, a linear step and a batch, in per cent of a fleet
CANARY, LINEAR, BATCH = (1, 50), (10, 50), (5, 50)


class PolicyError(Exception):
    """A DeploymentConfig that cannot be carried out; the text says why."""


@dataclass(frozen=True)
class Policy:
    """One deployment as it is to go."""

    #: the newcomer's share of the traffic after each step; the last one is 1
    shares: tuple[float, ...] = (1.0,)
    #: how long each share is baked, and the last one besides, in seconds
    wait_s: float = 0.0
    termination_wait_s: float = 0.0
    #: how long all of it may take, in seconds
    timeout_s: float = TIMEOUT_S
    #: names of the alarms that roll it back
    alarms: tuple[str, ...] = ()
    #: whether capacity goes over with the traffic, batch by batch; else both fleets run in full
    is_rolling: bool = False


def policy_of(config: Mapping[str, Any] | None, instances: int) -> Policy:
    """The policy that a DeploymentConfig describes, for a fleet of so many instances.

    :raises PolicyError: when SageMaker would refuse it.
    """
    config = config or {}
    blue_green, rolling = config.get("BlueGreenUpdatePolicy"), config.get("RollingUpdatePolicy")
    alarms = config.get("AutoRollbackConfiguration", {}).get("Alarms", [])
    names = tuple(alarm["AlarmName"] for alarm in alarms if "AlarmName" in alarm)
    if blue_green and rolling:
        raise PolicyError("Give one of BlueGreenUpdatePolicy and RollingUpdatePolicy.")
    if rolling:
        step = _share("MaximumBatchSize", rolling["MaximumBatchSize"], instances, BATCH)
        return Policy(
            shares=_steps(step),
            wait_s=rolling["WaitIntervalInSeconds"],
            timeout_s=_timeout(rolling, rolling["WaitIntervalInSeconds"]),
            alarms=names,
            is_rolling=True,
        )
    if not blue_green:
        return Policy(alarms=names)
    routing, termination = (
        blue_green["TrafficRoutingConfiguration"],
        blue_green.get("TerminationWaitInSeconds", 0),
    )
    return Policy(
        shares=_shares(routing, instances),
        wait_s=routing["WaitIntervalInSeconds"],
        termination_wait_s=termination,
        timeout_s=_timeout(blue_green, routing["WaitIntervalInSeconds"] + termination),
        alarms=names,
    )


def _shares(routing: Mapping[str, Any], instances: int) -> tuple[float, ...]:
    kind = routing["Type"]
    for member, owner in (("CanarySize", "CANARY"), ("LinearStepSize", "LINEAR")):
        if (member in routing) != (kind == owner):
            raise PolicyError(f"{member} belongs to the traffic routing {owner}, and to that alone.")
    if kind == "CANARY":
        return (_share("CanarySize", routing["CanarySize"], instances, CANARY), 1.0)
    if kind == "LINEAR":
        return _steps(_share("LinearStepSize", routing["LinearStepSize"], instances, LINEAR))
    return (1.0,)


def _share(member: str, size: Mapping[str, Any], instances: int, bounds: tuple[int, int]) -> float:
    value, is_percent = size["Value"], size["Type"] == "CAPACITY_PERCENT"
    percent = float(value if is_percent else PERCENT * value / instances)
    low, high = bounds
    if not low <= percent <= high:
        words = "" if is_percent else f" ({value} of {instances} instances)"
        raise PolicyError(
            f"{member} must be between {low} % and {high} % of the new fleet's capacity, and is "
            f"{percent:g} %{words}."
        )
    return percent / PERCENT


def _steps(step: float) -> tuple[float, ...]:
    # a rest that is only a mistake of rounding is no step of its own
    count = math.ceil(1 / step - 1e-9)
    return (*(step * number for number in range(1, count)), 1.0)


def _timeout(policy: Mapping[str, Any], wait_s: float) -> float:
    timeout_s: float = policy.get("MaximumExecutionTimeoutInSeconds", TIMEOUT_S)
    if timeout_s <= wait_s:
        raise PolicyError(
            f"MaximumExecutionTimeoutInSeconds ({timeout_s:g}) must be longer than the waits of the "
            f"deployment ({wait_s:g} s)."
        )
    return timeout_s
