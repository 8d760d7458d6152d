"""InvokeEndpoint and InvokeEndpointWithResponseStream as a raw ASGI application, past the generic machinery.

A request to `/endpoints/<name>/invocations` is nothing but headers and a body on their way to a container,
and there may be thousands a second. A streamed answer begins before the container has ended its own.
`GET /endpoints/<name>/metrics` answers with the counters of an endpoint.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import unquote

from local_sagemaker.auth.admission import admit
from local_sagemaker.engine.endpoints.invoke import (
    BODY_LIMIT_BYTES,
    EndpointRoute,
    InvokeError,
    Reply,
    endpoint_figures,
    invalid,
    invoke,
    too_large,
)
from local_sagemaker.engine.endpoints.streaming import Headers, StreamClient, stream
from local_sagemaker.errors import AwsError
from local_sagemaker.protocol import event_stream
from local_sagemaker.protocol.bodies import whole
from local_sagemaker.protocol.http import headers_of, request_of
from local_sagemaker.services import members
from local_sagemaker.services.context import Context

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = logging.getLogger(__name__)

PREFIX = "/endpoints/"
#: the last part of the path of requests whose answer is streamed
STREAM_PATH = "invocations-response-stream"
#: (method, last part of the path) of the requests that are answered here
ANSWERED = frozenset({("POST", "invocations"), ("POST", STREAM_PATH), ("GET", "metrics")})

FAILED = "Invoking endpoint %s failed"
MISTAKE = InvokeError("InternalFailure", 500, "A mistake of this service; its log has the reason.")


class ClientGoneError(Exception):
    """The client has closed the connection before it had sent everything."""


def is_runtime(scope: Scope) -> bool:
    """Whether an HTTP request is one that `application` answers."""
    path: str = scope["path"]
    return path.startswith(PREFIX) and (scope["method"], path.rpartition("/")[2]) in ANSWERED


async def application(context: Context, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request."""
    name, headers = unquote(scope["path"][len(PREFIX) :].rpartition("/")[0]), dict(scope["headers"])
    try:
        sent = await _body(headers, receive)
        if context.credentials is not None:
            await admit(context.credentials, request_of(scope, headers_of(scope), whole(sent)), "rest-json")
        if scope["method"] == "GET":
            reply = Reply(200, [(b"content-type", b"application/json")], _figures(context, name))
        elif scope["path"].endswith(STREAM_PATH):
            # a client that leaves ends its invocation: the container sees its connection closed
            _refuse_members("InvokeEndpointWithResponseStream", headers)
            work = asyncio.create_task(stream(_route(context, name), headers, sent, _stream_client(send)))
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
            return
        else:
            reply = await reply_to(context, name, headers, sent)
    except InvokeError as error:
        reply = error.reply()
    except AwsError as error:
        reply = InvokeError(error.code, error.status, error.message).reply()
    except ClientGoneError:
        return
    except Exception:
        log.exception(FAILED, name)
        reply = MISTAKE.reply()
    await _answer(send, reply)


async def reply_to(context: Context, name: str, headers: Mapping[bytes, bytes], body: bytes) -> Reply:
    """Return the reply to a whole request that invokes an endpoint, be it an error.

    :param headers: names in lower case.
    """
    try:
        _refuse_members("InvokeEndpoint", headers)
        return await invoke(_route(context, name), headers, body)
    except InvokeError as error:
        return error.reply()
    except Exception:
        log.exception(FAILED, name)
        return MISTAKE.reply()


def _refuse_members(operation: str, headers: Mapping[bytes, bytes]) -> None:
    refused = members.refused_headers("sagemaker-runtime", operation)
    for name in refused.keys() & headers.keys():
        raise invalid(refused[name])


def _figures(context: Context, name: str) -> bytes:
    figures, unanswered = endpoint_figures(_route(context, name)), context.hosting.queues.unanswered(name)
    return json.dumps({**figures, "unanswered": unanswered}).encode()


def _route(context: Context, name: str) -> EndpointRoute:
    route: EndpointRoute | None = context.hosting.routes.get(name)
    if route is None:
        raise invalid(f"Endpoint {name} of account {context.account} not found.")
    return route


async def _body(headers: dict[bytes, bytes], receive: Receive) -> bytes:
    """Return the request's body; raise an error as soon as it is known to be too large."""
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > BODY_LIMIT_BYTES:
        raise too_large(int(announced))
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body", False):
        chunks, size = [body], len(body)
        while message.get("more_body", False):
            message = await receive()
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > BODY_LIMIT_BYTES:
                raise too_large(size)
        body = b"".join(chunks)
    if message["type"] == "http.disconnect":
        raise ClientGoneError
    return body


async def _answer(send: Send, reply: Reply) -> None:
    headers = [
        *reply.headers,
        (b"content-length", b"%d" % len(reply.body)),
        (b"x-amzn-requestid", str(uuid.uuid4()).encode()),
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


def _stream_client(send: Send) -> StreamClient:
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
