"""InvokeEndpointWithResponseStream, and exchanges with a container that are passed on piece by piece.

A streamed exchange has a connection of its own. The request goes out and the answer comes in at the pace of
the slower side; only a few pieces are in memory. Asynchronous inference uses it too, for its long bodies.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, Self

from local_sagemaker.engine.endpoints import invoke
from local_sagemaker.engine.endpoints.fleet import Target, Variant
from local_sagemaker.engine.endpoints.invoke import EndpointRoute
from local_sagemaker.engine.processes import wire

log = logging.getLogger(__name__)

#: SageMaker's limit of a streamed answer, from its request to its last byte, in seconds
TIMEOUT_S = 480.0
#: header of the request -> header that the container gets, where they differ from InvokeEndpoint
RENAMED = {b"x-amzn-sagemaker-accept": b"accept"}
#: header of the container's answer -> header that the client gets
RETURNED = {
    b"content-type": b"x-amzn-sagemaker-content-type",
    b"x-amzn-sagemaker-custom-attributes": b"x-amzn-sagemaker-custom-attributes",
}
#: status that is counted for an invocation whose client left before the answer began
CLIENT_GONE = 499
MISTAKE = "A mistake of this service; its log has the reason."
#: largest piece read from a container, and from a file, in bytes
PIECE_BYTES, FILE_PIECE_BYTES = 65_536, 262_144
Headers = list[tuple[bytes, bytes]]


@dataclass
class StreamClient:
    """The client of one stream, and the part of the answer that it was sent."""

    #: sends the head of the answer
    begin: Callable[[Headers], Awaitable[None]]
    #: sends a piece of its body
    send_part: Callable[[bytes], Awaitable[None]]
    #: sends an error, by its code and members, in place of the rest
    send_error: Callable[[str, Mapping[str, str]], Awaitable[None]]
    has_begun: bool = False
    #: the answer so far, for the data capture; None if it is not captured
    kept: list[bytes] | None = None
    size: int = 0

    async def pass_on(self, piece: bytes) -> None:
        """Send a piece of the container's answer."""
        await self.send_part(piece)
        self.size += len(piece)
        if self.kept is not None:
            self.kept.append(piece)
            if self.size > invoke.BODY_LIMIT_BYTES:  # a stream may be endless
                self.kept = None


