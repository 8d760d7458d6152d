"""Brings a new fleet into service step by step, watched by alarms, and takes it back when one goes off."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from local_sagemaker.domain.deployment_policy import DeploymentPolicy
from local_sagemaker.engine.endpoints import alarms
from local_sagemaker.engine.endpoints.container import ContainerError
from local_sagemaker.engine.endpoints.fleet import Blend, Fleet
from local_sagemaker.engine.endpoints.meters import Meters
from local_sagemaker.engine.endpoints.replica_set import Crew, Plan
from local_sagemaker.storage.store import Store

log = logging.getLogger(__name__)

#: how often alarms are asked while a fleet is baked, in seconds
WATCH_S = 0.5
#: the first pause before a fleet that was given up is started again, and the longest, in seconds
PAUSE_S, PAUSE_LIMIT_S = 1.0, 60.0


class RolledBackError(Exception):
    """The deployment was stopped; the text says why."""


@dataclass
class Stage:
    """How far a deployment is, as DescribeEndpoint tells it."""

    #: VariantStatus: Creating, ActivatingTraffic, Baking
    status: str = "Creating"
    #: seconds since 1970
    since: float = field(default_factory=time.time)

    def enter(self, status: str) -> None:
        """Go on to another status."""
        self.status, self.since = status, time.time()


@dataclass(eq=False)
class Rollout:
    """One deployment from `former` (None: there is nothing yet) to `newcomer`."""

    store: Store
    meters: Meters
    policy: DeploymentPolicy
    newcomer: Crew
    former: Crew | None
    #: lets invocations go to this fleet from now on
    route: Callable[[Fleet], None]
    #: when it began, in seconds since 1970; a restart of the service does not begin it anew
    started: float
    stage: Stage = field(default_factory=Stage)

    def __post_init__(self) -> None:
        """Remember how large both fleets are to be: what a crew plans shrinks and grows while it goes on."""
        self._whole = self.newcomer.plan
        self._former_whole = self.former.plan if self.former is not None else None

    async def run(self) -> None:
        """Bring the newcomer into service; all traffic is with it at the end.

        :raises RolledBackError: when it was taken back; all traffic is with the former fleet then.
        """
        try:
            if self.former is None:
                await self.newcomer.launch()
                self.route(self.newcomer.fleet)
            else:
                await self._replace(self.former)
        except Exception as error:  # whatever it is, the endpoint must not stay half-way
            if self.former is not None:
                await self._back(self.former)
            raise RolledBackError(str(error)) from error

    async def _replace(self, former: Crew) -> None:
        self._check()
        if not self.policy.is_rolling:
            await self.newcomer.launch()
        for share in self.policy.shares:
            if self.policy.is_rolling:
                self.stage.enter("Creating")
                await self.newcomer.rescale(scaled(self._whole, share))
            self.stage.enter("ActivatingTraffic")
            self.route(self.newcomer.fleet if share >= 1 else Blend(former.fleet, self.newcomer.fleet, share))
            await self._bake(self.policy.wait_s)
            if self.policy.is_rolling and self._former_whole is not None:
                await former.rescale(scaled(self._former_whole, 1 - share))
        await self._bake(self.policy.termination_wait_s)

    async def _bake(self, wait_s: float) -> None:
        if wait_s:
            self.stage.enter("Baking")
        loop = asyncio.get_running_loop()
        end = loop.time() + wait_s
        while (left_s := end - loop.time()) > 0:
            self._check()
            await asyncio.sleep(min(WATCH_S, left_s))
        self._check()

    def _check(self) -> None:
        """Look at the time and ask every alarm; RolledBackError when one is on, or has gone."""
        if time.time() > self.started + self.policy.timeout_s:
            raise RolledBackError(
                f"The deployment did not end within {self.policy.timeout_s:g} s "
                "(MaximumExecutionTimeoutInSeconds)."
            )
        for name in self.policy.alarms:
            alarm = alarms.current(self.store, self.meters, name)
            if alarm is None:
                raise RolledBackError(f"The CloudWatch alarm {name} does not exist any more.")
            if alarm.state["value"] == alarms.ALARM:
                raise RolledBackError(
                    f"The CloudWatch alarm {name} is in the state ALARM. {alarm.state['reason']}"
                )

    async def _back(self, former: Crew) -> None:
        """Let all traffic go to the former fleet, in full size again."""
        if any(variant.targets for variant in former.fleet.variants.values()):
            self.route(former.fleet)
        pause_s = PAUSE_S
        while self._former_whole is not None:
            try:
                # what a rolling deployment has stopped already
                await former.rescale(self._former_whole)
                break
            except ContainerError as error:
                log.warning("A fleet that was given up did not come back, trying again: %s", error)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_LIMIT_S)
        self.route(former.fleet)


def scaled(plan: Plan, share: float) -> Plan:
    """The plan with that share of its instances, rounded up."""
    variants = (replace(variant, count=math.ceil(variant.count * share - 1e-9)) for variant in plan.variants)
    return replace(plan, variants=tuple(variants))
