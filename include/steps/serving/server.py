"""The ASGI application: /ping, /invocations and /execution-parameters, as SageMaker asks of a container.

Plain ASGI: a framework would cost more than the prediction. Small requests that arrive together are predicted
together, in one turn of the event loop, so nothing waits for company.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from itertools import chain
from typing import Any

from include.ml.cleaning.sent import SentRules
from include.ml.exceptions import InvalidRow
from include.steps.serving import payload
from include.steps.serving.inference import Model, to_arrays
from include.steps.serving.payload import BadRequest, Columns

log = logging.getLogger("flywheel.serve")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Predictions = tuple[list[str], list[float]]

#: the largest body of an invocation, in bytes
BODY_LIMIT = 6_291_456
#: what is read of a body that is too large before the connection is closed on it, in bytes
DRAIN_LIMIT = 128 * 2**20
#: requests with more rows than this are predicted in a thread, so that /ping stays prompt
ROWS_AT_ONCE = 256
#: bodies longer than this are parsed in a thread, in bytes
BODY_AT_ONCE = 65_536


class Batcher:
    """Predicts small requests that arrive in one turn of the event loop by one call of the model."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._waiting: list[tuple[Columns, asyncio.Future[Predictions]]] = []

    async def predict(self, columns: Columns) -> Predictions:
        """Return labels and scores of the rows in `columns`."""
        if len(columns[0]) > ROWS_AT_ONCE:
            return await asyncio.to_thread(self._predict, columns)
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._flush)
        future: asyncio.Future[Predictions] = loop.create_future()
        self._waiting.append((columns, future))
        return await future

    def _predict(self, columns: Columns) -> Predictions:
        arrays = to_arrays(self._model.signature, columns)
        return self._model.label(self._model.probabilities(arrays))

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            requests = [columns for columns, _ in waiting]
            merged = [list(chain.from_iterable(column)) for column in zip(*requests, strict=True)]
            labels, scores = self._predict(merged)
        except Exception as error:  # noqa: BLE001 - whatever the model raises must reach those who wait
            self._one_by_one(waiting, error)
            return
        start = 0
        for columns, future in waiting:
            end = start + len(columns[0])
            _settle(future, (labels[start:end], scores[start:end]))
            start = end

    def _one_by_one(
        self, waiting: list[tuple[Columns, asyncio.Future[Predictions]]], error: Exception
    ) -> None:
        """Predict each request on its own, so that none fails because of another."""
        for columns, future in waiting:
            try:
                _settle(future, self._predict(columns) if len(waiting) > 1 else error)
            except Exception as own:  # noqa: BLE001 - as above
                _settle(future, own)


def _settle(future: asyncio.Future[Predictions], outcome: Predictions | Exception) -> None:
    if future.done():  # the client has gone
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


class Server:
    """The ASGI application."""

    def __init__(self, model: Model, body_limit: int = BODY_LIMIT) -> None:
        self._signature = model.signature
        self._rules = SentRules(model.signature.columns)
        self._batcher = Batcher(model)
        self._body_limit = body_limit
        self._known = [frozenset(column.values or ()) for column in model.signature.columns]
        self._unknown: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        route = ROUTES.get(scope["path"])
        if route is None:
            await reply(send, 404, error(f"There is no {scope['path']}. There are {', '.join(ROUTES)}."))
        elif route[0] != scope["method"]:
            await reply(send, 405, error(f"{scope['path']} takes {route[0]}, not {scope['method']}."))
        else:
            await route[1](self, scope, receive, send)

    async def ping(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Say that the model is loaded: before it is, nothing listens."""
        await reply(send, 200, b"\n", b"text/plain")

    async def parameters(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Say how a transform job should send its records."""
        megabytes = self._body_limit // 2**20
        body = {"MaxConcurrentTransforms": 1, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": megabytes}
        await reply(send, 200, json.dumps(body).encode())

    async def invoke(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Predict the rows of the body."""
        headers = dict(scope["headers"])
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        try:
            body = await self._body(receive)
            columns = await self._parse(body, content_type)
            kind = payload.choose_answer_type(headers.get(b"accept", b"").decode("latin-1"), content_type)
            labels, scores = await self._batcher.predict(columns)
        except BadRequest as bad:
            await reply(send, bad.status, error(str(bad)))
        except InvalidRow as invalid:
            await reply(send, 400, error(str(invalid)))
        except Exception as failure:  # a request must be answered, and the server must go on
            log.exception("Cannot predict")
            await reply(
                send, 500, error(f"The model failed: {type(failure).__name__}. See the endpoint's log.")
            )
        else:
            unknown = self._count_unknown(columns)
            await reply(send, 200, payload.format_answer(labels, scores, kind), kind.encode(), unknown)

    async def _parse(self, body: bytes, content_type: str) -> Columns:
        if len(body) > BODY_AT_ONCE:
            return await asyncio.to_thread(self._read, body, content_type)
        return self._read(body, content_type)

    def _read(self, body: bytes, content_type: str) -> Columns:
        return self._rules.apply(payload.parse_body(body, content_type, self._signature.columns))

    async def _body(self, receive: Receive) -> bytes:
        """Return the whole body; one that is too large is read to its end, so that the client hears why."""
        parts: list[bytes] = []
        size, is_whole = 0, False
        while not is_whole and size <= DRAIN_LIMIT:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise BadRequest("The body ended before its announced length. Send it again.")
            part = message.get("body", b"")
            size += len(part)
            if size <= self._body_limit:
                parts.append(part)
            is_whole = not message.get("more_body", False)
        if size > self._body_limit:
            raise BadRequest(
                f"The body has more than {self._body_limit} bytes. Send fewer rows at a time.", 413
            )
        return b"".join(parts)

    def _count_unknown(self, columns: Columns) -> str:
        """Return the string columns with values unknown to training; log them ever more rarely."""
        names = []
        for column, values, known in zip(self._signature.columns, columns, self._known, strict=True):
            strange = [value for value in values if value not in known] if known else []
            if strange:
                names.append(column.name)
                before, after = self._unknown[column.name], self._unknown[column.name] + len(strange)
                self._unknown[column.name] = after
                if len(str(before)) < len(str(after)) or not before:
                    log.warning(
                        "%d unknown values in column %s so far: %.60r", after, column.name, strange[-1]
                    )
        return ",".join(names)


ROUTES: dict[str, tuple[str, Callable[[Server, Scope, Receive, Send], Awaitable[None]]]] = {
    "/ping": ("GET", Server.ping),
    "/invocations": ("POST", Server.invoke),
    "/execution-parameters": ("GET", Server.parameters),
}


def error(message: str) -> bytes:
    """Return the body of an error."""
    return json.dumps({"error": message}).encode()


async def reply(
    send: Send, status: int, body: bytes, content_type: bytes = b"application/json", unknown: str = ""
) -> None:
    """Send one whole response; `unknown` names columns that held categories unknown to the model."""
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
    if unknown:
        headers.append((b"x-flywheel-unknown-categories", unknown.encode()))
    if status == 413:  # noqa: PLR2004 - what is left of the body will not be read
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
