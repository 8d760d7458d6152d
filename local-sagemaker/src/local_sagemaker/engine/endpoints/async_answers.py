"""One asynchronous invocation: from its input object to the object that answers it."""

from __future__ import annotations

import asyncio
import logging
import time

from local_sagemaker.base import Service
from local_sagemaker.engine.endpoints import async_requests, invoke
from local_sagemaker.engine.endpoints.async_requests import AsyncRequest, InputError
from local_sagemaker.engine.endpoints.fleet import Target, Variant
from local_sagemaker.engine.endpoints.streams import Stream
from local_sagemaker.engine.processes.wire import ContainerUnreachableError, head
from local_sagemaker.errors import AwsError
from local_sagemaker.storage.objects.draft import Draft
from local_sagemaker.storage.objects.properties import CONTENT_TYPE, Properties

log = logging.getLogger(__name__)


class NotReadError(Exception):
    """No container has read the request: it may be sent once more."""


async def answer(
    context: Service, route: invoke.Route, request: AsyncRequest, variant: Variant, target: Target
) -> None:
    """Invoke a container and write its answer, or why there is none, to S3; then forget the request.

    :raises NotReadError: when the container cannot have read it.
    """
    started, status = time.perf_counter_ns(), 500
    with context.objects.draft() as draft:
        try:
            async with asyncio.timeout(request.timeout_s):
                status, kind = await _ask(context, route, request, target, draft)
        except TimeoutError:
            reason = f"{invoke.TIMED_OUT} (InvocationTimeoutSeconds: {request.timeout_s:g})"
        except ContainerUnreachableError as error:
            if error.is_unread:
                target.is_healthy = False  # until its watcher has found it sick or started it again
                raise NotReadError(str(error)) from error
            reason = f"{error} See the log group {route.log_group}."
        except InputError as error:
            status, reason = 400, str(error)
        except invoke.InvokeError as error:
            status, reason = int(str(error.members["OriginalStatusCode"])), str(error)
        else:
            variant.counters.count(status, (time.perf_counter_ns() - started) // 1000, None)
            await _write(context, request, draft, kind)
            return
    variant.counters.count(status, (time.perf_counter_ns() - started) // 1000, None)
    await refuse(context, request, reason)


async def refuse(context: Service, request: AsyncRequest, reason: str) -> None:
    """Write why there is no answer to the request's failure object, if it has one, and forget the request."""
    log.warning("The asynchronous invocation %s of %s failed: %s", request.id, request.endpoint, reason)
    await asyncio.to_thread(_refuse, context, request, reason)


def _refuse(context: Service, request: AsyncRequest, reason: str) -> None:
    if request.failure_uri is not None:
        try:
            given = Properties("", content_type="text/plain")
            context.objects.put_bytes(*async_requests.place(request.failure_uri), reason.encode(), given)
        except AwsError as error:
            log.warning("Nobody can be told at %s: %s", request.failure_uri, error.message)
    async_requests.forget(context.store, request.id)


async def _ask(
    context: Service, route: invoke.Route, request: AsyncRequest, target: Target, draft: Draft
) -> tuple[int, str]:
    """Fill the draft with the container's answer; its status and content type."""
    file, size = await asyncio.to_thread(async_requests.opened, context.objects, request)
    try:
        headers = [(name.encode(), value.encode("latin-1")) for name, value in request.headers.items()]
        sent = head("POST", "/invocations", headers, size)
        async with await Stream.open(target.client.port, sent, file) as stream:
            if stream.status not in invoke.OK:
                said = await stream.beginning(4 * invoke.MESSAGE_LIMIT)
                raise invoke.model_error(route, stream.status, said.decode("utf-8", "replace"))
            async for piece in stream.pieces():
                await asyncio.to_thread(draft.write, piece)
            return stream.status, stream.content_type
    finally:
        file.close()


async def _write(context: Service, request: AsyncRequest, draft: Draft, content_type: str) -> None:
    given = Properties("", content_type=content_type or CONTENT_TYPE)
    bucket, key = async_requests.place(request.output_uri)
    try:
        await asyncio.to_thread(context.objects.commit, draft, bucket, key, given)
    except AwsError as error:
        await refuse(context, request, f"The answer cannot be put to {request.output_uri}: {error.message}")
        return
    await asyncio.to_thread(async_requests.forget, context.store, request.id)
