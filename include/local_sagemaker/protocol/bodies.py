"""Bodies that are streamed: those that come in and those that go out as a part of a file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path


class BodyStream:
    """The body of a request, read once, piece by piece."""

    def __init__(self, pieces: AsyncIterator[bytes], length: int | None) -> None:
        self._pieces = pieces
        #: bytes to come, None when the client did not say
        self.length = length

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces

    async def read(self) -> bytes:
        """The whole body; for bodies known to be small."""
        return b"".join([piece async for piece in self._pieces])


@dataclass(frozen=True)
class FileBody:
    """A part of a file as the body of an answer."""

    path: Path
    offset: int
    length: int
