"""A small HTTP/1.1 client for containers: keep-alive connections, one answer at a time, little CPU.

Every invocation of an endpoint passes here, so it does no more than the container contract needs.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from dataclasses import dataclass
from typing import cast

import httptools

PORT_VARIABLE = "SAGEMAKER_BIND_TO_PORT"


class ContainerUnreachableError(ConnectionError):
    """The container took no connection, or closed it before it answered."""

    def __init__(self, message: str, *, is_unread: bool) -> None:
        super().__init__(message)
        #: whether the container cannot have read the request, so that another one may get it
        self.is_unread = is_unread


@dataclass(frozen=True, slots=True)
class Answer:
    """What a container answered."""

    status: int
    #: names in lower case
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def content_type(self) -> str:
        """The answer's Content-Type, empty when it has none."""
        return self.headers.get(b"content-type", b"").decode("latin-1")


class AnswerParser:
    """Parses one answer as its bytes come."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        #: names in lower case
        self.headers: dict[bytes, bytes] = {}
        #: the pieces of the body that nobody has taken yet
        self.pieces: deque[bytes] = deque()
        self.has_head = self.is_complete = False
        #: whether the container can be sent another request over the same connection
        self.keeps_alive = False

    @property
    def status(self) -> int:
        """Return the HTTP status, once there is a head."""
        status: int = self._parser.get_status_code()
        return status

    def feed(self, data: bytes) -> None:
        """Parse a piece; raise ContainerUnreachableError if it is not HTTP."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise ContainerUnreachableError(
                f"The container's answer is not HTTP: {error}.", is_unread=False
            ) from error

    def end(self, reason: str = "", *, is_unread: bool = False) -> None:
        """Take the end of the connection for the answer's; raise ContainerUnreachableError if it is not."""
        is_framed = b"content-length" in self.headers or b"transfer-encoding" in self.headers
        if not self.has_head or is_framed:
            raise broken_off(reason, is_unread=is_unread)
        self.is_complete = True

    # Called by the parser.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Note that the answer has begun, unless it is an interim one (1xx)."""
        self.has_head = self.status >= 200  # noqa: PLR2004 - HTTP's classes

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        self.pieces.append(body)

    def on_message_complete(self) -> None:
        """Note that the answer is complete."""
        self.is_complete, self.keeps_alive = self.has_head, self._parser.should_keep_alive()


class Connection(asyncio.Protocol):
    """One keep-alive connection; `exchange` may be called again once it has returned."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._answer = AnswerParser()
        self._waiter: asyncio.Future[Answer] | None = None
        self._is_answering = self._is_used = False

    @property
    def is_open(self) -> bool:
        """Whether another exchange may be tried."""
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, head: bytes, body: bytes) -> Answer:
        """Send a request (`head` with its empty line) and wait for the answer; one caller at a time."""
        if self._transport is None or self._transport.is_closing():
            raise ContainerUnreachableError("The connection is closed.", is_unread=True)
        self._answer, self._is_answering = AnswerParser(), False
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(head + body)
        try:
            return await self._waiter
        except asyncio.CancelledError:
            self.close()  # a late answer must not be taken for that of the next request
            raise
        finally:
            self._is_used = True

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    # Called by asyncio.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is of no class of asyncio's

    def data_received(self, data: bytes) -> None:
        """Parse a piece of the answer."""
        if self._waiter is None or self._waiter.done():
            self.close()  # it speaks out of turn
            return
        self._is_answering = True
        try:
            self._answer.feed(data)
        except ContainerUnreachableError as error:
            self._waiter.set_exception(error)
            self.close()
            return
        if self._answer.is_complete:
            if not self._answer.keeps_alive:
                self.close()
            self._hand_over(self._waiter)

    def connection_lost(self, exc: Exception | None) -> None:
        """Finish an answer that ends with the connection; fail any other."""
        if self._waiter is None or self._waiter.done():
            return
        # A server closes an idle connection at the very moment it is used again: it has then read nothing.
        is_stale = self._is_used and not self._is_answering
        try:
            self._answer.end(f": {exc}" if exc else "", is_unread=is_stale)
        except ContainerUnreachableError as error:
            self._waiter.set_exception(error)
        else:
            self._hand_over(self._waiter)

    def _hand_over(self, waiter: asyncio.Future[Answer]) -> None:
        answer = self._answer
        waiter.set_result(Answer(answer.status, answer.headers, b"".join(answer.pieces)))


class Client:
    """Keep-alive connections to one container on 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._idle: list[Connection] = []

    async def exchange(self, head: bytes, body: bytes = b"") -> Answer:
        """Send a request over an idle connection, or a new one, and wait for the answer.

        :raises ContainerUnreachableError: when there is no answer.
        """
        closed: ContainerUnreachableError | None = None
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                try:
                    return await self._exchange(connection, head, body)
                except ContainerUnreachableError as error:
                    if not error.is_unread:
                        raise
                    closed = error
        try:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(Connection, "127.0.0.1", self.port)
        except OSError as error:
            if closed is None:
                raise not_listening(self.port, error) from error
            # Connections that closed and nobody to take a new one: it was no stale connection, but the end of
            # the container, and maybe this request's doing.
            closed.is_unread = False
            raise closed from None
        return await self._exchange(connection, head, body)

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    async def _exchange(self, connection: Connection, head: bytes, body: bytes) -> Answer:
        answer = await connection.exchange(head, body)
        if connection.is_open:
            self._idle.append(connection)
        return answer


def not_listening(port: int, error: OSError) -> ContainerUnreachableError:
    """Return the error of a container that takes no connection."""
    return ContainerUnreachableError(
        f"The container does not listen on port {port}: {error}.", is_unread=True
    )


def broken_off(reason: str = "", *, is_unread: bool = False) -> ContainerUnreachableError:
    """Return the error of a connection that was closed too early."""
    return ContainerUnreachableError(
        f"The container closed the connection before it had answered{reason}.", is_unread=is_unread
    )


def head(method: str, path: str, headers: list[tuple[bytes, bytes]], length: int) -> bytes:
    """Return the head of a request to a container."""
    lines = [b"%s %s HTTP/1.1\r\nhost: localhost" % (method.encode(), path.encode())]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join(lines) + b"\r\ncontent-length: %d\r\n\r\n" % length


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
