"""The requests of asynchronous endpoints: accepted into the store, and carried out in order, each once.

A request leaves the store only when its answer is an object in S3. After a kill of the service, a request
that was under way is invoked again, and its answer has the same key.
"""

from __future__ import annotations

import asyncio
import base64
import io
import logging
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import BinaryIO

from local_sagemaker.base import Service
from local_sagemaker.engine.endpoints import invoke
from local_sagemaker.engine.endpoints.fleet import Target, Variant
from local_sagemaker.engine.endpoints.invoke import EndpointRoute
from local_sagemaker.engine.endpoints.streaming import MISTAKE, StreamedExchange
from local_sagemaker.engine.jobs.channels import bucket_and_key
from local_sagemaker.engine.processes.tasks import cancel, run_in_background
from local_sagemaker.engine.processes.wire import ContainerUnreachableError, head
from local_sagemaker.errors import AwsError
from local_sagemaker.storage import disk
from local_sagemaker.storage.objects.draft import Draft
from local_sagemaker.storage.objects.objects import ObjectStore
from local_sagemaker.storage.objects.properties import CONTENT_TYPE, Properties
from local_sagemaker.storage.store import Query, Resource, Store

log = logging.getLogger(__name__)

KIND = "async-invocation"
#: SageMaker's limit of an input object, in bytes
INPUT_LIMIT_BYTES = 1024**3
#: stands for the "optimal value" that SageMaker chooses for MaxConcurrentInvocationsPerInstance
DEFAULT_PER_INSTANCE = 4
#: how many requests are read at once; each comes with its body
PAGE = 200
#: how often a waiting request looks for a free container while the fleet may change, in seconds
LOOK_S = 0.1
#: pause before a request is tried again whose answer could not be written, in seconds
STORAGE_PAUSE_S = 5.0
EXPIRED = "The request waited longer than {:g} s (RequestTTLSeconds) and has expired."


class InputError(Exception):
    """The model cannot get the input; the text says why."""


@dataclass(frozen=True, kw_only=True)
class AsyncRequest:
    """One request as it was accepted: later changes of the endpoint's configuration do not touch it."""

    #: unique; names the objects that answer the request
    id: str
    endpoint: str
    #: headers for the container, names in lower case
    headers: Mapping[str, str]
    #: S3 URI of the body; None: it is `body`
    input_uri: str | None
    #: the body in base64
    body: str | None
    #: S3 URI of the answer
    output_uri: str
    #: S3 URI of the error if the request fails; None: it is not written
    failure_uri: str | None
    #: seconds since 1970
    accepted: float
    #: how long it may wait, in seconds
    ttl_s: float
    #: how long the container may take, in seconds
    timeout_s: float

    @property
    def is_expired(self) -> bool:
        """Return whether it has waited too long."""
        return time.time() > self.accepted + self.ttl_s


def keep_request(service: Service, request: AsyncRequest) -> None:
    """Put a request into the store; it is on the disk on return."""
    resource = Resource(
        kind=KIND,
        name=request.id,
        arn=service.arn("sagemaker", f"{KIND}/{request.id}"),
        created=request.accepted,
        modified=request.accepted,
        document={},
        state=asdict(request),
        parent=request.endpoint,
    )
    service.store.insert(resource)


def load_request(service: Service, request_id: str) -> AsyncRequest | None:
    """Return a request that is not answered yet; None if it is, or is forgotten."""
    resource = service.store.get(KIND, request_id)
    request = None if resource is None else AsyncRequest(**resource.state)
    if request is not None and is_answered(service.objects, request):
        # the service was killed, or the disk was full, between the answer and this
        forget_request(service.store, request_id)
        return None
    return request


def waiting_requests(store: Store, endpoint: str | None = None) -> list[tuple[str, str]]:
    """Return endpoint and id of every request (of one endpoint) without an answer, the oldest first."""
    waiting: list[tuple[str, str]] = []
    query = Query(parent=endpoint, limit=PAGE)
    while requests := store.search(KIND, query):
        waiting += [(resource.parent, resource.name) for resource in requests]
        query = replace(query, after=(requests[-1].created, requests[-1].name))
    return waiting


def forget_request(store: Store, request_id: str) -> None:
    """Delete a request that is answered, or whose endpoint is gone."""
    store.delete(KIND, request_id)


def is_answered(objects: ObjectStore, request: AsyncRequest) -> bool:
    """Return whether a request has its answer; a key that the client chose proves nothing."""
    uris = [uri for uri in (request.output_uri, request.failure_uri) if uri and request.id in uri]
    return any(
        objects.has_bucket(bucket) and objects.find_object(bucket, key) is not None
        for bucket, key in map(bucket_and_key, uris)
    )


