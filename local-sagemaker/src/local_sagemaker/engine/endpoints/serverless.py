"""Serverless variants: a container for each invocation under way, started when none is idle.

A container that has had nothing to do for some time is stopped, the last one, too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from local_sagemaker.engine.endpoints.container import STOP_TIMEOUT_S, ContainerError, find
from local_sagemaker.engine.endpoints.fleet import Target, Variant
from local_sagemaker.engine.endpoints.instance import Instance
from local_sagemaker.engine.endpoints.invoke import InvokeError, Route, invalid, model_error, none_running

log = logging.getLogger(__name__)

#: SageMaker's limits: of a request's body, of a container's start, and of an invocation's wait for one
BODY_LIMIT_BYTES = 4 * 1024 * 1024
START_TIMEOUT_S = 180.0
WAIT_TIMEOUT_S = 60.0


class Pool:
    """The containers of one serverless variant; every method belongs to the event loop."""

    def __init__(
        self,
        route: Route,
        variant: Variant,
        make: Callable[[int], Instance],
        *,
        limit: int,
        idle_s: float,
    ) -> None:
        """Know what to start.

        :param route: says of which endpoint errors are.
        :param make: the instance of a place; places are numbered from 0.
        :param limit: MaxConcurrency.
        :param idle_s: how long a container may have nothing to do before it is stopped.
        """
        self.limit = limit
        self._route, self._variant, self._make, self._idle_s = route, variant, make, idle_s
        self._busy = 0
        self._instances: dict[int, Instance] = {}
        #: places of containers with nothing to do, the one used last at the end, and what will stop them
        self._idle: dict[int, asyncio.TimerHandle] = {}
        #: starts under way that no invocation waits for
        self._spare: list[asyncio.Task[int]] = []
        self._works: set[asyncio.Task[Any]] = set()
        self._is_over = False

    async def take(self, size: int) -> Target:
        """A container for one invocation with a body of `size` bytes; `give_back` must follow.

        :raises InvokeError: when as many as may are under way, or no container comes up.
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
        if self._is_over:
            raise none_running(self._route, self._variant)
        self._busy += 1
        try:
            place = self._warm()
            return self._target(await self._cold() if place is None else place)
        except BaseException:
            self._busy -= 1
            raise

    def give_back(self, target: Target) -> None:
        """Let go of a container; one that is not healthy any more is stopped."""
        self._busy -= 1
        place = next((place for place, one in self._instances.items() if one.target is target), None)
        if place is None:  # stopped meanwhile
            return
        if target.is_healthy and self._instances[place].is_alive and not self._is_over:
            self._rest(place)
        else:
            self._begin(self._discard(place))

    async def adopt(self, folder: Path) -> None:
        """Take over what a service before this one started in `folder`, each place in one of its own."""
        for workspace in await asyncio.to_thread(_running, folder):
            self._spare.append(self._start(int(workspace.name)))

    async def retire(self, drain_s: float) -> None:
        """Start nothing more, wait for what is under way, at most `drain_s`, and stop all containers."""
        self._is_over = True
        for _ in range(int(drain_s / 0.02)):
            if not self._busy:
                break
            await asyncio.sleep(0.02)
        await self.stop(STOP_TIMEOUT_S)

    async def stop(self, timeout_s: float) -> None:
        """Stop all containers."""
        self._is_over = True
        for work in self._works:
            work.cancel()
        await asyncio.gather(*self._works, return_exceptions=True)
        for timer in self._idle.values():
            timer.cancel()
        self._idle.clear()
        await asyncio.gather(*(self._discard(place, timeout_s) for place in list(self._instances)))

    # Where a container comes from.

    def _warm(self) -> int | None:
        """The idle container that was used last, so that those that are not needed stay idle."""
        while self._idle:
            place, timer = self._idle.popitem()
            timer.cancel()
            if self._instances[place].is_alive:
                return place
            self._begin(self._discard(place))
        return None

    async def _cold(self) -> int:
        """Wait for a container that starts; it goes on starting when this invocation waits no longer."""
        start = self._spare.pop() if self._spare else self._start(self._free_place())
        try:
            async with asyncio.timeout(WAIT_TIMEOUT_S):
                return await asyncio.shield(start)
        except TimeoutError:
            self._spare_again(start)
            self._variant.counters.count(429, None, None)
            raise InvokeError(
                "ModelNotReadyException",
                429,
                f"Variant {self._variant.name} of endpoint {self._route.name} is still starting a container. "
                "Try again.",
            ) from None
        except asyncio.CancelledError:
            if start.cancelled():  # the variant is being stopped
                raise none_running(self._route, self._variant) from None
            self._spare_again(start)
            raise
        except ContainerError as error:
            self._variant.counters.count(500, None, None)
            raise model_error(self._route, 0, f"Unable to stand up the model. {error}") from error

    def _free_place(self) -> int:
        return next(place for place in range(len(self._instances) + 1) if place not in self._instances)

    def _start(self, place: int) -> asyncio.Task[int]:
        instance = self._instances[place] = self._make(place)
        start: asyncio.Task[int] = asyncio.create_task(self._launch(place, instance))
        self._keep(start)
        start.add_done_callback(self._started)
        return start

    async def _launch(self, place: int, instance: Instance) -> int:
        try:
            await instance.launch()
        except BaseException as error:
            await instance.stop()
            del self._instances[place]
            if isinstance(error, Exception):  # whatever it is, it has to become the client's message
                raise ContainerError(str(error)) from error
            raise
        if instance.target is not None:
            self._variant.targets.append(instance.target)
        return place

    def _spare_again(self, start: asyncio.Task[int]) -> None:
        self._spare.append(start)
        if start.done():
            self._started(start)

    def _started(self, start: asyncio.Task[int]) -> None:
        """Let a container rest that no invocation waited for."""
        if start not in self._spare:
            return
        self._spare.remove(start)
        if start.cancelled():
            return
        if error := start.exception():
            log.warning("A container of endpoint %s did not start: %s", self._route.name, error)
        else:
            self._rest(start.result())

    # Where it goes.

    def _rest(self, place: int) -> None:
        loop = asyncio.get_running_loop()
        self._idle[place] = loop.call_later(self._idle_s, self._expire, place)

    def _expire(self, place: int) -> None:
        del self._idle[place]
        self._begin(self._discard(place))

    async def _discard(self, place: int, timeout_s: float = STOP_TIMEOUT_S) -> None:
        instance = self._instances[place]
        if instance.target in self._variant.targets:
            self._variant.targets.remove(instance.target)
        await instance.stop(timeout_s)
        self._instances.pop(place, None)

    # Small things.

    def _target(self, place: int) -> Target:
        target = self._instances[place].target
        if target is None:
            raise RuntimeError(f"The container of place {place} has no target though it was started.")
        return target

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._keep(asyncio.create_task(work))

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._works.add(task)
        task.add_done_callback(self._works.discard)


def _running(folder: Path) -> list[Path]:
    return [note.parent for note in folder.glob("*/container.json") if find(note.parent) is not None]
