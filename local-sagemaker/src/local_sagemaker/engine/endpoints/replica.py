"""The containers of a variant: replicas that are kept running, and those that come and go with invocations.

A replica is launched, watched, and started again when it fails. A serverless variant has one container for
each invocation in flight, started when none is idle; one that stays idle for some time is stopped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local_sagemaker.engine.endpoints import invoke
from local_sagemaker.engine.endpoints.fleet import ModelHost, Target, Variant
from local_sagemaker.engine.processes import container as containers
from local_sagemaker.engine.processes.container import (
    STOP_TIMEOUT_S,
    Container,
    ContainerError,
    ContainerSpec,
)
from local_sagemaker.engine.processes.tasks import cancel, run_in_background

log = logging.getLogger(__name__)

#: how often a running container is pinged, in seconds
PING_INTERVAL_S = 2.0
#: how many pings in a row may fail before the container is replaced
PING_FAILURES = 5
#: first and longest pause before a container is started again, in seconds
BACKOFF_S, BACKOFF_LIMIT_S = 0.5, 60.0
#: after running for this long a container has recovered, and the next pause is the first again, in seconds
RECOVERED_S = 60.0
#: how often what retires is looked at until it is idle, in seconds
DRAIN_POLL_S = 0.02
#: SageMaker's limits of the body of a request to a serverless variant, and of its wait for a container
BODY_LIMIT_BYTES = 4 * 1024 * 1024
WAIT_TIMEOUT_S = 60.0


class Replica:
    """One instance of a variant."""

    def __init__(
        self,
        spec: ContainerSpec,
        variant: Variant,
        prepare: Callable[[], None],
        *,
        health_timeout_s: float,
        models: ModelHost | None = None,
    ) -> None:
        """Keep what to run.

        :param prepare: installs the model in the workspace; blocks; raises an error with a clear text.
        :param models: of a multi-model endpoint: what the container will have loaded.
        """
        self.spec, self.variant, self._models = spec, variant, models
        self._prepare = prepare
        self._health_timeout_s = health_timeout_s
        self._container: Container | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.target: Target | None = None

    @property
    def is_alive(self) -> bool:
        """Return whether its process runs."""
        return self._container is not None and self._container.process.is_alive()

    async def launch(self) -> Target:
        """Adopt the running process or start one, wait until it is healthy, and return it for routing.

        :raises ContainerError: when it does not become healthy; the text says why.
        """
        self._container = await Container.adopt(self.spec)
        if self._container is None:
            await asyncio.to_thread(self._prepare)
            self._container = await Container.start(self.spec)
        await self._container.wait_until_healthy(self._health_timeout_s)
        self.target = Target(self._container.client, models=self._models)
        return self.target

    def join_traffic(self) -> None:
        """Take part in the variant's traffic, and watch the container from now on."""
        if self._container is None or self.target is None:
            raise RuntimeError("Only a launched replica can join the traffic.")
        self.variant.targets.append(self.target)
        self._watcher = asyncio.create_task(self._watch(self._container, self.target))

    async def retire(self, drain_s: float) -> None:
        """Leave the traffic, wait at most `drain_s` for the invocations in flight, and stop."""
        if self.target in self.variant.targets:
            self.variant.targets.remove(self.target)
        await _drained(lambda: self.target is not None and self.target.in_flight > 0, drain_s)
        await self.stop()

    async def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Stop watching and stop the container."""
        await cancel(self._watcher)
        # A launch that was cancelled half-way has left a process without its object.
        container = self._container or await Container.adopt(self.spec)
        if container is not None:
            await container.stop(timeout_s)

    async def _watch(self, container: Container, target: Target) -> None:
        pause_s = BACKOFF_S
        loop = asyncio.get_running_loop()
        while True:
            since = loop.time()
            reason = await self._failure(container, target)
            target.is_healthy = False
            self.variant.counters.restarts += 1
            pause_s = BACKOFF_S if loop.time() - since > RECOVERED_S else pause_s
            log.warning("%s %s; starting it again in %g s", self.spec.workspace, reason, pause_s)
            await container.stop()
            while True:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, BACKOFF_LIMIT_S)
                try:
                    self._container = None
                    self._container = await Container.start(self.spec)
                    try:
                        await self._container.wait_until_healthy(self._health_timeout_s)
                    except ContainerError:
                        await self._container.stop()
                        raise
                    target.client, target.is_healthy = self._container.client, True
                    container = self._container
                    break
                except ContainerError as error:
                    log.warning("%s did not come back: %s", self.spec.workspace, error)

    async def _failure(self, container: Container, target: Target) -> str:
        """Wait until the container ends or fails PING_FAILURES pings in a row; return the reason."""
        failures = 0
        while failures < PING_FAILURES:
            try:
                async with asyncio.timeout(PING_INTERVAL_S):
                    await container.wait_until_ended()
                    return "has ended"
            except TimeoutError:
                problem = await containers.ping(container.client)
            failures = failures + 1 if problem else 0
            target.is_healthy = not problem
        return f"is not healthy ({problem})"


async def _drained(is_busy: Callable[[], bool], drain_s: float) -> None:
    for _ in range(int(drain_s / DRAIN_POLL_S)):
        if not is_busy():
            return
        await asyncio.sleep(DRAIN_POLL_S)


class ServerlessPool:
    """The containers of one serverless variant; every method belongs to the event loop."""

    def __init__(
        self,
        route: invoke.EndpointRoute,
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
        #: slots of the containers that have started
        self._slots: dict[Target, int] = {}
        #: the idle containers and the timers that stop them, the last used one at the end
        self._idle: dict[Target, asyncio.TimerHandle] = {}
        #: starts that no invocation waits for
        self._spare: list[asyncio.Task[Target]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    async def take(self, size: int) -> Target:
        """Return a container for one invocation with a body of `size` bytes; `give_back` must follow.

        :raises InvokeError: when MaxConcurrency is reached, or no container starts.
        """
        if size > BODY_LIMIT_BYTES:
            raise invoke.invalid(
                f"The body has {size} bytes, and a serverless endpoint takes at most {BODY_LIMIT_BYTES}. "
                "Send fewer records at a time, or use an endpoint with instances."
            )
        if self._busy >= self.limit:
            raise invoke.InvokeError(
                "ThrottlingException",
                429,
                f"Rate exceeded: variant {self._variant.name} of endpoint {self._route.name} has "
                f"{self._busy} invocations under way, and its MaxConcurrency is {self.limit}. Try "
                "again, or raise it.",
            )
        if self._is_closed:
            raise invoke.no_container(self._route, self._variant)
        self._busy += 1
        try:
            return self._take_idle() or await self._wait_for_start()
        except BaseException:
            self._busy -= 1
            raise

    def give_back(self, target: Target) -> None:
        """Take back a container; stop it if it is no longer healthy."""
        self._busy -= 1
        slot = self._slots.get(target)
        if slot is None:  # stopped meanwhile
            return
        if target.is_healthy and self._replicas[slot].is_alive and not self._is_closed:
            self._set_idle(target)
        else:
            run_in_background(self._tasks, self._discard(slot))

    async def adopt(self, folder: Path) -> None:
        """Adopt the containers that an earlier service started in `folder`, one in each subfolder."""
        for note in await asyncio.to_thread(lambda: list(folder.glob("*/container.json"))):
            if await asyncio.to_thread(containers.running_process, note.parent) is not None:
                self._spare.append(self._start(int(note.parent.name)))

    async def retire(self, drain_s: float) -> None:
        """Start no more, wait at most `drain_s` for the invocations in flight, and stop all containers."""
        self._is_closed = True
        await _drained(lambda: self._busy > 0, drain_s)
        await self.stop(STOP_TIMEOUT_S)

    async def stop(self, timeout_s: float) -> None:
        """Stop all containers."""
        self._is_closed = True
        await cancel(*self._tasks)
        for timer in self._idle.values():
            timer.cancel()
        self._idle.clear()
        await asyncio.gather(*(self._discard(slot, timeout_s) for slot in list(self._replicas)))

    # Starting containers.

    def _take_idle(self) -> Target | None:
        """Return the container used last, so that surplus containers stay idle and expire."""
        while self._idle:
            target, timer = self._idle.popitem()
            timer.cancel()
            if self._replicas[self._slots[target]].is_alive:
                return target
            run_in_background(self._tasks, self._discard(self._slots[target]))
        return None

    async def _wait_for_start(self) -> Target:
        """Wait for a start and return its container; the start goes on if this invocation gives up."""
        free = next(slot for slot in range(len(self._replicas) + 1) if slot not in self._replicas)
        start = self._spare.pop() if self._spare else self._start(free)
        try:
            async with asyncio.timeout(WAIT_TIMEOUT_S):
                return await asyncio.shield(start)
        except TimeoutError:
            self._return_start(start)
            raise invoke.InvokeError(
                "ModelNotReadyException",
                429,
                f"Variant {self._variant.name} of endpoint {self._route.name} is still starting a container. "
                "Try again.",
            ) from None
        except asyncio.CancelledError:
            if start.cancelled():  # the variant is being stopped
                raise invoke.no_container(self._route, self._variant) from None
            self._return_start(start)
            raise
        except ContainerError as error:
            raise invoke.model_error(self._route, 0, f"Unable to stand up the model. {error}") from error

    def _start(self, slot: int) -> asyncio.Task[Target]:
        replica = self._replicas[slot] = self._new_replica(slot)
        start = run_in_background(self._tasks, self._launch(slot, replica))
        start.add_done_callback(self._started)
        return start

    async def _launch(self, slot: int, replica: Replica) -> Target:
        try:
            target = await replica.launch()
        except BaseException as error:
            await replica.stop()
            del self._replicas[slot]
            if isinstance(error, Exception):  # every error becomes the client's message
                raise ContainerError(str(error)) from error
            raise
        self._variant.targets.append(target)
        self._slots[target] = slot
        return target

    def _return_start(self, start: asyncio.Task[Target]) -> None:
        self._spare.append(start)
        if start.done():
            self._started(start)

    def _started(self, start: asyncio.Task[Target]) -> None:
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

    def _set_idle(self, target: Target) -> None:
        loop = asyncio.get_running_loop()
        self._idle[target] = loop.call_later(self._idle_s, self._expire, target)

    def _expire(self, target: Target) -> None:
        del self._idle[target]
        run_in_background(self._tasks, self._discard(self._slots[target]))

    async def _discard(self, slot: int, timeout_s: float = STOP_TIMEOUT_S) -> None:
        replica = self._replicas[slot]
        if replica.target is not None:
            self._slots.pop(replica.target, None)
        if replica.target in self._variant.targets:
            self._variant.targets.remove(replica.target)
        await replica.stop(timeout_s)
        self._replicas.pop(slot, None)
