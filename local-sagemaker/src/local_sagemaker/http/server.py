"""The ASGI application: one port for all services."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

from local_sagemaker.errors import AwsError
from local_sagemaker.http import browsers, pages, runtime
from local_sagemaker.http.connection import HEAD_LIMIT_BYTES, TOO_LONG
from local_sagemaker.http.dispatch import dispatch, failed
from local_sagemaker.http.runtime import Receive, Scope, Send
from local_sagemaker.protocol.bodies import BodyStream, DisconnectedError, FileBody
from local_sagemaker.protocol.http import HttpRequest, HttpResponse, headers_of, request_of
from local_sagemaker.services.context import Context
from local_sagemaker.services.sagemaker import notebooks_login
from local_sagemaker.storage import threads

log = logging.getLogger(__name__)

PIECE_BYTES = 1024 * 1024
SMALL_BYTES = 65_536
#: how much of a body that nobody wants is read to keep the connection
DRAIN_LIMIT_BYTES = 16 * 1024 * 1024


class Application:
    """Answers every HTTP request of the service."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; this is ASGI's entry."""
        if scope["type"] != "http":
            return
        fields = sum(len(name) + len(value) for name, value in scope["headers"])
        if fields + len(scope["raw_path"]) + len(scope["query_string"]) > HEAD_LIMIT_BYTES:
            headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
            headers.append((b"content-length", b"%d" % len(TOO_LONG)))
            await send({"type": "http.response.start", "status": 431, "headers": headers})
            await send({"type": "http.response.body", "body": TOO_LONG})
            return
        refusal = self._refusal(scope)
        if refusal is None and runtime.is_runtime(scope):
            # thousands a second: a path of its own
            await runtime.application(self._context, scope, receive, send)
            return
        incoming = Incoming(receive)
        request = _request(scope, incoming)
        try:
            if refusal is not None:
                response = failed(refusal, request)
            elif request.method == "GET" and request.path == "/health":
                response = self._health()
            elif notebooks_login.is_login(request):
                response = await threads.run(notebooks_login.login, self._context, request)
            elif browsers.is_person(request):
                response = await self._shown(request)
            else:
                response = await dispatch(self._context, request)
                browsers.make_inert(request, response)
            browsers.guard(response)
            if not await incoming.settle(request.headers):
                response.headers["connection"] = "close"
            await _respond(request, response, send)
        except DisconnectedError:
            log.info("The client of request %s went away: %s %s", request.id, request.method, request.path)

    async def _shown(self, request: HttpRequest) -> HttpResponse:
        """Return a page for a browser; if keys are set, only to those who give one and its secret."""
        credentials = self._context.credentials
        if credentials is not None and not browsers.is_known(credentials, request):
            return browsers.question()
        if "/" not in request.path.strip("/"):  # no object
            return await threads.run(pages.show, self._context, request)
        response = await dispatch(replace(self._context, credentials=None), request)
        browsers.make_inert(request, response)
        return response

    def _refusal(self, scope: Scope) -> AwsError | None:
        """Return why a request is not answered at all: a page of another site sent it."""
        is_signed = self._context.credentials is not None
        try:
            browsers.check_request(
                scope["method"], scope["query_string"], scope["headers"], any_host=is_signed
            )
        except AwsError as error:
            return error
        return None

    def _health(self) -> HttpResponse:
        body = {"status": "ok", "service": "local-sagemaker"}
        if self._context.credentials is None:  # whoever asks unsigned from elsewhere learns no paths
            body["root"] = str(self._context.root)
        return HttpResponse(200, json.dumps(body).encode(), {"content-type": "application/json"})


def _request(scope: Scope, incoming: Incoming) -> HttpRequest:
    headers = headers_of(scope)
    length = headers.get("content-length", "")
    body = BodyStream(aiter(incoming), int(length) if length.isdecimal() else None)
    return request_of(scope, headers, body)


class Incoming:
    """The body of one request as ASGI hands it out."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.is_begun = False
        self.is_complete = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not self.is_complete:
            self.is_begun = True
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise DisconnectedError
            self.is_complete = not message.get("more_body")
            if message.get("body"):
                yield message["body"]

    async def settle(self, headers: Mapping[str, str]) -> bool:
        """Read what nobody has read, so that the connection can go on; False when it cannot.

        A client that asked whether to send its body (Expect) will not send it once it has the answer.
        """
        if not self.is_begun and "expect" in headers:
            return False
        size = 0
        async for piece in self:
            size += len(piece)
            if size > DRAIN_LIMIT_BYTES:
                return False
        return True


async def _respond(request: HttpRequest, response: HttpResponse, send: Send) -> None:
    body, headers = response.body, dict(response.headers)
    has_body = request.method != "HEAD" and response.status not in (204, 304)
    if response.status not in (204, 304):
        headers.setdefault("content-length", str(body.length if isinstance(body, FileBody) else len(body)))
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    try:
        await send({"type": "http.response.start", "status": response.status, "headers": raw})
        if isinstance(body, FileBody) and has_body:
            await _send_file(body, send)
        elif has_body:
            await send({"type": "http.response.body", "body": body})
        else:
            await send({"type": "http.response.body", "body": b""})
    finally:
        if isinstance(body, FileBody):
            body.file.close()


async def _send_file(body: FileBody, send: Send) -> None:
    body.file.seek(body.offset)
    left = body.length
    while left > 0:
        size = min(PIECE_BYTES, left)
        # what is small is read sooner than a thread is woken, and then leaves together with its head
        is_small = body.length <= SMALL_BYTES
        piece = body.file.read(size) if is_small else await threads.run(body.file.read, size)
        if not piece:
            raise OSError(f"{body.file.name} is {left} bytes shorter than it was when its sending began.")
        left -= len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
