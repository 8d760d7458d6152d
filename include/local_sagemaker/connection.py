"""One connection to a client: uvicorn's, with a bound for a request's head, and answers in one piece.

An answer's head waits for its body, so that both leave in one system call: a service that is killed in
between would leave a client with a head alone, which botocore takes for an empty answer.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: request line and headers
HEAD_LIMIT_BYTES = 32 * 1024
TOO_LONG = f"The request's line and headers are longer than {HEAD_LIMIT_BYTES} bytes.\n".encode()
REFUSAL = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b"
) % (len(TOO_LONG), TOO_LONG)


class Connection(HttpToolsProtocol):
    """Refuses a head that does not end; one that does, and is too long, is the application's to refuse."""

    #: bytes that came while the present head was not complete, but for those it began with
    _head_bytes = -1
    _is_in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Write through a transport that puts head and body together."""
        super().connection_made(transport)
        self.transport = cast("asyncio.Transport", WholeAnswers(transport, self.loop))

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._is_in_head, self._head_bytes = True, -1
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stop counting."""
        self._is_in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Parse what came; a head that has not ended within its bound never will."""
        super().data_received(data)
        if not self._is_in_head:
            return
        # a piece may hold the end of a body before it, so the first one does not count
        self._head_bytes = 0 if self._head_bytes < 0 else self._head_bytes + len(data)
        if self._head_bytes > HEAD_LIMIT_BYTES and not self.transport.is_closing():
            self.transport.write(REFUSAL)
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
