"""The threads that handlers run in: they block on files and the database, and the event loop must not."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

#: requests that are handled at the same time; the others wait
LIMIT = 40
_POOL = ThreadPoolExecutor(LIMIT, thread_name_prefix="request")


async def run(function: Callable[..., T], *arguments: object) -> T:
    """Run a blocking function in a thread; it sees the caller's context variables."""
    work = functools.partial(contextvars.copy_context().run, function, *arguments)
    return await asyncio.get_running_loop().run_in_executor(_POOL, work)
