"""Carries out the accepted invocations of asynchronous endpoints: in order, within their limits, each once.

A request leaves the store only when its answer is an object in S3. What a kill of the service cut short is
invoked again after the restart, and the answer has the same place.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping

from local_sagemaker.base import Service
from local_sagemaker.engine.endpoints import async_requests
from local_sagemaker.engine.endpoints.async_answers import NotReadError, answer, refuse
from local_sagemaker.engine.endpoints.async_requests import AsyncRequest
from local_sagemaker.engine.endpoints.fleet import Target, Variant
from local_sagemaker.engine.endpoints.invoke import Route
from local_sagemaker.storage import disk

log = logging.getLogger(__name__)

#: how often a waiting request looks for a free container while the fleet may change, in seconds
LOOK_S = 0.1
#: pause before a request is tried again whose answer could not be written, in seconds
STORAGE_PAUSE_S = 5.0
EXPIRED = "The request waited longer than {:g} s (RequestTTLSeconds) and has expired."
MISTAKE = "A mistake of this service; its log has the reason."


class Queues:
    """The queues of all endpoints; every method belongs to the event loop."""

    def __init__(self, context: Service, routes: Mapping[str, Route]) -> None:
        self._context, self._routes = context, routes
        self._queues: dict[str, Queue] = {}

    async def start(self) -> None:
        """Go on with every request that the store knows; those of endpoints that are gone are forgotten."""
        for endpoint, request_id in await asyncio.to_thread(async_requests.waiting, self._context.store):
            if endpoint in self._routes:
                self._queue(endpoint).add(request_id, is_old=True)
            else:
                await asyncio.to_thread(async_requests.forget, self._context.store, request_id)

    async def submit(self, request: AsyncRequest) -> bool:
        """Accept a request: it is on the disk when this returns; False if its endpoint has gone meanwhile."""
        await asyncio.to_thread(async_requests.keep, self._context, request)
        if request.endpoint not in self._routes:
            await asyncio.to_thread(async_requests.forget, self._context.store, request.id)
            return False
        self._queue(request.endpoint).add(request.id)
        return True

    def unanswered(self, endpoint: str) -> int:
        """How many requests of an endpoint wait or are under way."""
        queue = self._queues.get(endpoint)
        return 0 if queue is None else queue.unanswered

    async def drop(self, endpoint: str) -> None:
        """Forget all requests of an endpoint that is being deleted."""
        queue = self._queues.pop(endpoint, None)
        if queue is not None:
            await queue.stop()
        store = self._context.store
        for _, request_id in await asyncio.to_thread(async_requests.waiting, store, endpoint):
            await asyncio.to_thread(async_requests.forget, store, request_id)

    async def stop(self) -> None:
        """Let go of what is under way; the store keeps it for the next start."""
        await asyncio.gather(*(queue.stop() for queue in self._queues.values()))

    def _queue(self, endpoint: str) -> Queue:
        if endpoint not in self._queues:
            self._queues[endpoint] = Queue(self._context, self._routes[endpoint])
        return self._queues[endpoint]


class Queue:
    """The requests of one endpoint."""

    def __init__(self, context: Service, route: Route) -> None:
        self._context, self._route = context, route
        self._waiting: deque[tuple[str, bool]] = deque()
        self._is_filled = asyncio.Event()
        #: set when a container has answered
        self._is_freed = asyncio.Event()
        #: whether the first of those that wait is looking for a container
        self._has_next = False
        self._tasks = {asyncio.create_task(self._run())}

    @property
    def unanswered(self) -> int:
        """How many requests wait or are under way."""
        return len(self._waiting) + self._has_next + len(self._tasks) - 1

    def add(self, request_id: str, *, is_old: bool = False) -> None:
        """Let a request wait; `is_old`: a service before this one may have answered it."""
        self._waiting.append((request_id, is_old))
        self._is_filled.set()

    async def stop(self) -> None:
        """Stop working, whatever is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            while not self._waiting:
                self._is_filled.clear()
                await self._is_filled.wait()
            request_id, is_old = self._waiting.popleft()
            self._has_next = True
            try:
                await self._next(request_id, is_old=is_old)
            except Exception:
                log.exception("The request %s of %s is tried again", request_id, self._route.name)
                self._waiting.appendleft((request_id, is_old))
                await asyncio.sleep(STORAGE_PAUSE_S)
            finally:
                self._has_next = False

    async def _next(self, request_id: str, *, is_old: bool) -> None:
        """Wait until a request can be sent, and begin with it."""
        store, objects = self._context.store, self._context.objects
        request = await asyncio.to_thread(async_requests.load, store, request_id)
        if request is None:
            return
        if is_old and await asyncio.to_thread(async_requests.is_answered, objects, request):
            await asyncio.to_thread(async_requests.forget, store, request_id)
            return
        chosen = await self._chosen(request)
        if chosen is not None:
            chosen[1].in_flight += 1
        self._begin(request, chosen)

    async def _chosen(self, request: AsyncRequest) -> tuple[Variant, Target] | None:
        """A container with room for one more; None when the request has waited too long for one."""
        while not request.is_expired:
            fleet = self._route.fleet
            variant = fleet.choose() if fleet is not None else None
            while variant is not None and fleet is self._route.fleet and not request.is_expired:
                target = variant.choose()
                if target is not None and target.in_flight < self._limit:
                    return variant, target
                await self._freed()
            await asyncio.sleep(LOOK_S)
        return None

    async def _freed(self) -> None:
        """Wait until a container has answered, or for a moment: the fleet may change meanwhile."""
        self._is_freed.clear()
        try:
            async with asyncio.timeout(LOOK_S):
                await self._is_freed.wait()
        except TimeoutError:
            pass

    @property
    def _limit(self) -> int:
        return async_requests.per_instance(self._route.asynchronous or {})

    def _begin(self, request: AsyncRequest, chosen: tuple[Variant, Target] | None) -> None:
        task = asyncio.create_task(self._carry_out(request, chosen))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, request: AsyncRequest, chosen: tuple[Variant, Target] | None) -> None:
        try:
            if chosen is None:
                await refuse(self._context, request, EXPIRED.format(request.ttl_s))
            else:
                await self._invoke(request, *chosen)
        except NotReadError:
            # A container that has just ended: its watcher starts it again, and this one has not been read.
            self._waiting.appendleft((request.id, False))
            self._is_filled.set()
        except Exception as error:
            log.exception("An asynchronous invocation of %s failed", request.endpoint)
            if disk.explained(error, self._context.root) is None:
                await refuse(self._context, request, MISTAKE)
                return
            await asyncio.sleep(STORAGE_PAUSE_S)
            # the answer may be there, and only the end of the request not
            self.add(request.id, is_old=True)

    async def _invoke(self, request: AsyncRequest, variant: Variant, target: Target) -> None:
        try:
            await answer(self._context, self._route, request, variant, target)
        finally:
            target.in_flight -= 1
            self._is_freed.set()
