"""Exchanges with a container whose bodies are too long, or too slow, to be held whole.

Each has a connection of its own. The request goes out and the answer comes in as fast as the slower side
takes it; no more than a few pieces are in memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import BinaryIO, Self

import httptools

from local_sagemaker.engine.processes.wire import ContainerUnreachableError

#: most bytes that are read from a container, or from a file, at a time
PIECE_BYTES = 65_536
FILE_PIECE_BYTES = 262_144


class Stream:
    """One request and its answer, which is read piece by piece; `async with` closes the connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: deque[bytes] = deque()
        self._has_head = self._is_complete = False
        self._sender: asyncio.Task[None] | None = None
        #: names in lower case
        self.headers: dict[bytes, bytes] = {}

    @classmethod
    async def open(cls, port: int, head: bytes, body: bytes | BinaryIO) -> Self:
        """Send a request to 127.0.0.1; returns when the answer's head has come.

        :param body: the bytes themselves, or a file from its present position on.
        :raises ContainerUnreachableError: when there is no answer.
        """
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=PIECE_BYTES)
        except OSError as error:
            raise ContainerUnreachableError(
                f"The container does not listen on port {port}: {error}.", is_unread=True
            ) from error
        stream = cls(reader, writer)
        # A container may answer before it has read all, so both directions go on at the same time.
        stream._sender = asyncio.create_task(stream._send(head, body))
        try:
            while not stream._has_head:
                await stream._read()
        except BaseException:
            await stream.close()
            raise
        return stream

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def status(self) -> int:
        """HTTP status of the answer."""
        status: int = self._parser.get_status_code()
        return status

    @property
    def content_type(self) -> str:
        """The answer's Content-Type, empty when it has none."""
        return self.headers.get(b"content-type", b"").decode("latin-1")

    async def pieces(self) -> AsyncIterator[bytes]:
        """The answer's body as it comes; ContainerUnreachableError when it breaks off."""
        while True:
            while self._pieces:
                yield self._pieces.popleft()
            if self._is_complete:
                return
            await self._read()

    async def beginning(self, limit: int) -> bytes:
        """The body's first bytes, for what is said about an error; as many as came if it breaks off."""
        found = b""
        try:
            async for piece in self.pieces():
                found += piece
                if len(found) >= limit:
                    break
        except ContainerUnreachableError:
            pass
        return found[:limit]

    async def close(self) -> None:
        """Close the connection, whatever is still to come."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        self._writer.transport.abort()

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
            if data:
                self._parser.feed_data(data)
                return
        except OSError as error:
            raise _broken(f": {error}") from error
        except httptools.HttpParserError as error:
            raise ContainerUnreachableError(
                f"The container's answer is no HTTP: {error}.", is_unread=False
            ) from error
        is_framed = b"content-length" in self.headers or b"transfer-encoding" in self.headers
        if not self._has_head or is_framed:
            raise _broken()
        self._is_complete = True

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Know that the answer has begun; what comes before a final answer (1xx) is none."""
        self._has_head = self.status >= 200  # noqa: PLR2004 - HTTP's classes

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        """Know that the answer is whole."""
        self._is_complete = self._has_head


def _broken(reason: str = "") -> ContainerUnreachableError:
    return ContainerUnreachableError(
        f"The container closed the connection before it had answered{reason}.", is_unread=False
    )
