"""InvokeEndpointWithResponseStream over ASGI: its answer begins before the container has ended its own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from local_sagemaker.engine.endpoints.invoke import EndpointRoute
from local_sagemaker.engine.endpoints.streaming import Headers, StreamClient, stream
from local_sagemaker.protocol import event_stream

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

#: the last part of the path of its requests
PATH = "invocations-response-stream"


async def respond(
    route: EndpointRoute, headers: dict[bytes, bytes], body: bytes, receive: Receive, send: Send
) -> None:
    """Answer one request; raise InvokeError if the answer is not a stream.

    A client that leaves ends its invocation: the container sees its connection closed.
    """
    work = asyncio.create_task(stream(route, headers, body, _client(send)))
    gone = asyncio.create_task(_wait_until_gone(receive))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            await work
            await send({"type": "http.response.body", "body": b""})
    finally:
        for task in (work, gone):
            task.cancel()
        await asyncio.gather(work, gone, return_exceptions=True)


def _client(send: Send) -> StreamClient:
    """Return a client that writes the events of a stream to ASGI's `send`."""

    async def begin(headers: Headers) -> None:
        own = [
            (b"content-type", event_stream.CONTENT_TYPE),
            (b"x-amzn-requestid", str(uuid.uuid4()).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": [*own, *headers]})

    async def send_event(event: bytes) -> None:
        await send({"type": "http.response.body", "body": event, "more_body": True})

    async def send_part(piece: bytes) -> None:
        await send_event(event_stream.part("PayloadPart", piece))

    async def send_error(code: str, members: Mapping[str, str]) -> None:
        await send_event(event_stream.exception(code, members))

    return StreamClient(begin, send_part, send_error)


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
