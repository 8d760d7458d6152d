"""The bytes of an object before they take their place."""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from local_sagemaker.storage.objects import writeback

PIECE_BYTES = 1024 * 1024
#: how many bytes the disk is given at a time while more are to come
BEGIN_BYTES = 8 * PIECE_BYTES


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
            writeback.begin(self._file.fileno(), self._begun, self.size - self._begun)
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)
