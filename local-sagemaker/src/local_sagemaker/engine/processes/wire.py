"""A small HTTP/1.1 client for containers: keep-alive connections, one answer at a time, little CPU.

Every invocation of an endpoint passes here, so it does no more than the container contract needs.
"""

from __future__ import annotations

import asyncio
import socket
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


class Connection(asyncio.Protocol):
    """One keep-alive connection; `exchange` may be called again once it has returned."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._waiter: asyncio.Future[Answer] | None = None
        self._headers: dict[bytes, bytes] = {}
        self._chunks: list[bytes] = []
        self._is_answering = self._ends_with_connection = False
        #: how many exchanges it has carried
        self.used = 0

    @property
    def is_open(self) -> bool:
        """Whether another exchange may be tried."""
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, head: bytes, body: bytes) -> Answer:
        """Send a request (`head` with its empty line) and wait for the answer; one caller at a time."""
        if self._transport is None or self._transport.is_closing():
            raise ContainerUnreachableError("The connection is closed.", is_unread=True)
        self._parser = httptools.HttpResponseParser(self)
        self._headers, self._chunks = {}, []
        self._is_answering = self._ends_with_connection = False
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(head + body)
        try:
            return await self._waiter
        except asyncio.CancelledError:
            self.close()  # a late answer must not be taken for that of the next request
            raise
        finally:
            self.used += 1

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is of no class of asyncio's

    def data_received(self, data: bytes) -> None:
        """Parse a piece of the answer."""
        if self._parser is None or self._waiter is None or self._waiter.done():
            self.close()  # it speaks out of turn
            return
        self._is_answering = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"The container's answer is no HTTP: {error}.", is_unread=False)
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Finish an answer that ends with the connection; fail any other."""
        if self._ends_with_connection:
            self.on_message_complete()
        else:
            reason = f": {exc}" if exc else ""
            self._fail(
                f"The container closed the connection before it had answered{reason}.",
                is_unread=self._is_stale,
            )

    @property
    def _is_stale(self) -> bool:
        # A server closes an idle connection at the very moment it is used again: it has then read nothing.
        return self.used > 0 and not self._is_answering

    def _fail(self, message: str, *, is_unread: bool) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ContainerUnreachableError(message, is_unread=is_unread))

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Learn how the body ends."""
        is_framed = b"content-length" in self._headers or b"transfer-encoding" in self._headers
        self._ends_with_connection = not is_framed

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        """Hand the answer over."""
        if self._parser is None or self._waiter is None or self._waiter.done():
            return
        status = self._parser.get_status_code()
        if not self._parser.should_keep_alive():
            self.close()
        self._waiter.set_result(Answer(status, self._headers, b"".join(self._chunks)))


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
            connection = await self._connect()
        except ContainerUnreachableError:
            if closed is None:
                raise
            # Connections that closed and nobody to take a new one: it was no stale connection, but the end of
            # the container, and maybe this request's doing.
            closed.is_unread = False
            raise closed from None
        return await self._exchange(connection, head, body)

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(Connection, "127.0.0.1", self.port)
        except OSError as error:
            raise ContainerUnreachableError(
                f"The container does not listen on port {self.port}: {error}.", is_unread=True
            ) from error
        return connection

    async def _exchange(self, connection: Connection, head: bytes, body: bytes) -> Answer:
        answer = await connection.exchange(head, body)
        if connection.is_open:
            self._idle.append(connection)
        return answer


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
