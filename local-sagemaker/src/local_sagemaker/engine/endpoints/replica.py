"""One container of a variant, kept running: launched, watched, and started again when it fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from local_sagemaker.engine.endpoints.fleet import Target, Variant
from local_sagemaker.engine.processes.container import (
    STOP_TIMEOUT_S,
    Container,
    ContainerError,
    ContainerSpec,
)

log = logging.getLogger(__name__)

#: how often a running container is pinged, in seconds
PING_INTERVAL_S = 2.0
#: how many pings in a row may fail before the container is replaced
PING_FAILURES = 5
#: first and longest pause before a container is started again, in seconds
BACKOFF_S, BACKOFF_LIMIT_S = 0.5, 60.0
#: after running for this long a container has recovered, and the next pause is the first again, in seconds
RECOVERED_S = 60.0
#: how often a retiring container is looked at until it is idle, in seconds
DRAIN_POLL_S = 0.02


class Replica:
    """One instance of a variant."""

    def __init__(
        self, spec: ContainerSpec, variant: Variant, prepare: Callable[[], None], *, health_timeout_s: float
    ) -> None:
        """Keep what to run.

        :param prepare: installs the model in the workspace; blocks; raises an error with a clear text.
        """
        self.spec, self.variant = spec, variant
        self._prepare = prepare
        self._health_timeout_s = health_timeout_s
        self._container: Container | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.target: Target | None = None

    @property
    def is_alive(self) -> bool:
        """Return whether its process runs."""
        return self._container is not None and self._container.process.is_alive()

    async def launch(self) -> None:
        """Adopt the running process or start one, and wait until it is healthy.

        :raises ContainerError: when it does not become healthy; the text says why.
        """
        self._container = await Container.adopt(self.spec)
        if self._container is None:
            await asyncio.to_thread(self._prepare)
            self._container = await Container.start(self.spec)
        await self._container.wait_until_healthy(self._health_timeout_s)
        self.target = Target(self._container.client)

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
        for _ in range(int(drain_s / DRAIN_POLL_S)):
            if self.target is None or not self.target.in_flight:
                break
            await asyncio.sleep(DRAIN_POLL_S)
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
                    container = await self._restart(target)
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
                problem = await container.ping()
            failures = failures + 1 if problem else 0
            target.is_healthy = not problem
        return f"is not healthy ({problem})"

    async def _restart(self, target: Target) -> Container:
        self._container = None
        self._container = await Container.start(self.spec)
        try:
            await self._container.wait_until_healthy(self._health_timeout_s)
        except ContainerError:
            await self._container.stop()
            raise
        target.client, target.is_healthy = self._container.client, True
        return self._container
