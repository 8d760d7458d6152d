"""Serverless variants: one container for each invocation in flight, started when none is idle.

A container that stays idle for some time is stopped, even the last one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from local_sagemaker.engine.endpoints.fleet import Target, Variant
from local_sagemaker.engine.endpoints.invoke import (
    EndpointRoute,
    InvokeError,
    invalid,
    model_error,
    no_container,
)
from local_sagemaker.engine.endpoints.replica import Replica
from local_sagemaker.engine.processes.container import STOP_TIMEOUT_S, ContainerError, running_process

log = logging.getLogger(__name__)

#: SageMaker's limits of a request's body, and of an invocation's wait for a container
BODY_LIMIT_BYTES = 4 * 1024 * 1024
WAIT_TIMEOUT_S = 60.0


class ServerlessPool:
    """The containers of one serverless variant; every method belongs to the event loop."""

    def __init__(
        self,
        route: EndpointRoute,
        variant: Variant,
        new_replica: Callable[[int], Replica],
        *,
        limit: int,
        idle_s: float,
    ) -> None:
        """Keep what to start.

        :param route: names the endpoint in errors.
        :param new_replica: makes the replica of a slot; slots are numbered from 0.
        :param limit: MaxConcurrency.
        :param idle_s: how long a container may be idle before it is stopped.
        """
        self.limit = limit
        self._route, self._variant, self._idle_s = route, variant, idle_s
        self._new_replica = new_replica
        self._busy = 0
        self._replicas: dict[int, Replica] = {}
        #: slot of each idle container and the timer that stops it, the last used one at the end
        self._idle: dict[int, asyncio.TimerHandle] = {}
        #: starts that no invocation waits for
        self._spare: list[asyncio.Task[int]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    async def take(self, size: int) -> Target:
        """Return a container for one invocation with a body of `size` bytes; `give_back` must follow.

        :raises InvokeError: when MaxConcurrency is reached, or no container starts.
        """
        if size > BODY_LIMIT_BYTES:
            raise invalid(
                f"The body has {size} bytes, and a serverless endpoint takes at most {BODY_LIMIT_BYTES}. "
                "Send fewer records at a time, or use an endpoint with instances."
            )
        if self._busy >= self.limit:
            self._variant.counters.count(429, None, None)
            raise InvokeError(
                "ThrottlingException",
                429,
                f"Rate exceeded: variant {self._variant.name} of endpoint {self._route.name} has "
                f"{self._busy} invocations under way, and its MaxConcurrency is {self.limit}. Try "
                "again, or raise it.",
            )
        if self._is_closed:
            raise no_container(self._route, self._variant)
        self._busy += 1
        try:
            slot = self._take_idle()
            return self._target(await self._wait_for_start() if slot is None else slot)
        except BaseException:
            self._busy -= 1
            raise

    def give_back(self, target: Target) -> None:
        """Take back a container; stop it if it is no longer healthy."""
        self._busy -= 1
        slot = next((slot for slot, replica in self._replicas.items() if replica.target is target), None)
        if slot is None:  # stopped meanwhile
            return
        if target.is_healthy and self._replicas[slot].is_alive and not self._is_closed:
            self._set_idle(slot)
        else:
            self._run_in_background(self._discard(slot))

    async def adopt(self, folder: Path) -> None:
        """Adopt the containers that an earlier service started in `folder`, one in each subfolder."""
        for workspace in await asyncio.to_thread(_running_workspaces, folder):
            self._spare.append(self._start(int(workspace.name)))

    async def retire(self, drain_s: float) -> None:
        """Start no more, wait at most `drain_s` for the invocations in flight, and stop all containers."""
        self._is_closed = True
        for _ in range(int(drain_s / 0.02)):
            if not self._busy:
                break
            await asyncio.sleep(0.02)
        await self.stop(STOP_TIMEOUT_S)

    async def stop(self, timeout_s: float) -> None:
        """Stop all containers."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for timer in self._idle.values():
            timer.cancel()
        self._idle.clear()
        await asyncio.gather(*(self._discard(slot, timeout_s) for slot in list(self._replicas)))

    # Starting containers.

    def _take_idle(self) -> int | None:
        """Return the slot of the container used last, so that surplus containers stay idle and expire."""
        while self._idle:
            slot, timer = self._idle.popitem()
            timer.cancel()
            if self._replicas[slot].is_alive:
                return slot
            self._run_in_background(self._discard(slot))
        return None

    async def _wait_for_start(self) -> int:
        """Wait for a start and return its slot; the start goes on if this invocation gives up."""
        start = self._spare.pop() if self._spare else self._start(self._free_slot())
        try:
            async with asyncio.timeout(WAIT_TIMEOUT_S):
                return await asyncio.shield(start)
        except TimeoutError:
            self._return_start(start)
            self._variant.counters.count(429, None, None)
            raise InvokeError(
                "ModelNotReadyException",
                429,
                f"Variant {self._variant.name} of endpoint {self._route.name} is still starting a container. "
                "Try again.",
            ) from None
        except asyncio.CancelledError:
            if start.cancelled():  # the variant is being stopped
                raise no_container(self._route, self._variant) from None
            self._return_start(start)
            raise
        except ContainerError as error:
            self._variant.counters.count(500, None, None)
            raise model_error(self._route, 0, f"Unable to stand up the model. {error}") from error

    def _free_slot(self) -> int:
        return next(slot for slot in range(len(self._replicas) + 1) if slot not in self._replicas)

    def _start(self, slot: int) -> asyncio.Task[int]:
        replica = self._replicas[slot] = self._new_replica(slot)
        start: asyncio.Task[int] = asyncio.create_task(self._launch(slot, replica))
        self._keep_task(start)
        start.add_done_callback(self._started)
        return start

    async def _launch(self, slot: int, replica: Replica) -> int:
        try:
            await replica.launch()
        except BaseException as error:
            await replica.stop()
            del self._replicas[slot]
            if isinstance(error, Exception):  # every error becomes the client's message
                raise ContainerError(str(error)) from error
            raise
        if replica.target is not None:
            self._variant.targets.append(replica.target)
        return slot

    def _return_start(self, start: asyncio.Task[int]) -> None:
        self._spare.append(start)
        if start.done():
            self._started(start)

    def _started(self, start: asyncio.Task[int]) -> None:
        """Set a container idle that no invocation waited for."""
        if start not in self._spare:
            return
        self._spare.remove(start)
        if start.cancelled():
            return
        if error := start.exception():
            log.warning("A container of endpoint %s did not start: %s", self._route.name, error)
        else:
            self._set_idle(start.result())

    # Stopping containers.

    def _set_idle(self, slot: int) -> None:
        loop = asyncio.get_running_loop()
        self._idle[slot] = loop.call_later(self._idle_s, self._expire, slot)

    def _expire(self, slot: int) -> None:
        del self._idle[slot]
        self._run_in_background(self._discard(slot))

    async def _discard(self, slot: int, timeout_s: float = STOP_TIMEOUT_S) -> None:
        replica = self._replicas[slot]
        if replica.target in self._variant.targets:
            self._variant.targets.remove(replica.target)
        await replica.stop(timeout_s)
        self._replicas.pop(slot, None)

    def _target(self, slot: int) -> Target:
        target = self._replicas[slot].target
        if target is None:
            raise RuntimeError(f"The container of slot {slot} was started, but has no target.")
        return target

    def _run_in_background(self, work: Coroutine[Any, Any, None]) -> None:
        self._keep_task(asyncio.create_task(work))

    def _keep_task(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _running_workspaces(folder: Path) -> list[Path]:
    return [
        note.parent for note in folder.glob("*/container.json") if running_process(note.parent) is not None
    ]
