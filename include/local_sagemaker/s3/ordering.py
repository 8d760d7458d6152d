"""File systems that make everything durable in the order in which it was done.

ext4 and XFS keep one journal. When a folder is forced to the disk there, whatever was done to the same file
system before is in the journal too, or has been; only the bytes of files are not, which `settle` brings to
the disk without a commit of their own. So an object costs one commit, that of its folder, instead of two. On
any other file system each step is forced by itself.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

JOURNALED = frozenset({"ext4", "xfs"})
MOUNTS = Path("/proc/self/mountinfo")
#: flags of sync_file_range: begin to write what is not being written; and wait for all of it
BEGIN, COMPLETE = 2, 1 | 2 | 4


def settle(descriptor: int) -> None:
    """Bring a file's bytes to the disk; durable with the next commit of a folder of the same file system."""
    synchronise = _synchronise()
    if synchronise is None or not is_ordered(os.fstat(descriptor).st_dev):
        os.fsync(descriptor)
    else:
        synchronise(descriptor, 0, 0, COMPLETE)


def begin(descriptor: int, offset: int, length: int) -> None:
    """Let the disk begin with a part of a file that is not yet whole, so that less is left for the end."""
    synchronise = _synchronise()
    if synchronise is not None:
        synchronise(descriptor, offset, length, BEGIN)


@cache
def is_ordered(device: int) -> bool:
    """Whether the file system with this number commits in order."""
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return kind(mounts, f"{os.major(device)}:{os.minor(device)}") in JOURNALED


def kind(mounts: str, device: str) -> str:
    """The type of the file system with a device's number, in the words of Linux's mountinfo; or empty."""
    for line in mounts.splitlines():
        place, _, source = line.partition(" - ")
        if place.split(" ")[2:3] == [device]:
            return source.partition(" ")[0]
    return ""


@cache
def _synchronise() -> Callable[[int, int, int, int], None] | None:
    """sync_file_range, where there is one: (descriptor, offset, length, flags)."""
    if sys.platform != "linux":
        return None
    try:
        function = ctypes.CDLL(None, use_errno=True).sync_file_range
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)

    def synchronise(descriptor: int, offset: int, length: int, flags: int) -> None:
        if function(descriptor, offset, length, flags):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    return synchronise
