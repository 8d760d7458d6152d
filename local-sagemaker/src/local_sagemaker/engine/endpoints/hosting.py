"""All endpoints of the service: rolled out, updated, scaled, deleted, and resumed after a restart.

Runs on the service's event loop. The store holds the plan of an endpoint before any of it is carried out, so
that the next service goes on after a kill.
"""

from __future__ import annotations

import asyncio
import functools
import shutil
import time
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

from local_sagemaker.base import Service
from local_sagemaker.domain.deployment_policy import policy_from_config
from local_sagemaker.domain.endpoint_states import EndpointEvent, EndpointStateError
from local_sagemaker.engine.endpoints.async_requests import AsyncRequestQueues
from local_sagemaker.engine.endpoints.capture import CaptureBuffer, CaptureWriter
from local_sagemaker.engine.endpoints.fleet import EndpointPlan
from local_sagemaker.engine.endpoints.invoke import EndpointRoute
from local_sagemaker.engine.endpoints.metrics import Meters
from local_sagemaker.engine.endpoints.replica_set import ReplicaSet, endpoint_folder, stop_orphans
from local_sagemaker.engine.endpoints.rollout import (
    KIND,
    EndpointRollout,
    RolledBackError,
    RolloutStage,
    after_rollout,
)
from local_sagemaker.engine.processes.container import STOP_TIMEOUT_S, ContainerError
from local_sagemaker.engine.processes.forks import Forks
from local_sagemaker.engine.processes.image import Images
from local_sagemaker.engine.processes.tasks import cancel, log_failure, run_in_background
from local_sagemaker.storage.store import Document, Resource

#: time of containers to end when the service itself stops; shorter than when an endpoint is deleted
SHUTDOWN_S = 5.0


@dataclass(eq=False)
class HostedEndpoint:
    """A running endpoint."""

    route: EndpointRoute
    #: serves it
    current: ReplicaSet | None = None
    #: is being rolled out
    candidate: ReplicaSet | None = None
    #: replaced, and finishing their invocations
    retiring: list[ReplicaSet] = field(default_factory=list)
    stage: RolloutStage = field(default_factory=RolloutStage)
    #: changes under way: at most one, besides the retiring of replica sets
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def replica_sets(self) -> list[ReplicaSet]:
        """Return all replica sets that may have running containers."""
        return [one for one in (self.current, self.candidate, *self.retiring) if one is not None]


