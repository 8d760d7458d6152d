"""Lets the disk begin with a file that is not yet whole, so that less is left to wait for at its end.

It is a hint: what makes a file durable is fsync, and that alone.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache

#: flag of sync_file_range: begin to write what is not being written, and do not wait
BEGIN = 2


def begin(descriptor: int, offset: int, length: int) -> None:
    """Let the disk begin with a part of a file; a system without such a call begins when it likes."""
    call = _call()
    if call is not None:
        call(descriptor, offset, length, BEGIN)


@cache
def _call() -> Callable[[int, int, int, int], int] | None:
    """Linux's sync_file_range: (descriptor, offset, length, flags)."""
    if sys.platform != "linux":
        return None
    try:
        function = ctypes.CDLL(None).sync_file_range
    except (OSError, AttributeError):  # such as another libc
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return function
