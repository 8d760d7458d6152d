"""Bodies that are streamed: those that come in, plain or in chunks, and parts of files that go out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from local_sagemaker.errors import AwsError, EntityTooLarge, SerializationException

#: most bytes of a body that is read whole: ten thousand parts of a multipart upload fit in
WHOLE_LIMIT = 32 * 1024 * 1024
LINE_LIMIT_BYTES = 4096
#: what trailers, all together, may have
TRAILERS_LIMIT_BYTES = 16 * 1024
#: the length of a chunk, in hexadecimal
SIZE = re.compile(r"[0-9a-fA-F]{1,16}")
TRAILER_SIGNATURE = "x-amz-trailer-signature"


class DisconnectedError(Exception):
    """The client went away before its request was complete; nobody is left to be answered."""


class BodyStream:
    """The body of a request, read once, piece by piece."""

    def __init__(self, pieces: AsyncIterator[bytes], length: int | None) -> None:
        self._pieces = pieces
        #: bytes to come, None when the client did not say
        self.length = length

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces

    async def read(self, limit: int = WHOLE_LIMIT) -> bytes:
        """Return the whole body; raise EntityTooLarge when it is longer than `limit` bytes."""
        pieces, size = [], 0
        async for piece in self._pieces:
            size += len(piece)
            if size > limit:
                raise EntityTooLarge(f"The request's body is longer than {limit} bytes.")
            pieces.append(piece)
        return b"".join(pieces)


def whole(body: bytes) -> BodyStream:
    """Yield a body that has been read already."""

    async def piece() -> AsyncIterator[bytes]:
        yield body

    return BodyStream(piece(), len(body))


@dataclass(frozen=True)
class FileBody:
    """A part of an open file as the body of an answer; whoever sends it closes it."""

    file: BinaryIO
    #: where the part begins, and how long it is, in bytes
    offset: int
    length: int


class ChunkMismatch(AwsError, code="SignatureDoesNotMatch", status=403):  # noqa: N818 (AWS's code)
    """A chunk is not what was signed."""


class ChunkChecks(Protocol):
    """What checks the signatures of chunks; each method raises ChunkMismatch."""

    def check_chunk(self, given: str, sha256: str) -> None:
        """Check a chunk's signature, given the digest of its data."""

    def check_trailer(self, given: str, trailer: bytes) -> None:
        """Check the signature of the trailers, lines that each end with a line feed."""


class ChunkedReader:
    """Reads a body in the encoding aws-chunked; `trailers` is complete when the body has been read.

    A chunk is `<size in hex>[;chunk-signature=...]`, a line end, the bytes and a line end; the last one has
    size 0 and is followed by trailers and an empty line. A line ends with carriage return and line feed.
    """

    def __init__(self, pieces: AsyncIterator[bytes], checks: ChunkChecks | None = None) -> None:
        self._pieces, self._checks = pieces, checks
        self._buffer = bytearray()
        #: names in lower case
        self.trailers: dict[str, str] = {}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size, signature = await self._head()
        while size:
            digest = hashlib.sha256() if self._checks is not None else None
            while size:
                if not self._buffer:
                    await self._more()
                piece = bytes(self._buffer[:size])
                del self._buffer[: len(piece)]
                size -= len(piece)
                if digest is not None:
                    digest.update(piece)
                yield piece
            if await self._line():
                raise SerializationException("A chunk of the body is longer than it says.")
            if self._checks is not None and digest is not None:
                self._checks.check_chunk(signature, digest.hexdigest())
            size, signature = await self._head()
        if self._checks is not None:
            self._checks.check_chunk(signature, hashlib.sha256().hexdigest())
        await self._read_trailers()

    async def _read_trailers(self) -> None:
        signed, length = b"", 0
        while line := await self._line(is_end_allowed=True):
            length += len(line)
            if length > TRAILERS_LIMIT_BYTES:
                raise SerializationException("The body's trailers do not end.")
            name, _, value = line.partition(":")
            name, value = name.strip().lower(), value.strip()
            self.trailers[name] = value
            if name != TRAILER_SIGNATURE:
                signed += f"{name}:{value}\n".encode("latin-1")
        if self._checks is not None and (signed or TRAILER_SIGNATURE in self.trailers):
            self._checks.check_trailer(self.trailers.get(TRAILER_SIGNATURE, ""), signed)

    async def _head(self) -> tuple[int, str]:
        """Length and signature of the next chunk, 0 for the last one."""
        line = await self._line()
        length, _, extension = line.partition(";")
        if not SIZE.fullmatch(length):
            raise SerializationException(f"{line!r} is no header of a chunk.")
        return int(length, 16), extension.strip().removeprefix("chunk-signature=")

    async def _line(self, *, is_end_allowed: bool = False) -> str:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > LINE_LIMIT_BYTES:
                raise SerializationException("The header of a chunk does not end.")
            try:
                await self._more()
            except SerializationException:
                if is_end_allowed and not self._buffer:
                    return ""
                raise
        line = self._buffer[:end].decode("latin-1")
        del self._buffer[: end + 2]
        return line

    async def _more(self) -> None:
        piece = await anext(self._pieces, None)
        if piece is None:
            raise SerializationException("The body ends in the middle of a chunk.")
        self._buffer += piece