def open_input(objects: ObjectStore, request: AsyncRequest) -> tuple[BinaryIO, int, Mapping[str, str]]:
    """Return a request's body as an open file, its size and headers; raise InputError if there is none.

    An object's content type is that of the request, unless the request has its own.
    """
    if request.input_uri is None:
        body = base64.b64decode(request.body or "")
        return io.BytesIO(body), len(body), request.headers
    bucket, key = bucket_and_key(request.input_uri)
    if not key or not objects.has_bucket(bucket) or objects.find_object(bucket, key) is None:
        raise InputError(f"There is no object {request.input_uri}. Upload the input before it is invoked.")
    info, file = objects.open(bucket, key)
    if info.size > INPUT_LIMIT_BYTES:
        file.close()
        raise InputError(
            f"{request.input_uri} has {info.size} bytes, and an asynchronous invocation takes at most "
            f"{INPUT_LIMIT_BYTES}. Split it, or use a batch transform job."
        )
    return file, info.size, {"content-type": info.properties.content_type, **request.headers}


def finish_request(service: Service, request: AsyncRequest, reason: str) -> None:
    """Forget a request that has ended; write the reason to its failure object if it has failed and has one.

    :param reason: empty if the request is answered.
    """
    if reason:
        log.warning("The asynchronous invocation %s of %s failed: %s", request.id, request.endpoint, reason)
    if reason and request.failure_uri is not None:
        try:
            properties = Properties("", content_type="text/plain")
            bucket, key = bucket_and_key(request.failure_uri)
            service.objects.put_bytes(bucket, key, reason.encode(), properties)
        except AwsError as error:
            log.warning("Cannot write the failure to %s: %s", request.failure_uri, error.message)
    forget_request(service.store, request.id)


class AsyncRequestQueues:
    """The queues of all endpoints; every method belongs to the event loop."""

    def __init__(self, service: Service, routes: Mapping[str, EndpointRoute]) -> None:
        self._service, self._routes = service, routes
        self._queues: dict[str, AsyncRequestQueue] = {}

    async def start(self) -> None:
        """Resume every stored request; forget those of deleted endpoints."""
        store = self._service.store
        for endpoint, request_id in await asyncio.to_thread(waiting_requests, store):
            if endpoint in self._routes:
                self._add(endpoint, request_id)
            else:
                await asyncio.to_thread(forget_request, store, request_id)

    async def submit(self, request: AsyncRequest) -> bool:
        """Accept a request; it is on the disk on return. Return False if its endpoint has been deleted."""
        await asyncio.to_thread(keep_request, self._service, request)
        if request.endpoint not in self._routes:
            await asyncio.to_thread(forget_request, self._service.store, request.id)
            return False
        self._add(request.endpoint, request.id)
        return True

    def unanswered(self, endpoint: str) -> int:
        """Return how many requests of an endpoint wait or are under way."""
        queue = self._queues.get(endpoint)
        return 0 if queue is None else queue.unanswered

    async def drop(self, endpoint: str) -> None:
        """Forget all requests of an endpoint that is being deleted."""
        queue = self._queues.pop(endpoint, None)
        if queue is not None:
            await cancel(*queue.tasks)
        store = self._service.store
        for _, request_id in await asyncio.to_thread(waiting_requests, store, endpoint):
            await asyncio.to_thread(forget_request, store, request_id)

    async def stop(self) -> None:
        """Stop all work; the store keeps the requests for the next start."""
        await cancel(*(task for queue in self._queues.values() for task in queue.tasks))

    def _add(self, endpoint: str, request_id: str) -> None:
        if endpoint not in self._queues:
            self._queues[endpoint] = AsyncRequestQueue(self._service, self._routes[endpoint])
        self._queues[endpoint].add(request_id)


