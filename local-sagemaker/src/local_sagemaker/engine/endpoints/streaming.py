"""InvokeEndpointWithResponseStream: an answer is passed on while the container still writes it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from local_sagemaker.engine.endpoints import invoke
from local_sagemaker.engine.endpoints.fleet import Variant
from local_sagemaker.engine.endpoints.invoke import Route
from local_sagemaker.engine.endpoints.streams import Stream
from local_sagemaker.engine.processes.wire import Answer, ContainerUnreachableError, head
from local_sagemaker.protocol import event_stream

log = logging.getLogger(__name__)

#: SageMaker's limit of a streamed answer, from its request to its last byte, in seconds
TIMEOUT_S = 480.0
#: members of the request that have other headers here than in InvokeEndpoint: theirs -> the container's
RENAMED = {b"x-amzn-sagemaker-accept": b"accept"}
#: how the container's headers are called in the answer
RETURNED = {
    b"content-type": b"x-amzn-sagemaker-content-type",
    b"x-amzn-sagemaker-custom-attributes": b"x-amzn-sagemaker-custom-attributes",
}
#: what an invocation is counted as whose client did not wait for the answer's beginning
CLIENT_GONE = 499
MISTAKE = "A mistake of this service; its log has the reason."
Headers = list[tuple[bytes, bytes]]


@dataclass
class Client:
    """The client of one stream, and what it was sent."""

    #: send the head of the answer, and a piece of its body
    begin: Callable[[Headers], Awaitable[None]]
    write: Callable[[bytes], Awaitable[None]]
    has_begun: bool = False
    #: what the data capture keeps of the answer; None when it keeps nothing
    kept: list[bytes] | None = None
    size: int = field(default=0)

    async def pass_on(self, piece: bytes) -> None:
        """Send a piece of the container's answer as an event."""
        await self.write(event_stream.part("PayloadPart", piece))
        self.size += len(piece)
        if self.kept is not None:
            self.kept.append(piece)
            if self.size > invoke.BODY_LIMIT_BYTES:  # a stream may have no end, and memory has
                self.kept = None

    async def fail(self, code: str, **members: str) -> None:
        """Tell in the middle of the stream that nothing more will come."""
        await self.write(event_stream.exception(code, members))


async def stream(
    route: Route,
    headers: Mapping[bytes, bytes],
    body: bytes,
    client: Client,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Carry out one invocation; returns when its answer has been sent, whole or with an error at its end.

    :param headers: the request's headers, names in lower case.
    :raises InvokeError: where SageMaker answers with an error instead of a stream.
    """
    given = {RENAMED.get(name, name): value for name, value in headers.items() if name != b"accept"}
    invoke.check(given)
    variant = invoke.choose_variant(route, given)
    started, status = time.perf_counter_ns(), 500
    try:
        async with asyncio.timeout(timeout_s):
            status = await _pass_on(route, variant, given, body, client)
    except TimeoutError:
        await _end(route, client, "ModelInvocationTimeExceeded", invoke.TIMED_OUT)
    except ContainerUnreachableError as error:
        await _end(route, client, "StreamBroken", str(error))
    except invoke.InvokeError as error:
        status = int(str(error.members.get("OriginalStatusCode", error.status)))
        raise
    except asyncio.CancelledError:
        # The client went away, which says nothing of the model.
        status = 200 if client.has_begun else CLIENT_GONE
        raise
    except Exception:
        if not client.has_begun:
            raise
        log.exception("A streamed answer of endpoint %s broke off", route.name)
        await client.fail("InternalStreamFailure", Message=MISTAKE)
    finally:
        variant.counters.count(status, (time.perf_counter_ns() - started) // 1000, None)


async def _pass_on(
    route: Route, variant: Variant, headers: Mapping[bytes, bytes], body: bytes, client: Client
) -> int:
    passed = [(name, headers[name]) for name in invoke.PASSED if name in headers]
    request = head("POST", "/invocations", passed, len(body))
    async with answering(route, variant, request, body) as answer:
        if answer.status not in invoke.OK:
            said = await answer.beginning(4 * invoke.MESSAGE_LIMIT)
            raise invoke.model_error(route, answer.status, said.decode("utf-8", "replace"))
        returned = [(RETURNED[name], answer.headers[name]) for name in RETURNED if name in answer.headers]
        client.kept = [] if variant.capture is not None else None
        client.has_begun = True
        await client.begin([*returned, (invoke.VARIANT, variant.name.encode())])
        async for piece in answer.pieces():
            await client.pass_on(piece)
        if client.kept is not None:
            whole = Answer(answer.status, answer.headers, b"".join(client.kept))
            invoke.capture(variant, headers, body, whole)
        return answer.status


@asynccontextmanager
async def answering(route: Route, variant: Variant, request: bytes, body: bytes) -> AsyncIterator[Stream]:
    """The answer of a container; of another one if the first cannot have read the request."""
    for _ in range(len(variant.targets) + 1):
        target = variant.choose() if variant.pool is None else await variant.pool.take(len(body))
        if target is None:
            break
        target.in_flight += 1
        try:
            try:
                answer = await Stream.open(target.client.port, request, body)
            except ContainerUnreachableError as error:
                if not error.is_unread:
                    raise
                # Until its watcher has found it sick or started it again.
                target.is_healthy = False
                continue
            async with answer:
                yield answer
                return
        except (TimeoutError, asyncio.CancelledError):
            # A serverless container is stopped with what it does not end.
            target.is_healthy = target.is_healthy and variant.pool is None
            raise
        finally:
            target.in_flight -= 1
            if variant.pool is not None:
                variant.pool.give_back(target)
    raise invoke.none_running(route, variant)


async def _end(route: Route, client: Client, code: str, message: str) -> None:
    if not client.has_begun:
        raise invoke.model_error(route, 0, message) from None
    await client.fail("ModelStreamError", ErrorCode=code, Message=message)
