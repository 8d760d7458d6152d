"""The bytes of an object before they take their place."""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import os
import sys
import uuid
from collections.abc import AsyncIterable, Callable
from functools import cache
from pathlib import Path
from typing import Self

from local_sagemaker.storage import threads

PIECE_BYTES = 1024 * 1024
#: how many bytes the disk is given at a time while more are to come
BEGIN_BYTES = 8 * PIECE_BYTES
#: bodies up to here are written without another thread
SMALL_BYTES = 65_536
#: flag of sync_file_range: begin to write what is not being written, and do not wait
START_WRITING = 2


class Draft:
    """A temporary file that knows the MD5 of what was written; gone at the end of its `with` block."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / uuid.uuid4().hex
        self._file = self.path.open("xb", buffering=0)
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.size = 0
        #: how many bytes the disk has been told to write
        self._begun = 0

    @property
    def md5(self) -> str:
        """Of everything written so far, in hexadecimal."""
        return self._md5.hexdigest()

    def write(self, piece: bytes | bytearray) -> None:
        """Add to the end."""
        self._md5.update(piece)
        self.size += len(piece)
        view = memoryview(piece)
        while view:
            view = view[self._file.write(view) or 0 :]
        if self.size - self._begun >= BEGIN_BYTES:
            begin_writeback(self._file.fileno(), self._begun, self.size - self._begun)
            self._begun = self.size

    def copy(self, path: Path, offset: int = 0, length: int | None = None) -> None:
        """Add (a part of) a file to the end."""
        with path.open("rb") as source:
            source.seek(offset)
            while length is None or length > 0:
                piece = source.read(PIECE_BYTES if length is None else min(PIECE_BYTES, length))
                if not piece:
                    return
                length = None if length is None else length - len(piece)
                self.write(piece)

    def take(self, path: Path) -> None:
        """Become the file at `path`, which moves here; a copy where it is on another disk."""
        try:
            path.replace(self.path)
        except OSError:
            self.copy(path)
            path.unlink()
            return
        self._file.close()
        self._file = self.path.open("r+b", buffering=0)
        with self.path.open("rb") as source:
            while piece := source.read(PIECE_BYTES):
                self._md5.update(piece)
                self.size += len(piece)

    def finish(self) -> os.stat_result:
        """Force the bytes to the disk; the file's identity, which it keeps when it takes its place."""
        os.utime(self._file.fileno())
        os.fsync(self._file.fileno())
        status = os.fstat(self._file.fileno())
        self._file.close()
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)


async def fill(draft: Draft, body: AsyncIterable[bytes] | bytes) -> None:
    """Write a body to a draft in large pieces, off the event loop; never the whole body in memory.

    What is small goes to the page cache in less time than a thread takes to be woken.
    """
    if isinstance(body, bytes):
        await _write(draft, body)
        return
    waiting, writing = bytearray(), None
    try:
        async for piece in body:
            waiting += piece
            if len(waiting) >= PIECE_BYTES:
                # one piece is written while the next one comes
                if writing is not None:
                    await writing
                writing = asyncio.ensure_future(threads.run(draft.write, waiting))
                waiting = bytearray()
    finally:
        # whatever happened: a thread must not write to a file that is closed
        if writing is not None:
            await asyncio.wait([writing])
    if writing is not None:
        await writing
    if waiting:
        await _write(draft, waiting)


async def _write(draft: Draft, piece: bytes | bytearray) -> None:
    if len(piece) <= SMALL_BYTES:
        draft.write(piece)
    else:
        await threads.run(draft.write, piece)


def begin_writeback(descriptor: int, offset: int, length: int) -> None:
    """Let the disk begin with a part of a file, so that less is left to wait for at its end.

    It is a hint, and a system without such a call begins when it likes: durable is what fsync has written.
    """
    call = _sync_file_range()
    if call is not None:
        call(descriptor, offset, length, START_WRITING)


@cache
def _sync_file_range() -> Callable[[int, int, int, int], int] | None:
    """Linux's sync_file_range: (descriptor, offset, length, flags)."""
    if sys.platform != "linux":
        return None
    try:
        function = ctypes.CDLL(None).sync_file_range
    except (OSError, AttributeError):  # such as another libc
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return function
