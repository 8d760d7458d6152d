"""Bodies in pieces of the encoding aws-chunked, with checksums in trailers.

A chunk is `<size in hex>[;chunk-signature=...]`, a line end, the bytes and a line end; the last one has size
0 and is followed by trailers and an empty line. A line ends with carriage return and line feed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from include.local_sagemaker.errors import SerializationException

LINE_LIMIT_BYTES = 4096


class ChunkedReader:
    """Reads an aws-chunked body; `trailers` is complete when the body has been read."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = bytearray()
        #: names in lower case
        self.trailers: dict[str, str] = {}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while size := await self._size():
            while size:
                if not self._buffer:
                    await self._more()
                piece = bytes(self._buffer[:size])
                del self._buffer[: len(piece)]
                size -= len(piece)
                yield piece
            if await self._line():
                raise SerializationException("A chunk of the body is longer than it says.")
        while line := await self._line(is_end_allowed=True):
            name, _, value = line.partition(":")
            self.trailers[name.strip().lower()] = value.strip()

    async def _size(self) -> int:
        line = await self._line()
        try:
            size = int(line.partition(";")[0], 16)
        except ValueError as error:
            raise SerializationException(f"{line!r} is no header of a chunk.") from error
        if size < 0:
            raise SerializationException(f"{line!r} is no header of a chunk.")
        return size

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
