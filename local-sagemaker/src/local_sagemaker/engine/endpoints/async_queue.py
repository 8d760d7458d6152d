"""Carries out the accepted requests of asynchronous endpoints: in order, within their limits, each once.

A request leaves the store only when its answer is an object in S3. After a kill of the service, a request
that was under way is invoked again, and its answer has the same key.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping

from local_sagemaker.base import Service
from local_sagemaker.engine.endpoints import async_requests, invoke
from local_sagemaker.engine.endpoints.async_requests import AsyncRequest, InputError
from local_sagemaker.engine.endpoints.fleet import Target, Variant
from local_sagemaker.engine.endpoints.invoke import EndpointRoute
from local_sagemaker.engine.endpoints.streaming import StreamedExchange
from local_sagemaker.engine.processes.wire import ContainerUnreachableError, head
from local_sagemaker.errors import AwsError
from local_sagemaker.storage import disk
from local_sagemaker.storage.objects.draft import Draft
from local_sagemaker.storage.objects.properties import CONTENT_TYPE, Properties

log = logging.getLogger(__name__)

#: how often a waiting request looks for a free container while the fleet may change, in seconds
LOOK_S = 0.1
#: pause before a request is tried again whose answer could not be written, in seconds
STORAGE_PAUSE_S = 5.0
EXPIRED = "The request waited longer than {:g} s (RequestTTLSeconds) and has expired."
MISTAKE = "A mistake of this service; its log has the reason."


class AsyncRequestQueues:
    """The queues of all endpoints; every method belongs to the event loop."""

    def __init__(self, service: Service, routes: Mapping[str, EndpointRoute]) -> None:
        self._service, self._routes = service, routes
        self._queues: dict[str, AsyncRequestQueue] = {}

    async def start(self) -> None:
        """Resume every stored request; forget those of deleted endpoints."""
        for endpoint, request_id in await asyncio.to_thread(
            async_requests.waiting_requests, self._service.store
        ):
            if endpoint in self._routes:
                self._queue(endpoint).add(request_id, is_old=True)
            else:
                await asyncio.to_thread(async_requests.forget_request, self._service.store, request_id)

    async def submit(self, request: AsyncRequest) -> bool:
        """Accept a request; it is on the disk on return. Return False if its endpoint has been deleted."""
        await asyncio.to_thread(async_requests.keep_request, self._service, request)
        if request.endpoint not in self._routes:
            await asyncio.to_thread(async_requests.forget_request, self._service.store, request.id)
            return False
        self._queue(request.endpoint).add(request.id)
        return True

    def unanswered(self, endpoint: str) -> int:
        """Return how many requests of an endpoint wait or are under way."""
        queue = self._queues.get(endpoint)
        return 0 if queue is None else queue.unanswered

    async def drop(self, endpoint: str) -> None:
        """Forget all requests of an endpoint that is being deleted."""
        queue = self._queues.pop(endpoint, None)
        if queue is not None:
            await queue.stop()
        store = self._service.store
        for _, request_id in await asyncio.to_thread(async_requests.waiting_requests, store, endpoint):
            await asyncio.to_thread(async_requests.forget_request, store, request_id)

    async def stop(self) -> None:
        """Stop all work; the store keeps the requests for the next start."""
        await asyncio.gather(*(queue.stop() for queue in self._queues.values()))

    def _queue(self, endpoint: str) -> AsyncRequestQueue:
        if endpoint not in self._queues:
            self._queues[endpoint] = AsyncRequestQueue(self._service, self._routes[endpoint])
        return self._queues[endpoint]


class AsyncRequestQueue:
    """The requests of one endpoint."""

    def __init__(self, service: Service, route: EndpointRoute) -> None:
        self._service, self._route = service, route
        self._waiting: deque[tuple[str, bool]] = deque()
        self._is_filled = asyncio.Event()
        #: set when a container has answered
        self._is_freed = asyncio.Event()
        #: whether the first waiting request is looking for a container
        self._is_choosing = False
        self._tasks = {asyncio.create_task(self._run())}

    @property
    def unanswered(self) -> int:
        """Return how many requests wait or are under way."""
        return len(self._waiting) + self._is_choosing + len(self._tasks) - 1

    def add(self, request_id: str, *, is_old: bool = False) -> None:
        """Append a request; `is_old`: an earlier service may have answered it."""
        self._waiting.append((request_id, is_old))
        self._is_filled.set()

    async def stop(self) -> None:
        """Stop all work."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            while not self._waiting:
                self._is_filled.clear()
                await self._is_filled.wait()
            request_id, is_old = self._waiting.popleft()
            self._is_choosing = True
            try:
                await self._start_request(request_id, is_old=is_old)
            except Exception:
                log.exception("Trying the request %s of %s again", request_id, self._route.name)
                self._waiting.appendleft((request_id, is_old))
                await asyncio.sleep(STORAGE_PAUSE_S)
            finally:
                self._is_choosing = False

    async def _start_request(self, request_id: str, *, is_old: bool) -> None:
        """Wait until a request can be sent, and start it."""
        store, objects = self._service.store, self._service.objects
        request = await asyncio.to_thread(async_requests.load_request, store, request_id)
        if request is None:
            return
        if is_old and await asyncio.to_thread(async_requests.is_answered, objects, request):
            await asyncio.to_thread(async_requests.forget_request, store, request_id)
            return
        chosen = await self._choose_container(request)
        if chosen is not None:
            chosen[1].in_flight += 1
        self._run_in_background(request, chosen)

    async def _choose_container(self, request: AsyncRequest) -> tuple[Variant, Target] | None:
        """Return a container below its limit; None if the request has expired."""
        while not request.is_expired:
            fleet = self._route.fleet
            variant = fleet.choose_variant() if fleet is not None else None
            while variant is not None and fleet is self._route.fleet and not request.is_expired:
                target = variant.choose_target()
                if target is not None and target.in_flight < self._limit:
                    return variant, target
                await self._wait_for_change()
            await asyncio.sleep(LOOK_S)
        return None

    async def _wait_for_change(self) -> None:
        """Wait until a container has answered, but only for LOOK_S: the fleet may change meanwhile."""
        self._is_freed.clear()
        try:
            async with asyncio.timeout(LOOK_S):
                await self._is_freed.wait()
        except TimeoutError:
            pass

    @property
    def _limit(self) -> int:
        return async_requests.invocations_per_instance(self._route.asynchronous or {})

    def _run_in_background(self, request: AsyncRequest, chosen: tuple[Variant, Target] | None) -> None:
        task = asyncio.create_task(self._carry_out(request, chosen))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, request: AsyncRequest, chosen: tuple[Variant, Target] | None) -> None:
        try:
            if chosen is None:
                await fail_request(self._service, request, EXPIRED.format(request.ttl_s))
            else:
                await self._invoke(request, *chosen)
        except RequestUnreadError:
            # The container has just ended. Its watcher starts it again, and the request was not read.
            self._waiting.appendleft((request.id, False))
            self._is_filled.set()
        except Exception as error:
            log.exception("An asynchronous invocation of %s failed", request.endpoint)
            if disk.explained(error, self._service.root) is None:
                await fail_request(self._service, request, MISTAKE)
                return
            await asyncio.sleep(STORAGE_PAUSE_S)
            # the answer may be written, and only the request not forgotten
            self.add(request.id, is_old=True)

    async def _invoke(self, request: AsyncRequest, variant: Variant, target: Target) -> None:
        try:
            await answer_request(self._service, self._route, request, variant, target)
        finally:
            target.in_flight -= 1
            self._is_freed.set()