class AsyncRequestQueue:
    """The requests of one endpoint."""

    def __init__(self, service: Service, route: EndpointRoute) -> None:
        self._service, self._route = service, route
        self._waiting: deque[str] = deque()
        self._is_filled = asyncio.Event()
        #: set when a container has answered
        self._is_freed = asyncio.Event()
        #: whether the first waiting request is looking for a container
        self._is_choosing = False
        self.tasks = {asyncio.create_task(self._run())}

    @property
    def unanswered(self) -> int:
        """Return how many requests wait or are under way."""
        return len(self._waiting) + self._is_choosing + len(self.tasks) - 1

    def add(self, request_id: str) -> None:
        """Append a request."""
        self._waiting.append(request_id)
        self._is_filled.set()

    async def _run(self) -> None:
        while True:
            while not self._waiting:
                self._is_filled.clear()
                await self._is_filled.wait()
            request_id = self._waiting.popleft()
            self._is_choosing = True
            try:
                request = await asyncio.to_thread(load_request, self._service, request_id)
                if request is not None:
                    chosen = await self._choose_container(request)
                    if chosen is not None:
                        chosen[1].in_flight += 1
                    run_in_background(self.tasks, self._carry_out(request, chosen))
            except Exception:
                log.exception("Trying the request %s of %s again", request_id, self._route.name)
                self._waiting.appendleft(request_id)
                await asyncio.sleep(STORAGE_PAUSE_S)
            finally:
                self._is_choosing = False

    async def _choose_container(self, request: AsyncRequest) -> tuple[Variant, Target] | None:
        """Return a container below its limit; None if the request has expired."""
        while not request.is_expired:
            fleet = self._route.fleet
            variant = fleet.choose_variant() if fleet is not None else None
            while variant is not None and fleet is self._route.fleet and not request.is_expired:
                target = variant.choose_target()
                config = (self._route.asynchronous or {}).get("ClientConfig", {})
                limit = config.get("MaxConcurrentInvocationsPerInstance", DEFAULT_PER_INSTANCE)
                if target is not None and target.in_flight < limit:
                    return variant, target
                # but no longer than LOOK_S: the fleet may change meanwhile
                self._is_freed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._is_freed.wait(), LOOK_S)
            await asyncio.sleep(LOOK_S)
        return None

    async def _carry_out(self, request: AsyncRequest, chosen: tuple[Variant, Target] | None) -> None:
        try:
            reason = await self._answer(request, *chosen) if chosen else EXPIRED.format(request.ttl_s)
            await asyncio.to_thread(finish_request, self._service, request, reason)
        except ContainerUnreachableError:
            # It has just ended. Its watcher starts it again, and the request was not read.
            self._waiting.appendleft(request.id)
            self._is_filled.set()
        except Exception as error:
            log.exception("An asynchronous invocation of %s failed", request.endpoint)
            if disk.explained(error, self._service.root) is None:
                await asyncio.to_thread(finish_request, self._service, request, MISTAKE)
                return
            await asyncio.sleep(STORAGE_PAUSE_S)
            self.add(request.id)

    async def _answer(self, request: AsyncRequest, variant: Variant, target: Target) -> str:
        """Invoke a container and write its answer to S3; return an empty text, or why that failed.

        :raises ContainerUnreachableError: when the container cannot have read the request.
        """
        started, status, reason, objects = time.perf_counter_ns(), 500, "", self._service.objects
        with objects.draft() as draft:
            try:
                async with asyncio.timeout(request.timeout_s):
                    status, content_type = await self._fill_draft(request, target, draft)
            except TimeoutError:
                reason = f"{invoke.TIMED_OUT} (InvocationTimeoutSeconds: {request.timeout_s:g})"
            except ContainerUnreachableError as error:
                if error.is_unread:
                    target.is_healthy = False  # until its watcher finds out or starts it again
                    raise
                reason = f"{error} See the log group {self._route.log_group}."
            except InputError as error:
                status, reason = 400, str(error)
            except invoke.InvokeError as error:
                status, reason = error.counted, str(error)
            finally:
                target.in_flight -= 1
                self._is_freed.set()
            variant.counters.count(status, (time.perf_counter_ns() - started) // 1000, None)
            if reason:
                return reason
            properties = Properties("", content_type=content_type or CONTENT_TYPE)
            try:
                await asyncio.to_thread(
                    objects.commit, draft, *bucket_and_key(request.output_uri), properties
                )
            except AwsError as error:
                return f"The answer cannot be written to {request.output_uri}: {error.message}"
            return ""

    async def _fill_draft(self, request: AsyncRequest, target: Target, draft: Draft) -> tuple[int, str]:
        """Write the container's answer into the draft; return its status and content type."""
        file, size, given = await asyncio.to_thread(open_input, self._service.objects, request)
        with file:
            headers = [(name.encode(), value.encode("latin-1")) for name, value in given.items()]
            sent = head("POST", "/invocations", headers, size)
            async with await StreamedExchange.open(target.client.port, sent, file) as exchange:
                if exchange.status not in invoke.OK:
                    message = await exchange.beginning(4 * invoke.MESSAGE_LIMIT)
                    text = message.decode("utf-8", "replace")
                    raise invoke.model_error(self._route, exchange.status, text)
                async for piece in exchange.body():
                    await asyncio.to_thread(draft.write, piece)
                return exchange.status, exchange.headers.get(b"content-type", b"").decode("latin-1")
