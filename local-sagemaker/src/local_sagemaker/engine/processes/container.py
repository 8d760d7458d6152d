"""One `serve` process: start it, adopt it after a restart of the service, ping it, stop it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path

from local_sagemaker.engine.processes import logs, wire
from local_sagemaker.engine.processes.forks import Forks
from local_sagemaker.engine.processes.process import (
    LaunchError,
    Process,
    ProcessSpec,
    adopt,
    open_pidfd,
    start,
)
from local_sagemaker.storage.objects import files

#: SageMaker's limit between SIGTERM and SIGKILL, in seconds
STOP_TIMEOUT_S = 30.0
#: SageMaker's limit of one ping, in seconds
PING_TIMEOUT_S = 2.0
#: how often a starting container is pinged, and a process is polled where the system has no pidfd, in seconds
POLL_S = 0.05


class ContainerError(Exception):
    """A container did not start or did not become healthy; the text is fit for a FailureReason."""


@dataclass(frozen=True, kw_only=True)
class ContainerSpec(ProcessSpec):
    """What to run for one container; the port is not in the environment: each start may choose another."""

    #: forks the process if its image has a zygote
    forks: Forks | None = None


class Container:
    """A running `serve` process and the connections to it."""

    def __init__(self, spec: ContainerSpec, process: Process, port: int) -> None:
        self.spec, self.process, self.port = spec, process, port
        self.client = wire.Client(port)

    @classmethod
    async def start(cls, spec: ContainerSpec, port: int | None = None) -> Container:
        """Start the process on `port`, or on a free port; raise ContainerError if it cannot be started."""
        port = port or wire.free_port()
        launch = asyncio.create_task(asyncio.to_thread(_start, spec, port))
        try:
            return cls(spec, await asyncio.shield(launch), port)
        except asyncio.CancelledError:
            # The thread goes on. Only when it is done can `adopt` find, and `stop` end, what it has started.
            await asyncio.gather(launch, return_exceptions=True)
            raise
        except (LaunchError, OSError) as error:
            raise ContainerError(f"The container could not be started: {error}") from error

    @classmethod
    async def adopt(cls, spec: ContainerSpec) -> Container | None:
        """Return the process that an earlier service started, if it is still alive."""
        running = await asyncio.to_thread(running_process, spec.workspace)
        return None if running is None else cls(spec, *running)

    async def wait_until_healthy(self, timeout_s: float) -> None:
        """Wait until /ping answers 200; raise ContainerError with the end of the log if it does not."""
        problem = await wait_until_healthy(self.client, self.process.is_alive, timeout_s)
        if problem:
            status, ending = self.process.exit_status(), ""
            if status is not None:
                ending = f" with signal {-status}" if status < 0 else f" with exit code {status}"
            raise ContainerError(
                "The container for the production variant did not pass the ping health check: "
                f"{problem}{ending}. It must listen on port {wire.PORT_VARIABLE} and answer GET /ping with "
                f"200. {logs.last_words(self.spec.log_path)}"
            )

    async def wait_until_ended(self) -> None:
        """Wait until the process has ended."""
        descriptor = open_pidfd(self.process.pid)
        if descriptor is None:
            while self.process.is_alive():  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(POLL_S)
            return
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(descriptor, ended.set)
        try:
            while self.process.is_alive() and not ended.is_set():
                await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    async def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Send SIGTERM, and SIGKILL if the process has not ended after `timeout_s`."""
        self.process.terminate()
        try:
            async with asyncio.timeout(timeout_s):
                await self.wait_until_ended()
        except TimeoutError:
            self.process.kill()
            await self.wait_until_ended()
        self.client.close()


async def ask(client: wire.Client, path: str) -> tuple[wire.Answer | None, str]:
    """Return the container's answer to GET `path`; None and the reason if there is none in a ping's time."""
    try:
        async with asyncio.timeout(PING_TIMEOUT_S):
            return await client.exchange(wire.head("GET", path, [], 0)), ""
    except TimeoutError:
        return None, f"{path} did not answer within {PING_TIMEOUT_S:g} s"
    except wire.ContainerUnreachableError as error:
        return None, str(error)


async def ping(client: wire.Client, path: str = "/ping") -> str:
    """Return an empty text if the container is healthy, otherwise what is wrong with it."""
    answer, problem = await ask(client, path)
    if answer is not None and answer.status != HTTPStatus.OK:
        return f"{path} answered {answer.status}"
    return problem


async def wait_until_healthy(
    client: wire.Client, is_alive: Callable[[], bool], timeout_s: float, path: str = "/ping"
) -> str:
    """Return an empty text once `path` is answered with 200; else, after `timeout_s` or its end, why not."""
    problem = "it does not answer"
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            while problem := await ping(client, path):
                if not is_alive():
                    return "it ended"
                await asyncio.sleep(POLL_S)
            return ""
    return f"within {timeout_s:g} s it did not: {problem}"


def running_process(workspace: Path) -> tuple[Process, int] | None:
    """Return the live process of a workspace and its port, if there is one."""
    try:
        port = int(json.loads((workspace / "container.json").read_text(encoding="utf-8"))["port"])
    except FileNotFoundError:
        return None
    process = adopt(workspace)
    return None if process is None or not process.is_alive() else (process, port)


def _start(spec: ContainerSpec, port: int) -> Process:
    files.write(spec.workspace / "container.json", json.dumps({"port": port}).encode(), is_durable=False)
    environment = {**spec.environment, wire.PORT_VARIABLE: str(port)}
    return start(replace(spec, environment=environment), spec.forks)
