"""All endpoints of the service: rolled out, updated, scaled, deleted, and brought back after a restart.

Runs on the service's event loop. What an endpoint is to be is in the store before any of it is begun, so that
a service that was killed goes on from there.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import shutil
import time
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any

from include.local_sagemaker.context import Context
from include.local_sagemaker.runner.capture import FLUSH_INTERVAL_S, CaptureBuffer
from include.local_sagemaker.runner.container import STOP_TIMEOUT_S, ContainerError, find
from include.local_sagemaker.runner.crew import Crew, Plan, home
from include.local_sagemaker.runner.deployment import Event, step
from include.local_sagemaker.runner.image import Images
from include.local_sagemaker.runner.invoke import Route
from include.local_sagemaker.store import Document, Resource

log = logging.getLogger(__name__)

KIND = "endpoint"
#: when the service itself stops, containers get less time than when an endpoint is deleted
SHUTDOWN_S = 5.0
#: how often captured invocations are looked at
TICK_S = 0.2


@dataclass(eq=False)
class Endpoint:
    """An endpoint at work."""

    route: Route
    #: what serves it
    crew: Crew | None = None
    #: what is being rolled out
    newcomer: Crew | None = None
    #: the change that is under way
    work: asyncio.Task[None] | None = None


class Hosting:
    """See the module. Every method belongs to the event loop."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._images = Images(context.images)
        self._endpoints: dict[str, Endpoint] = {}
        #: endpoints by name, for invocations
        self.routes: dict[str, Route] = {}
        self._flusher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Bring back every endpoint that the store knows, and begin to write captured invocations."""
        self._flusher = asyncio.create_task(self._flush_regularly())
        for resource in await asyncio.to_thread(self._context.store.search, KIND):
            self._resume(resource)

    async def stop(self) -> None:
        """Stop all containers and write what is captured; the store keeps the endpoints."""
        works = [endpoint.work for endpoint in self._endpoints.values() if endpoint.work is not None]
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
        await asyncio.gather(*(crew.stop(SHUTDOWN_S) for crew in self._crews()))
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)
        await self._flush(is_due=True)

    def create(self, name: str, plan: Plan) -> None:
        """Begin the first rollout of an endpoint that is in the store as Creating."""
        endpoint = self._endpoint(name, "Creating")
        self._begin(endpoint, self._roll_out(endpoint, plan))

    def update(self, name: str, plan: Plan) -> None:
        """Begin a rollout that replaces what serves an endpoint; it is in the store as Updating."""
        endpoint = self._endpoints[name]
        endpoint.route.status = "Updating"
        self._begin(endpoint, self._roll_out(endpoint, plan))

    def rescale(self, name: str, plan: Plan) -> None:
        """Begin to change weights and counts; the endpoint is in the store as Updating."""
        endpoint = self._endpoints[name]
        endpoint.route.status = "Updating"
        self._begin(endpoint, self._scale(endpoint, plan))

    def delete(self, name: str) -> None:
        """Begin to remove an endpoint that is in the store as Deleting; it takes no more invocations."""
        self.routes.pop(name, None)
        endpoint = self._endpoints[name]
        self._begin(endpoint, self._remove(endpoint, endpoint.work))

    # Rolling out.

    async def _roll_out(self, endpoint: Endpoint, plan: Plan) -> None:
        newcomer = endpoint.newcomer = Crew(self._context, self._images, endpoint.route.name, plan)
        try:
            await newcomer.launch()
        except ContainerError as error:
            endpoint.newcomer = None
            await self._record(endpoint, Event.FLEET_FAILED, str(error))
            await self._clear(endpoint.route.name, plan.generation)
            return
        former, endpoint.crew, endpoint.newcomer = endpoint.crew, newcomer, None
        # From this assignment on, every invocation goes to the new fleet.
        endpoint.route.fleet = newcomer.fleet
        await self._record(endpoint, Event.FLEET_READY)
        if former is not None:
            await former.retire()
            await self._clear(endpoint.route.name, former.plan.generation)
            await self._write(buffers_of(former))

    async def _scale(self, endpoint: Endpoint, plan: Plan) -> None:
        if endpoint.crew is None:
            raise RuntimeError(f"Endpoint {endpoint.route.name} has nothing to scale.")
        try:
            await endpoint.crew.rescale(plan)
        except ContainerError as error:
            await self._record(endpoint, Event.FLEET_FAILED, str(error))
            return
        await self._record(endpoint, Event.FLEET_READY)

    async def _remove(self, endpoint: Endpoint, work: asyncio.Task[None] | None) -> None:
        if work is not None:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        name = endpoint.route.name
        crews = [crew for crew in (endpoint.crew, endpoint.newcomer) if crew is not None]
        await asyncio.gather(*(crew.stop(STOP_TIMEOUT_S) for crew in crews))
        for crew in crews:
            await self._write(buffers_of(crew))
        await self._stop_strays(name, keep=frozenset())
        await asyncio.to_thread(shutil.rmtree, home(self._context, name), ignore_errors=True)
        await asyncio.to_thread(self._context.store.delete, KIND, name)
        del self._endpoints[name]

    async def _record(self, endpoint: Endpoint, event: Event, reason: str = "") -> None:
        """Put into the store, and into the route, what a finished rollout means."""

        def change(resource: Resource) -> Resource:
            taken = step(resource.status, event)
            state = {**resource.state, "rollout": None}
            document = {key: value for key, value in resource.document.items() if key != "FailureReason"}
            if taken.switches:
                state["serving"] = resource.state["rollout"]
                document["EndpointConfigName"] = state["serving"]["config_name"]
            if reason:
                document["FailureReason"] = _explained(taken.status, reason)
            return changed(resource, taken.status, document, state)

        resource = await asyncio.to_thread(self._context.store.change, KIND, endpoint.route.name, change)
        endpoint.route.status = resource.status

    # Coming back after a restart.

    def _resume(self, resource: Resource) -> None:
        endpoint = self._endpoint(resource.name, resource.status)
        self._begin(endpoint, self._bring_back(endpoint, resource))

    async def _bring_back(self, endpoint: Endpoint, resource: Resource) -> None:
        plans = {
            role: Plan.from_json(found)
            for role in ("serving", "rollout")
            if (found := resource.state.get(role))
        }
        keep = frozenset(str(plan.generation) for plan in plans.values())
        await self._stop_strays(resource.name, keep=keep)
        if resource.status == "Deleting":
            self.routes.pop(resource.name, None)
            await self._remove(endpoint, None)
            return
        if "serving" in plans:
            await self._serve_again(endpoint, plans["serving"])
        if (
            "rollout" in plans
            and plans["rollout"].generation == plans.get("serving", plans["rollout"]).generation
        ):
            await self._scale(endpoint, plans["rollout"]) if "serving" in plans else await self._roll_out(
                endpoint, plans["rollout"]
            )
        elif "rollout" in plans:
            await self._roll_out(endpoint, plans["rollout"])

    async def _serve_again(self, endpoint: Endpoint, plan: Plan) -> None:
        crew = endpoint.crew = Crew(self._context, self._images, endpoint.route.name, plan)
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

    async def _stop_strays(self, name: str, *, keep: frozenset[str]) -> None:
        """Stop what generations that are no longer wanted have left running, and forget them."""
        folder = home(self._context, name)
        for generation in sorted(folder.iterdir()) if folder.is_dir() else []:
            if generation.name in keep:
                continue
            for note in generation.glob("*/*/container.json"):
                found = await asyncio.to_thread(find, note.parent)
                if found is not None:
                    found[0].terminate()
                    if await asyncio.to_thread(found[0].wait, SHUTDOWN_S) is None:
                        found[0].kill()
            await asyncio.to_thread(shutil.rmtree, generation, ignore_errors=True)

    # Small things.

    def _endpoint(self, name: str, status: str) -> Endpoint:
        route = Route(name, self._context.account, self._context.region, status)
        self.routes[name] = route
        self._endpoints[name] = Endpoint(route)
        return self._endpoints[name]

    def _begin(self, endpoint: Endpoint, work: Coroutine[Any, Any, None]) -> None:
        endpoint.work = asyncio.create_task(work)
        endpoint.work.add_done_callback(_report)

    async def _clear(self, name: str, generation: int) -> None:
        folder = home(self._context, name) / str(generation)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _crews(self) -> list[Crew]:
        found = [(endpoint.crew, endpoint.newcomer) for endpoint in self._endpoints.values()]
        return [crew for pair in found for crew in pair if crew is not None]

    # Captured invocations.

    async def _flush_regularly(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            is_due = time.monotonic() - last >= FLUSH_INTERVAL_S
            last = time.monotonic() if is_due else last
            await self._flush(is_due=is_due)

    async def _flush(self, *, is_due: bool) -> None:
        buffers = [buffer for crew in self._crews() for buffer in buffers_of(crew)]
        await self._write([buffer for buffer in buffers if is_due or buffer.is_full])

    async def _write(self, buffers: list[CaptureBuffer]) -> None:
        for buffer in buffers:
            events = buffer.take()
            if events:
                await asyncio.to_thread(buffer.write, events)


def buffers_of(crew: Crew) -> list[CaptureBuffer]:
    """The capture buffers of a crew's variants."""
    return [variant.capture for variant in crew.fleet.variants.values() if variant.capture is not None]


def changed(resource: Resource, status: str, document: Document, state: Document) -> Resource:
    """The resource with a new status, modified now."""
    return replace(resource, status=status, modified=time.time(), document=document, state=state)


def to_json(plan: Plan) -> Document:
    """A plan as the store keeps it."""
    return dataclasses.asdict(plan)


def _explained(status: str, reason: str) -> str:
    if status == "InService":
        reason = (
            f"The update failed and was rolled back; the endpoint serves its former configuration. {reason}"
        )
    return reason[:1024]


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("A change of an endpoint failed", exc_info=error)