class RequestUnreadError(Exception):
    """The container has not read the request: it may be sent again."""


async def answer_request(
    service: Service, route: EndpointRoute, request: AsyncRequest, variant: Variant, target: Target
) -> None:
    """Invoke a container, write its answer or its error to S3, and forget the request.

    :raises RequestUnreadError: when the container cannot have read the request.
    """
    started, status = time.perf_counter_ns(), 500
    with service.objects.draft() as draft:
        try:
            async with asyncio.timeout(request.timeout_s):
                status, content_type = await _fill_draft(service, route, request, target, draft)
        except TimeoutError:
            reason = f"{invoke.TIMED_OUT} (InvocationTimeoutSeconds: {request.timeout_s:g})"
        except ContainerUnreachableError as error:
            if error.is_unread:
                target.is_healthy = False  # until its watcher finds out or starts it again
                raise RequestUnreadError(str(error)) from error
            reason = f"{error} See the log group {route.log_group}."
        except InputError as error:
            status, reason = 400, str(error)
        except invoke.InvokeError as error:
            status, reason = int(str(error.members["OriginalStatusCode"])), str(error)
        else:
            variant.counters.count(status, (time.perf_counter_ns() - started) // 1000, None)
            await _write_answer(service, request, draft, content_type)
            return
    variant.counters.count(status, (time.perf_counter_ns() - started) // 1000, None)
    await fail_request(service, request, reason)


async def fail_request(service: Service, request: AsyncRequest, reason: str) -> None:
    """Write the reason to the request's failure object, if it has one, and forget the request."""
    log.warning("The asynchronous invocation %s of %s failed: %s", request.id, request.endpoint, reason)
    await asyncio.to_thread(_write_failure, service, request, reason)


def _write_failure(service: Service, request: AsyncRequest, reason: str) -> None:
    if request.failure_uri is not None:
        try:
            properties = Properties("", content_type="text/plain")
            bucket, key = async_requests.bucket_and_key(request.failure_uri)
            service.objects.put_bytes(bucket, key, reason.encode(), properties)
        except AwsError as error:
            log.warning("Cannot write the failure to %s: %s", request.failure_uri, error.message)
    async_requests.forget_request(service.store, request.id)


async def _fill_draft(
    service: Service, route: EndpointRoute, request: AsyncRequest, target: Target, draft: Draft
) -> tuple[int, str]:
    """Write the container's answer into the draft; return its status and content type."""
    file, size = await asyncio.to_thread(async_requests.open_input, service.objects, request)
    try:
        headers = [(name.encode(), value.encode("latin-1")) for name, value in request.headers.items()]
        sent = head("POST", "/invocations", headers, size)
        async with await StreamedExchange.open(target.client.port, sent, file) as exchange:
            if exchange.status not in invoke.OK:
                message = await exchange.beginning(4 * invoke.MESSAGE_LIMIT)
                raise invoke.model_error(route, exchange.status, message.decode("utf-8", "replace"))
            async for piece in exchange.pieces():
                await asyncio.to_thread(draft.write, piece)
            return exchange.status, exchange.content_type
    finally:
        file.close()


async def _write_answer(service: Service, request: AsyncRequest, draft: Draft, content_type: str) -> None:
    properties = Properties("", content_type=content_type or CONTENT_TYPE)
    bucket, key = async_requests.bucket_and_key(request.output_uri)
    try:
        await asyncio.to_thread(service.objects.commit, draft, bucket, key, properties)
    except AwsError as error:
        reason = f"The answer cannot be written to {request.output_uri}: {error.message}"
        await fail_request(service, request, reason)
        return
    await asyncio.to_thread(async_requests.forget_request, service.store, request.id)
