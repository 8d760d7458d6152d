"""All endpoints of the service: rolled out, updated, scaled, deleted, and brought back after a restart.

Runs on the service's event loop. What an endpoint is to be is in the store before any of it is begun, so that
a service that was killed goes on from there.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import shutil
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from local_sagemaker.base import Service
from local_sagemaker.domain.deployment_policy import policy_from_config
from local_sagemaker.domain.endpoint_states import EndpointEvent, EndpointStateError
from local_sagemaker.engine.endpoints.async_queue import Queues
from local_sagemaker.engine.endpoints.capture import CaptureBuffer
from local_sagemaker.engine.endpoints.capture_writer import CaptureWriter
from local_sagemaker.engine.endpoints.container import STOP_TIMEOUT_S, ContainerError
from local_sagemaker.engine.endpoints.endpoint_records import KIND, settled
from local_sagemaker.engine.endpoints.invoke import Route
from local_sagemaker.engine.endpoints.meters import Meter, Meters
from local_sagemaker.engine.endpoints.orphans import stop_strays
from local_sagemaker.engine.endpoints.replica_set import Crew, Plan, home
from local_sagemaker.engine.endpoints.rollout import RolledBackError, Rollout, Stage
from local_sagemaker.engine.processes.forks import Forks
from local_sagemaker.engine.processes.image import Images
from local_sagemaker.storage.store import Document, Resource

log = logging.getLogger(__name__)

#: when the service itself stops, containers get less time than when an endpoint is deleted
SHUTDOWN_S = 5.0


@dataclass(eq=False)
class Endpoint:
    """An endpoint at work."""

    route: Route
    #: what serves it
    crew: Crew | None = None
    #: what is being rolled out
    newcomer: Crew | None = None
    #: what was replaced and still has invocations to finish
    former: list[Crew] = field(default_factory=list)
    #: how far the rollout is
    stage: Stage = field(default_factory=Stage)
    #: changes that are under way; only the last one is more than the end of a former crew
    works: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def crews(self) -> list[Crew]:
        """All that runs for it."""
        return [crew for crew in (self.crew, self.newcomer, *self.former) if crew is not None]


class Hosting:
    """See the module. Every method belongs to the event loop."""

    def __init__(self, context: Service, forks: Forks | None = None) -> None:
        self._context, self._forks = context, forks
        self._images = Images(context.images)
        self._endpoints: dict[str, Endpoint] = {}
        #: endpoints by name, for invocations
        self.routes: dict[str, Route] = {}
        #: what has become of invocations, for CloudWatch
        self.meters = Meters()
        self._writer = CaptureWriter(self._buffers)
        #: invocations that are answered later
        self.queues = Queues(context, self.routes)

    async def start(self) -> None:
        """Bring back every endpoint that the store knows, and begin to write captured invocations."""
        self._writer.start()
        for resource in await asyncio.to_thread(self._context.store.search, KIND):
            self._resume(resource)
        await self.queues.start()

    async def stop(self) -> None:
        """Stop all containers and write what is captured; the store keeps the endpoints."""
        await self.queues.stop()
        await _cancel([work for endpoint in self._endpoints.values() for work in endpoint.works])
        await asyncio.gather(*(crew.stop(SHUTDOWN_S) for crew in self._crews()))
        await self._writer.stop()

    def create(self, name: str, plan: Plan) -> None:
        """Begin the first rollout of an endpoint that is in the store as Creating."""
        endpoint = self._endpoint(name, "Creating")
        endpoint.route.asynchronous = plan.asynchronous
        self._begin(endpoint, self._roll_out(endpoint, plan))

    def update(self, name: str, plan: Plan, deployment: Document) -> None:
        """Begin a rollout that replaces what serves an endpoint; it is in the store as Updating."""
        endpoint = self._endpoints[name]
        endpoint.route.status = "Updating"
        self._begin(endpoint, self._roll_out(endpoint, plan, deployment))

    def stage(self, name: str) -> Stage:
        """How far the rollout of an endpoint is."""
        endpoint = self._endpoints.get(name)
        return endpoint.stage if endpoint is not None else Stage()

    def rescale(self, name: str, plan: Plan) -> None:
        """Begin to change weights and counts; the endpoint is in the store as Updating."""
        endpoint = self._endpoints[name]
        endpoint.route.status = "Updating"
        self._begin(endpoint, self._scale(endpoint, plan))

    def delete(self, name: str) -> None:
        """Begin to remove an endpoint that is in the store as Deleting; it takes no more invocations."""
        self.routes.pop(name, None)
        endpoint = self._endpoints[name]
        self._begin(endpoint, self._remove(endpoint, list(endpoint.works)))

    # Rolling out.

    async def _roll_out(self, endpoint: Endpoint, plan: Plan, deployment: Document | None = None) -> None:
        newcomer = endpoint.newcomer = self._crew(endpoint, plan)
        former = endpoint.crew
        deployment = deployment or {"config": None, "started": time.time()}
        rollout = Rollout(
            self._context.store,
            self.meters,
            policy_from_config(deployment["config"], plan.size),
            newcomer,
            former,
            functools.partial(setattr, endpoint.route, "fleet"),
            deployment["started"],
        )
        endpoint.stage = rollout.stage
        try:
            await rollout.run()
        except RolledBackError as error:
            endpoint.newcomer, endpoint.former = None, [*endpoint.former, newcomer]
            await self._record(endpoint, EndpointEvent.ROLLOUT_FAILED, str(error))
            await self._retire(endpoint, newcomer)
            return
        endpoint.crew, endpoint.newcomer = newcomer, None
        endpoint.route.asynchronous = plan.asynchronous
        endpoint.former += [former] if former is not None else []
        await self._record(endpoint, EndpointEvent.ROLLED_OUT)
        if former is not None:
            await self._retire(endpoint, former)

    async def _retire(self, endpoint: Endpoint, crew: Crew) -> None:
        """Let a crew without traffic finish what it has, and forget it."""
        await crew.retire()
        await self._writer.write(buffers_of(crew))
        endpoint.former.remove(crew)
        await self._clear(endpoint.route.name, crew.plan.generation)
        self.meters.forget(self._meters_in_use())

    async def _scale(self, endpoint: Endpoint, plan: Plan) -> None:
        if endpoint.crew is None:
            raise RuntimeError(f"Endpoint {endpoint.route.name} has nothing to scale.")
        try:
            await endpoint.crew.rescale(plan)
        except ContainerError as error:
            await self._record(endpoint, EndpointEvent.ROLLOUT_FAILED, str(error))
            return
        await self._record(endpoint, EndpointEvent.ROLLED_OUT)

    async def _remove(self, endpoint: Endpoint, works: list[asyncio.Task[None]]) -> None:
        await _cancel(works)
        name = endpoint.route.name
        await self.queues.drop(name)
        await asyncio.gather(*(crew.stop(STOP_TIMEOUT_S) for crew in endpoint.crews))
        for crew in endpoint.crews:
            await self._writer.write(buffers_of(crew))
        await stop_strays(home(self._context, name), ())
        await asyncio.to_thread(shutil.rmtree, home(self._context, name), ignore_errors=True)
        await asyncio.to_thread(self._context.store.delete, KIND, name)
        if self._endpoints.get(name) is endpoint:  # else there is a new one of that name already
            del self._endpoints[name]

    async def _record(self, endpoint: Endpoint, event: EndpointEvent, reason: str = "") -> None:
        """Put into the store, and into the route, what a finished rollout means."""

        def change(resource: Resource) -> Resource:
            return settled(resource, event, reason)

        try:
            resource = await asyncio.to_thread(self._context.store.change, KIND, endpoint.route.name, change)
        except EndpointStateError:  # it is being deleted, and this rollout is about to be cancelled
            return
        endpoint.route.status = resource.status

    # Coming back after a restart.

    def _resume(self, resource: Resource) -> None:
        endpoint = self._endpoint(resource.name, resource.status)
        plan = resource.state.get("serving") or resource.state.get("rollout") or {}
        endpoint.route.asynchronous = plan.get("asynchronous")
        self._begin(endpoint, self._bring_back(endpoint, resource))

    async def _bring_back(self, endpoint: Endpoint, resource: Resource) -> None:
        plans = {
            role: Plan.from_json(found)
            for role in ("serving", "rollout")
            if (found := resource.state.get(role))
        }
        await stop_strays(home(self._context, resource.name), plans.values())
        if resource.status == "Deleting":
            self.routes.pop(resource.name, None)
            await self._remove(endpoint, [])
            return
        serving, rollout = plans.get("serving"), plans.get("rollout")
        if serving is not None:
            await self._serve_again(endpoint, serving)
        if rollout is None:
            return
        is_scaling = serving is not None and serving.generation == rollout.generation
        if is_scaling:
            await self._scale(endpoint, rollout)
        else:
            await self._roll_out(endpoint, rollout, resource.state.get("deployment"))

    async def _serve_again(self, endpoint: Endpoint, plan: Plan) -> None:
        crew = endpoint.crew = self._crew(endpoint, plan)
        pause_s = 1.0
        while True:
            try:
                await crew.launch()
                break
            except ContainerError as error:
                log.warning("Endpoint %s did not come back, trying again: %s", endpoint.route.name, error)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, 60.0)
        endpoint.route.fleet = crew.fleet

    # Small things.

    def _endpoint(self, name: str, status: str) -> Endpoint:
        route = Route(name, self._context.account, self._context.region, status)
        self.routes[name] = route
        self._endpoints[name] = Endpoint(route)
        return self._endpoints[name]

    def _begin(self, endpoint: Endpoint, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        endpoint.works.add(task)
        task.add_done_callback(endpoint.works.discard)
        task.add_done_callback(_report)

    async def _clear(self, name: str, generation: int) -> None:
        folder = home(self._context, name) / str(generation)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _crews(self) -> list[Crew]:
        return [crew for endpoint in self._endpoints.values() for crew in endpoint.crews]

    def _crew(self, endpoint: Endpoint, plan: Plan) -> Crew:
        return Crew(self._context, self._images, endpoint.route.name, plan, self.meters, forks=self._forks)

    def _meters_in_use(self) -> set[Meter]:
        variants = (variant for crew in self._crews() for variant in crew.fleet.variants.values())
        return {meter for one in variants for meter in (one.counters.meter, one.counters.config_meter)}

    def _buffers(self) -> list[CaptureBuffer]:
        return [buffer for crew in self._crews() for buffer in buffers_of(crew)]


def buffers_of(crew: Crew) -> list[CaptureBuffer]:
    """The capture buffers of a crew's variants."""
    return [variant.capture for variant in crew.fleet.variants.values() if variant.capture is not None]


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("A change of an endpoint failed", exc_info=error)
