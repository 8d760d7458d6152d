"""InvokeEndpointWithResponseStream over ASGI: its answer begins before the container has ended its own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from local_sagemaker.engine.endpoints.invoke import Route
from local_sagemaker.engine.endpoints.streaming import Client, Headers, stream
from local_sagemaker.protocol.event_stream import CONTENT_TYPE

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

#: the last part of the path of its requests
PATH = "invocations-response-stream"


async def respond(
    route: Route, headers: dict[bytes, bytes], body: bytes, receive: Receive, send: Send
) -> None:
    """Answer one request; InvokeError where the answer is no stream.

    A client that goes away takes its invocation with it: the container sees its connection closed.
    """
    client = Client(_begin(send), _write(send))
    work = asyncio.create_task(stream(route, headers, body, client))
    gone = asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            await work
            await send({"type": "http.response.body", "body": b""})
    finally:
        for task in (work, gone):
            task.cancel()
        await asyncio.gather(work, gone, return_exceptions=True)


def _begin(send: Send) -> Callable[[Headers], Awaitable[None]]:
    async def begin(headers: Headers) -> None:
        own = [(b"content-type", CONTENT_TYPE), (b"x-amzn-requestid", str(uuid.uuid4()).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": [*own, *headers]})

    return begin


def _write(send: Send) -> Callable[[bytes], Awaitable[None]]:
    async def write(piece: bytes) -> None:
        await send({"type": "http.response.body", "body": piece, "more_body": True})

    return write


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
