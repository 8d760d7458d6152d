"""Files that are there whole or not at all, and survive a power cut."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write(path: Path, content: bytes, *, is_durable: bool = True, mode: int = 0o666) -> None:
    """Write `content` to `path` atomically, making its folder; durably unless told otherwise.

    :param mode: the new file's permissions, before the process's umask.
    """
    make_folder(path.parent)
    temporary = path.with_name(f".{uuid.uuid4().hex}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            if is_durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if is_durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder with all above it, durably."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        sync_folder(new.parent)


def prune(folder: Path, stop: Path) -> None:
    """Remove `folder` and those above it up to `stop` as long as they are empty."""
    while folder != stop:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
