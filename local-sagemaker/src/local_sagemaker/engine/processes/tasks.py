"""Tasks of the event loop that nobody awaits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

log = logging.getLogger(__name__)

Result = TypeVar("Result")


def run_in_background(
    kept: set[asyncio.Task[Any]], work: Coroutine[Any, Any, Result]
) -> asyncio.Task[Result]:
    """Start work, and keep its task in `kept` until it has ended: the loop itself would forget it."""
    task = asyncio.create_task(work)
    kept.add(task)
    task.add_done_callback(kept.discard)
    return task


def log_failure(subject: str, task: asyncio.Task[Any]) -> None:
    """Log the error that has ended a task, if one has; `subject` is what the task is about."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("A change of the %s failed", subject, exc_info=error)


async def cancel(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel tasks, and wait until they have ended."""
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