class Hosting:
    """See the module. Every method belongs to the event loop."""

    def __init__(self, service: Service, forks: Forks | None = None) -> None:
        self._service, self._forks = service, forks
        self._images = Images(service.images)
        self._endpoints: dict[str, HostedEndpoint] = {}
        #: endpoints by name, for invocations
        self.routes: dict[str, EndpointRoute] = {}
        #: counts invocations for CloudWatch
        self.meters = Meters()
        self._capture_writer = CaptureWriter(self._capture_buffers)
        #: asynchronous invocations
        self.queues = AsyncRequestQueues(service, self.routes)

    async def start(self) -> None:
        """Resume every stored endpoint, and start to write captured invocations."""
        self._capture_writer.start()
        for resource in await asyncio.to_thread(self._service.store.search, KIND):
            endpoint = self._add_endpoint(resource.name, resource.status)
            plan = resource.state.get("serving") or resource.state.get("rollout") or {}
            endpoint.route.asynchronous = plan.get("asynchronous")
            self._run_in_background(endpoint, self._bring_back(endpoint, resource))
        await self.queues.start()

    async def stop(self) -> None:
        """Stop all containers and write what is captured; the store keeps the endpoints."""
        await self.queues.stop()
        await cancel(*(task for endpoint in self._endpoints.values() for task in endpoint.tasks))
        await asyncio.gather(*(replica_set.stop(SHUTDOWN_S) for replica_set in self._replica_sets()))
        await self._capture_writer.stop()

    def create(self, name: str, plan: EndpointPlan) -> None:
        """Start the first rollout of an endpoint that is stored as Creating."""
        endpoint = self._add_endpoint(name, "Creating")
        endpoint.route.asynchronous = plan.asynchronous
        self._run_in_background(endpoint, self._roll_out(endpoint, plan))

    def update(self, name: str, plan: EndpointPlan, deployment: Document) -> None:
        """Start a rollout that replaces an endpoint's replica set; it is stored as Updating."""
        endpoint = self._endpoints[name]
        endpoint.route.status = "Updating"
        self._run_in_background(endpoint, self._roll_out(endpoint, plan, deployment))

    def stage(self, name: str) -> RolloutStage:
        """Return the stage of an endpoint's rollout."""
        endpoint = self._endpoints.get(name)
        return endpoint.stage if endpoint is not None else RolloutStage()

    def rescale(self, name: str, plan: EndpointPlan) -> None:
        """Start to change weights and counts; the endpoint is stored as Updating."""
        endpoint = self._endpoints[name]
        endpoint.route.status = "Updating"
        self._run_in_background(endpoint, self._rescale(endpoint, plan))

    def delete(self, name: str) -> None:
        """Start to remove an endpoint that is stored as Deleting; it takes no more invocations."""
        self.routes.pop(name, None)
        endpoint = self._endpoints[name]
        self._run_in_background(endpoint, self._remove(endpoint, list(endpoint.tasks)))

    # Rolling out.

    async def _roll_out(
        self, endpoint: HostedEndpoint, plan: EndpointPlan, deployment: Document | None = None
    ) -> None:
        candidate = endpoint.candidate = self._new_replica_set(endpoint, plan)
        previous = endpoint.current
        deployment = deployment or {"config": None, "started": time.time()}
        policy, started = policy_from_config(deployment["config"], plan.size), deployment["started"]
        rollout = EndpointRollout(
            self._service.store, self.meters, policy, candidate, previous, endpoint.route, started
        )
        endpoint.stage = rollout.stage
        try:
            await rollout.run()
        except RolledBackError as error:
            endpoint.candidate, endpoint.retiring = None, [*endpoint.retiring, candidate]
            await self._record(endpoint, EndpointEvent.ROLLOUT_FAILED, str(error))
            await self._retire(endpoint, candidate)
            return
        endpoint.current, endpoint.candidate = candidate, None
        endpoint.route.asynchronous = plan.asynchronous
        endpoint.retiring += [previous] if previous is not None else []
        await self._record(endpoint, EndpointEvent.ROLLED_OUT)
        if previous is not None:
            await self._retire(endpoint, previous)

    async def _retire(self, endpoint: HostedEndpoint, replica_set: ReplicaSet) -> None:
        """Let a replica set without traffic finish its invocations, and forget it."""
        await replica_set.retire()
        await self._capture_writer.write(replica_set.capture_buffers())
        endpoint.retiring.remove(replica_set)
        folder = endpoint_folder(self._service, endpoint.route.name) / str(replica_set.plan.generation)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        variants = [variant for one in self._replica_sets() for variant in one.variants.values()]
        counters = [variant.counters for variant in variants]
        self.meters.drop_expired({meter for one in counters for meter in (one.meter, one.config_meter)})

    async def _rescale(self, endpoint: HostedEndpoint, plan: EndpointPlan) -> None:
        if endpoint.current is None:
            raise RuntimeError(f"Endpoint {endpoint.route.name} has nothing to scale.")
        try:
            await endpoint.current.rescale(plan)
        except ContainerError as error:
            await self._record(endpoint, EndpointEvent.ROLLOUT_FAILED, str(error))
            return
        await self._record(endpoint, EndpointEvent.ROLLED_OUT)

    async def _remove(self, endpoint: HostedEndpoint, tasks: list[asyncio.Task[None]]) -> None:
        await cancel(*tasks)
        name = endpoint.route.name
        await self.queues.drop(name)
        await asyncio.gather(*(replica_set.stop(STOP_TIMEOUT_S) for replica_set in endpoint.replica_sets))
        for replica_set in endpoint.replica_sets:
            await self._capture_writer.write(replica_set.capture_buffers())
        folder = endpoint_folder(self._service, name)
        await stop_orphans(folder, ())
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        await asyncio.to_thread(self._service.store.delete, KIND, name)
        if self._endpoints.get(name) is endpoint:  # otherwise there is already a new one of this name
            del self._endpoints[name]

    async def _record(self, endpoint: HostedEndpoint, event: EndpointEvent, reason: str = "") -> None:
        """Record the end of a rollout in the store and in the route."""
        change = functools.partial(after_rollout, event=event, reason=reason)
        try:
            resource = await asyncio.to_thread(self._service.store.change, KIND, endpoint.route.name, change)
        except EndpointStateError:  # it is being deleted, and this rollout is about to be cancelled
            return
        endpoint.route.status = resource.status

    # Resuming after a restart.

    async def _bring_back(self, endpoint: HostedEndpoint, resource: Resource) -> None:
        plans = {
            role: EndpointPlan.from_json(document)
            for role in ("serving", "rollout")
            if (document := resource.state.get(role))
        }
        await stop_orphans(endpoint_folder(self._service, resource.name), plans.values())
        if resource.status == "Deleting":
            self.routes.pop(resource.name, None)
            await self._remove(endpoint, [])
            return
        serving, rollout = plans.get("serving"), plans.get("rollout")
        if serving is not None:
            replica_set = endpoint.current = self._new_replica_set(endpoint, serving)
            await replica_set.bring_back(replica_set.launch)
            endpoint.route.fleet = replica_set.fleet
        if rollout is None:
            return
        if serving is not None and serving.generation == rollout.generation:
            await self._rescale(endpoint, rollout)
        else:
            await self._roll_out(endpoint, rollout, resource.state.get("deployment"))

    def _add_endpoint(self, name: str, status: str) -> HostedEndpoint:
        route = EndpointRoute(name, self._service.account, self._service.region, status)
        self.routes[name] = route
        self._endpoints[name] = HostedEndpoint(route)
        return self._endpoints[name]

    def _run_in_background(self, endpoint: HostedEndpoint, work: Coroutine[Any, Any, None]) -> None:
        run_in_background(endpoint.tasks, work).add_done_callback(
            functools.partial(log_failure, f"endpoint {endpoint.route.name}")
        )

    def _new_replica_set(self, endpoint: HostedEndpoint, plan: EndpointPlan) -> ReplicaSet:
        return ReplicaSet(self._service, self._images, endpoint.route, plan, self.meters, forks=self._forks)

    def _replica_sets(self) -> Iterator[ReplicaSet]:
        return (one for endpoint in self._endpoints.values() for one in endpoint.replica_sets)

    def _capture_buffers(self) -> list[CaptureBuffer]:
        return [buffer for replica_set in self._replica_sets() for buffer in replica_set.capture_buffers()]
