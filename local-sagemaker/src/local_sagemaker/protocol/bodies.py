"""Bodies that are streamed: those that come in, and those that go out as a part of a file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import BinaryIO

from local_sagemaker.errors import EntityTooLarge

#: most bytes of a body that is read whole: ten thousand parts of a multipart upload fit in
WHOLE_LIMIT = 32 * 1024 * 1024


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
