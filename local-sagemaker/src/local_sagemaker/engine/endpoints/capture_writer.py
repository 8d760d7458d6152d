"""Writes captured invocations, off the way of the invocations themselves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from local_sagemaker.engine.endpoints.capture import FLUSH_INTERVAL_S, CaptureBuffer

#: how often buffers are looked at, in seconds
TICK_S = 0.2


class CaptureWriter:
    """Writes buffers when they are full, after FLUSH_INTERVAL_S, and at the end."""

    def __init__(self, buffers: Callable[[], list[CaptureBuffer]]) -> None:
        """Know where the buffers are that there are at any moment."""
        self._buffers = buffers
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write regularly."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write what is held, and nothing more after that."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.write(self._buffers())

    async def write(self, buffers: Iterable[CaptureBuffer]) -> None:
        """Write what buffers hold."""
        for buffer in buffers:
            events = buffer.take()
            if events:
                # Not given up when this task is: what was taken would be lost.
                await asyncio.shield(asyncio.to_thread(buffer.write, events))

    async def _run(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            is_due = time.monotonic() - last >= FLUSH_INTERVAL_S
            last = time.monotonic() if is_due else last
            await self.write([buffer for buffer in self._buffers() if is_due or buffer.is_full])
