"""The rollout of a replica set: traffic shifts to it step by step, and back again if an alarm goes off.

And what the store keeps of an endpoint when it has ended.
"""

from __future__ import annotations

import asyncio
import functools
import math
import time
from dataclasses import dataclass, field, replace

from local_sagemaker.domain.cloudwatch import ALARM
from local_sagemaker.domain.deployment_policy import DeploymentPolicy
from local_sagemaker.domain.endpoint_states import EndpointEvent, transition
from local_sagemaker.engine.endpoints.fleet import EndpointPlan, TrafficSplit
from local_sagemaker.engine.endpoints.invoke import EndpointRoute
from local_sagemaker.engine.endpoints.metrics import Meters, read_alarm
from local_sagemaker.engine.endpoints.replica_set import ReplicaSet
from local_sagemaker.storage.store import Document, Resource, Store

KIND = "endpoint"
#: SageMaker's limit of a FailureReason, in characters
REASON_LIMIT = 1024
#: how often alarms are read while a fleet is baked, in seconds
ALARM_POLL_S = 0.5


class RolledBackError(Exception):
    """The deployment was rolled back; the text says why."""


@dataclass
class RolloutStage:
    """The stage of a deployment, as DescribeEndpoint shows it."""

    #: VariantStatus: Creating, ActivatingTraffic, Baking
    status: str = "Creating"
    #: seconds since 1970
    since: float = field(default_factory=time.time)

    def enter(self, status: str) -> None:
        """Enter another status."""
        self.status, self.since = status, time.time()


@dataclass(eq=False)
class EndpointRollout:
    """One deployment of a candidate in place of the previous replica set."""

    store: Store
    meters: Meters
    policy: DeploymentPolicy
    candidate: ReplicaSet
    #: None: the endpoint is being created
    previous: ReplicaSet | None
    #: of the endpoint's invocations
    route: EndpointRoute
    #: seconds since 1970; a restart of the service does not change it
    started: float
    stage: RolloutStage = field(default_factory=RolloutStage)

    def __post_init__(self) -> None:
        """Keep both plans in full size: the plan of a replica set shrinks and grows during the rollout."""
        self._full_plan = self.candidate.plan
        self._previous_plan = self.previous.plan if self.previous is not None else None

    async def run(self) -> None:
        """Bring the candidate into service; it has all traffic on return.

        :raises RolledBackError: after a rollback; the previous fleet has all traffic then.
        """
        try:
            if self.previous is None:
                await self.candidate.launch()
                self.route.fleet = self.candidate.fleet
            else:
                await self._replace(self.previous)
        except Exception as error:  # no error may leave the endpoint between two replica sets
            if self.previous is not None:
                await self._roll_back(self.previous)
            raise RolledBackError(str(error)) from error

    async def _replace(self, previous: ReplicaSet) -> None:
        self._check_progress()
        if not self.policy.is_rolling:
            await self.candidate.launch()
        for share in self.policy.shares:
            if self.policy.is_rolling:
                self.stage.enter("Creating")
                await self.candidate.rescale(scaled(self._full_plan, share))
            self.stage.enter("ActivatingTraffic")
            new = self.candidate.fleet
            self.route.fleet = new if share >= 1 else TrafficSplit(previous.fleet, new, share)
            await self._bake(self.policy.wait_s)
            if self.policy.is_rolling and self._previous_plan is not None:
                await previous.rescale(scaled(self._previous_plan, 1 - share))
        await self._bake(self.policy.termination_wait_s)

    async def _bake(self, wait_s: float) -> None:
        if wait_s:
            self.stage.enter("Baking")
        loop = asyncio.get_running_loop()
        end = loop.time() + wait_s
        while (left_s := end - loop.time()) > 0:
            self._check_progress()
            await asyncio.sleep(min(ALARM_POLL_S, left_s))
        self._check_progress()

    def _check_progress(self) -> None:
        """Check the time limit and every alarm; raise RolledBackError if one is in ALARM or is gone."""
        if time.time() > self.started + self.policy.timeout_s:
            raise RolledBackError(
                f"The deployment did not end within {self.policy.timeout_s:g} s "
                "(MaximumExecutionTimeoutInSeconds)."
            )
        for name in self.policy.alarms:
            alarm = read_alarm(self.store, self.meters, name)
            if alarm is None:
                raise RolledBackError(f"The CloudWatch alarm {name} does not exist any more.")
            if alarm.state["value"] == ALARM:
                raise RolledBackError(
                    f"The CloudWatch alarm {name} is in the state ALARM. {alarm.state['reason']}"
                )

    async def _roll_back(self, previous: ReplicaSet) -> None:
        """Route all traffic to the previous fleet, in full size again."""
        if any(variant.targets for variant in previous.fleet.variants.values()):
            self.route.fleet = previous.fleet
        if self._previous_plan is not None:
            # starts what a rolling deployment has already stopped
            await previous.bring_back(functools.partial(previous.rescale, self._previous_plan))
        self.route.fleet = previous.fleet


def scaled(plan: EndpointPlan, share: float) -> EndpointPlan:
    """Return the plan with that share of its instances, rounded up."""
    variants = (replace(variant, count=math.ceil(variant.count * share - 1e-9)) for variant in plan.variants)
    return replace(plan, variants=tuple(variants))


def with_status(resource: Resource, status: str, document: Document, state: Document) -> Resource:
    """Return the resource with a new status, document and state, modified now."""
    return replace(resource, status=status, modified=time.time(), document=document, state=state)


def after_rollout(resource: Resource, event: EndpointEvent, reason: str = "") -> Resource:
    """Return the resource after a rollout that ended with `event`, and with `reason` as its FailureReason."""
    step = transition(resource.status, event)
    state = {**resource.state, "rollout": None, "deployment": None}
    document = {key: value for key, value in resource.document.items() if key != "FailureReason"}
    if step.switches:
        state["serving"] = resource.state["rollout"]
        document["EndpointConfigName"] = state["serving"]["config_name"]
    if reason:
        if step.status == "InService":
            was = "The update failed and was rolled back; the endpoint serves its previous configuration."
            reason = f"{was} {reason}"
        document["FailureReason"] = reason[:REASON_LIMIT]
    return with_status(resource, step.status, document, state)
