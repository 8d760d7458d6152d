"""One connection to a client: uvicorn's, with bounds, answers in one piece, and a short way for invocations.

An answer's head waits for its body, so that both leave in one system call: a service that is killed in
between would leave a client with a head alone, which botocore takes for an empty answer.

A head has a bound in bytes and in time, and so has the silence of a client that owes more of a body, so that
nobody can hold connections for nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from local_sagemaker.http import runtime, shortcut
from local_sagemaker.services.context import Context

#: request line and headers
HEAD_LIMIT_BYTES = 32 * 1024
#: how long a request's head may take, from the first byte or the connection on, in seconds
HEAD_TIMEOUT_S = 30.0
#: how long a client may send nothing while it owes the rest of a body, in seconds
BODY_TIMEOUT_S = 120.0
#: how often a connection looks at its clock, in seconds
WATCH_INTERVAL_S = 5.0
TOO_LONG = f"The request's line and headers are longer than {HEAD_LIMIT_BYTES} bytes.\n".encode()
TOO_SLOW = f"The request did not come within {HEAD_TIMEOUT_S:g} s.\n".encode()
REFUSAL = b"HTTP/1.1 %b\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
LONG_REFUSAL = REFUSAL % (b"431 Request Header Fields Too Large", len(TOO_LONG), TOO_LONG)
SLOW_REFUSAL = REFUSAL % (b"408 Request Timeout", len(TOO_SLOW), TOO_SLOW)


class Connection(HttpToolsProtocol):
    """Refuses a head that does not end; one that does, and is too long, is the application's to refuse."""

    #: bytes that came while the present head was not complete, but for those it began with
    _head_bytes = -1
    _is_in_head = True
    #: no request has begun that has not come whole
    _is_between = True
    #: an invocation that took the short way, and what came behind it
    _invocation: asyncio.Task[None] | None = None
    _held = b""
    #: the service stops: no further request
    _is_last = False

    def __init__(self, context: Context, **given: Any) -> None:  # noqa: ANN401 - uvicorn's own arguments
        super().__init__(**given)
        self._context = context
        self._heard_at = self._begun_at = self.loop.time()
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Write through a transport that puts head and body together."""
        super().connection_made(transport)
        self._plain = transport
        self.transport = cast("asyncio.Transport", WholeAnswers(transport, self.loop))
        self._watch = self.loop.call_later(WATCH_INTERVAL_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Close, once an invocation under way is answered."""
        self._is_last = True
        if self._invocation is None:
            super().shutdown()

    # A request, and how much of it has come.

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._is_in_head, self._is_between, self._head_bytes = True, False, -1
        self._begun_at = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stop counting; nothing is upgraded, and the parser reads no further after such a wish."""
        self._is_in_head = False
        super().on_headers_complete()
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Know that nothing is owed."""
        self._is_between = True
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Parse what came; a head that has not ended within its bound never will."""
        self._heard_at = self.loop.time()
        if self._invocation is not None:
            self._held += data
            self.flow.pause_reading()
            return
        if data.startswith(shortcut.BEGINNING) and self._is_idle and len(data) <= shortcut.LIMIT_BYTES:
            request = shortcut.read(data)
            if request is not None:
                self._unset_keepalive_if_required()
                self._invocation = self.loop.create_task(self._invoke(request))
                self.tasks.add(self._invocation)
                return
        super().data_received(data)
        if not self._is_in_head:
            return
        # a piece may hold the end of a body before it, so the first one does not count
        self._head_bytes = 0 if self._head_bytes < 0 else self._head_bytes + len(data)
        if self._head_bytes > HEAD_LIMIT_BYTES:
            self._refuse(LONG_REFUSAL)

    @property
    def _is_idle(self) -> bool:
        """Whether nothing is under way that a request could be taken for a part of, or overtake."""
        return self._is_between and self._is_answered and self._context.credentials is None

    @property
    def _is_answered(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    async def _invoke(self, request: shortcut.Invocation) -> None:
        """Answer an invocation, and go on with what has come behind it."""
        try:
            reply = await runtime.reply_to(self._context, request.endpoint, request.headers, request.body)
            if not self._plain.is_closing():
                self._plain.write(shortcut.answer(reply))
                if self.flow.write_paused:
                    await self.flow.drain()
        except asyncio.CancelledError:
            self._plain.close()
            raise
        finally:
            if self._invocation is not None:
                self.tasks.discard(self._invocation)
            self._invocation = None
        self._heard_at = self.loop.time()
        self.server_state.total_requests += 1
        if self._is_last:
            self._plain.close()
        elif self._held and not self._plain.is_closing():
            held, self._held = self._held, b""
            self.flow.resume_reading()
            self.data_received(held)

    # Time.

    def _look(self) -> None:
        """Close when a client has taken too long over something; look again later otherwise."""
        self._watch = self.loop.call_later(WATCH_INTERVAL_S, self._look)
        silent_s = self.loop.time() - self._heard_at
        if self._is_between:
            # after an answer of the general way uvicorn has a clock of its own
            is_idle = self._invocation is None and self._is_answered and self.timeout_keep_alive_task is None
            if is_idle and silent_s > self.timeout_keep_alive:
                self.transport.close()
        elif self._is_in_head:
            if self.loop.time() - self._begun_at > HEAD_TIMEOUT_S:
                self._refuse(SLOW_REFUSAL)
        elif silent_s > BODY_TIMEOUT_S and not self.flow.read_paused:
            self.transport.abort()

    def _refuse(self, refusal: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(refusal)
            self.transport.close()


class WholeAnswers:
    """A transport that keeps an answer's head until its body comes, or this turn of the loop is over."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop, self._head = transport, loop, b""

    def write(self, data: bytes) -> None:
        """Write, or keep the head of an answer."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 100"):
            self._head = data
            self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def close(self) -> None:
        """Close, when all is written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever a transport has)
        """Everything else is the transport's."""
        return getattr(self._transport, name)