async def stream(
    route: EndpointRoute,
    headers: Mapping[bytes, bytes],
    body: bytes,
    client: StreamClient,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Carry out one invocation; return when the answer is sent, whole or with an error at its end.

    :param headers: the request's headers, names in lower case.
    :raises InvokeError: where SageMaker answers with an error instead of a stream.
    """
    renamed = {RENAMED.get(name, name): value for name, value in headers.items() if name != b"accept"}
    invoke.check_headers(renamed)
    variant = invoke.choose_variant(route, renamed)
    if variant.is_multi_model:
        raise invoke.invalid(
            f"Endpoint {route.name} is a multi-model endpoint, which does not stream its answers. Use "
            "InvokeEndpoint."
        )
    if variant.next_stage is not None:
        raise invoke.invalid(
            f"Endpoint {route.name} serves an inference pipeline, which does not stream its answers. Use "
            "InvokeEndpoint."
        )
    invoke.send_copy(route, variant, renamed, body)
    started, status = time.perf_counter_ns(), 500
    try:
        async with asyncio.timeout(timeout_s):
            status = await _pass_on(route, variant, renamed, body, client)
    except TimeoutError:
        await _end(route, client, "ModelInvocationTimeExceeded", invoke.TIMED_OUT)
    except wire.ContainerUnreachableError as error:
        await _end(route, client, "StreamBroken", str(error))
    except invoke.InvokeError as error:
        status = error.counted
        raise
    except asyncio.CancelledError:
        # The client has left, which says nothing about the model.
        status = 200 if client.has_begun else CLIENT_GONE
        raise
    except Exception:
        if not client.has_begun:
            raise
        log.exception("A streamed answer of endpoint %s broke off", route.name)
        await client.send_error("InternalStreamFailure", {"Message": MISTAKE})
    finally:
        variant.counters.count(status, (time.perf_counter_ns() - started) // 1000, None)


async def _pass_on(
    route: EndpointRoute, variant: Variant, headers: Mapping[bytes, bytes], body: bytes, client: StreamClient
) -> int:
    """Send the request to a container, and its answer to the client; return the answer's status."""
    passed = [(name, headers[name]) for name in invoke.PASSED if name in headers]
    request = wire.head("POST", "/invocations", passed, len(body))

    async def exchange(target: Target) -> int:
        async with await StreamedExchange.open(target.client.port, request, body) as answer:
            if answer.status not in invoke.OK:
                message = await answer.beginning(4 * invoke.MESSAGE_LIMIT)
                raise invoke.model_error(route, answer.status, message.decode("utf-8", "replace"))
            given = answer.headers
            returned = [(RETURNED[name], given[name]) for name in RETURNED if name in given]
            client.kept = [] if variant.capture is not None else None
            client.has_begun = True
            await client.begin([*returned, (invoke.VARIANT, variant.name.encode())])
            async for piece in answer.body():
                await client.pass_on(piece)
            if client.kept is not None:
                whole = wire.Answer(answer.status, given, b"".join(client.kept))
                invoke.capture_invocation(variant, headers, body, whole)
            return answer.status

    return await invoke.use_container(route, variant, len(body), exchange)


async def _end(route: EndpointRoute, client: StreamClient, code: str, message: str) -> None:
    if not client.has_begun:
        raise invoke.model_error(route, 0, message) from None
    await client.send_error("ModelStreamError", {"ErrorCode": code, "Message": message})


class StreamedExchange(wire.AnswerParser):
    """One request and its answer, which is read piece by piece; `async with` closes the connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__()
        self._reader, self._writer = reader, writer
        self._sender: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, port: int, head: bytes, body: bytes | BinaryIO) -> Self:
        """Send a request to 127.0.0.1; return when the head of the answer has come.

        :param body: the bytes, or a file that is read from its present position.
        :raises ContainerUnreachableError: when there is no answer.
        """
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=PIECE_BYTES)
        except OSError as error:
            raise wire.not_listening(port, error) from error
        exchange = cls(reader, writer)
        # A container may answer before it has read everything, so both directions run at the same time.
        exchange._sender = asyncio.create_task(exchange._send(head, body))
        try:
            while not exchange.has_head:
                await exchange._read()
        except BaseException:
            await exchange.__aexit__()
            raise
        return exchange

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connection, even in the middle of the answer."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        self._writer.transport.abort()

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the answer's body as it comes; raise ContainerUnreachableError if it breaks off."""
        while True:
            while self.pieces:
                yield self.pieces.popleft()
            if self.is_complete:
                return
            await self._read()

    async def beginning(self, limit: int) -> bytes:
        """Return the first bytes of the body, for an error message; fewer if it breaks off."""
        beginning = b""
        with suppress(wire.ContainerUnreachableError):
            async for piece in self.body():
                beginning += piece
                if len(beginning) >= limit:
                    break
        return beginning[:limit]

    async def _send(self, head: bytes, body: bytes | BinaryIO) -> None:
        self._writer.write(head)
        if isinstance(body, bytes):
            self._writer.write(body)
            await self._writer.drain()
            return
        while piece := await asyncio.to_thread(body.read, FILE_PIECE_BYTES):
            self._writer.write(piece)
            await self._writer.drain()

    async def _read(self) -> None:
        try:
            data = await self._reader.read(PIECE_BYTES)
        except OSError as error:
            raise wire.broken_off(f": {error}") from error
        if data:
            self.feed(data)
        else:
            self.end()
