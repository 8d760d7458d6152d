"""Keeps one container of a variant running: starts it, watches it, starts it again when it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from local_sagemaker.engine.endpoints.container import (
    STOP_TIMEOUT_S,
    Container,
    ContainerError,
    ContainerSpec,
)
from local_sagemaker.engine.endpoints.fleet import Target, Variant

log = logging.getLogger(__name__)

#: how often a running container is pinged, and after how many failures in a row it is replaced
PING_INTERVAL_S = 2.0
PING_FAILURES = 5
#: pause before a container is started again: at first, and at most
BACKOFF_S = 0.5
BACKOFF_LIMIT_S = 60.0
#: a container that ran this long has recovered: the next pause is the first again
RECOVERED_S = 60.0


class Instance:
    """One instance of a variant."""

    def __init__(
        self, spec: ContainerSpec, variant: Variant, prepare: Callable[[], None], *, health_timeout_s: float
    ) -> None:
        """Know what to run.

        :param prepare: puts the model into the workspace; blocks; raises what explains itself.
        """
        self.spec, self.variant = spec, variant
        self._prepare = prepare
        self._health_timeout_s = health_timeout_s
        self._container: Container | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.target: Target | None = None

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self._container is not None and self._container.process.is_alive()

    async def launch(self) -> None:
        """Take over the process that is there, or start one, and wait until it is healthy.

        :raises ContainerError: with the reason, when it does not become so.
        """
        self._container = await Container.adopt(self.spec)
        if self._container is None:
            await asyncio.to_thread(self._prepare)
            self._container = await Container.start(self.spec)
        await self._container.healthy(self._health_timeout_s)
        self.target = Target(self._container.client)

    def enlist(self) -> None:
        """Join the variant's traffic, and stay watched from now on."""
        if self._container is None or self.target is None:
            raise RuntimeError("Only an instance that was launched can join the traffic.")
        self.variant.targets.append(self.target)
        self._watcher = asyncio.create_task(self._watch(self._container, self.target))

    async def retire(self, drain_s: float) -> None:
        """Leave the traffic, wait for the invocations in flight, at most `drain_s`, and stop."""
        if self.target in self.variant.targets:
            self.variant.targets.remove(self.target)
        for _ in range(int(drain_s / 0.02)):
            if self.target is None or not self.target.in_flight:
                break
            await asyncio.sleep(0.02)
        await self.stop()

    async def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Stop watching and stop the container."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
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
                    container = await self._again(target)
                    break
                except ContainerError as error:
                    log.warning("%s did not come back: %s", self.spec.workspace, error)

    async def _failure(self, container: Container, target: Target) -> str:
        """Return, with the reason, when the container has ended or has answered no ping for some time."""
        failures = 0
        while failures < PING_FAILURES:
            try:
                async with asyncio.timeout(PING_INTERVAL_S):
                    await container.ended()
                    return "has ended"
            except TimeoutError:
                wrong = await container.ping()
            failures = failures + 1 if wrong else 0
            target.is_healthy = not wrong
        return f"is not healthy ({wrong})"

    async def _again(self, target: Target) -> Container:
        self._container = None
        self._container = await Container.start(self.spec)
        try:
            await self._container.healthy(self._health_timeout_s)
        except ContainerError:
            await self._container.stop()
            raise
        target.client, target.is_healthy = self._container.client, True
        return self._container
