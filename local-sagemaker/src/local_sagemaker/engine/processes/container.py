"""One `serve` process: start it, adopt it after a restart of the service, ping it, stop it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from local_sagemaker.engine.processes import logs
from local_sagemaker.engine.processes.forks import Forks
from local_sagemaker.engine.processes.process import LaunchError, Process, ProcessSpec, adopt, start
from local_sagemaker.engine.processes.wire import (
    PORT_VARIABLE,
    Answer,
    Client,
    ContainerUnreachableError,
    free_port,
    head,
)

#: SageMaker's limit between SIGTERM and SIGKILL, in seconds
STOP_TIMEOUT_S = 30.0
#: SageMaker's limit of one ping, in seconds
PING_TIMEOUT_S = 2.0
#: how often a starting container is pinged, and a process is polled where the system has no pidfd, in seconds
POLL_S = 0.05
PING = head("GET", "/ping", [], 0)


class ContainerError(Exception):
    """A container did not start or did not become healthy; the text is fit for a FailureReason."""


class UnhealthyError(Exception):
    """A container did not become healthy; the text says what it did instead."""


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """What to run for one container."""

    argv: tuple[str, ...]
    #: without the port, which is chosen anew at every start
    environment: Mapping[str, str]
    #: its folder `ml` is the container's /opt/ml
    workspace: Path
    log_path: Path
    #: forks the process if its image has a zygote
    forks: Forks | None = None


class Container:
    """A running `serve` process and the connections to it."""

    def __init__(self, spec: ContainerSpec, process: Process, port: int) -> None:
        self.spec, self.process, self.port = spec, process, port
        self.client = Client(port)

    @classmethod
    async def start(cls, spec: ContainerSpec, port: int | None = None) -> Container:
        """Start the process on `port`, or on a free port; raise ContainerError if it cannot be started."""
        port = port or free_port()
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
        try:
            await wait_until_healthy(self.client, self.process.is_alive, timeout_s)
        except UnhealthyError as error:
            ending = "" if self.process.is_alive() else f" with {_ending(self.process)}"
            raise ContainerError(
                "The container for the production variant did not pass the ping health check: "
                f"{error}{ending}. It must listen on port {PORT_VARIABLE} and answer GET /ping with 200. "
                f"{logs.last_words(self.spec.log_path)}"
            ) from error

    async def ping(self) -> str:
        """Return an empty text if the container is healthy, otherwise what is wrong with it."""
        return await ping(self.client)

    async def wait_until_ended(self) -> None:
        """Wait until the process has ended."""
        if not sys.platform.startswith("linux"):
            while self.process.is_alive():  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(POLL_S)
            return
        try:
            descriptor = os.pidfd_open(self.process.pid)
        except OSError:
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


async def ping(client: Client) -> str:
    """Return an empty text if the container is healthy, otherwise what is wrong with it."""
    try:
        async with asyncio.timeout(PING_TIMEOUT_S):
            answer = await client.exchange(PING)
    except TimeoutError:
        return f"/ping did not answer within {PING_TIMEOUT_S:g} s"
    except ContainerUnreachableError as error:
        return str(error)
    return "" if answer.status == HTTPStatus.OK else f"/ping answered {answer.status}"


async def wait_until_healthy(client: Client, is_alive: Callable[[], bool], timeout_s: float) -> None:
    """Wait until /ping answers 200; raise UnhealthyError after `timeout_s`, or when the process has ended."""
    problem = ""
    try:
        async with asyncio.timeout(timeout_s):
            while problem := await ping(client):
                if not is_alive():
                    raise UnhealthyError("it ended")
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise UnhealthyError(
            f"within {timeout_s:g} s it did not: {problem or 'it does not answer'}"
        ) from None


async def get(client: Client, path: str) -> Answer | None:
    """Return the container's answer to GET `path`; None if it does not answer in the time of a ping."""
    try:
        async with asyncio.timeout(PING_TIMEOUT_S):
            return await client.exchange(head("GET", path, [], 0))
    except (TimeoutError, ContainerUnreachableError):
        return None


def running_process(workspace: Path) -> tuple[Process, int] | None:
    """Return the live process of a workspace and its port, if there is one."""
    try:
        port = int(json.loads((workspace / "container.json").read_text(encoding="utf-8"))["port"])
    except FileNotFoundError:
        return None
    process = adopt(workspace)
    return None if process is None or not process.is_alive() else (process, port)


def _start(spec: ContainerSpec, port: int) -> Process:
    spec.workspace.mkdir(parents=True, exist_ok=True)
    note = spec.workspace / "container.json"
    new = note.with_suffix(".new")
    new.write_text(json.dumps({"port": port}), encoding="utf-8")
    new.replace(note)
    environment = {**spec.environment, PORT_VARIABLE: str(port)}
    return start(ProcessSpec(spec.argv, environment, spec.workspace, spec.log_path), spec.forks)


def _ending(process: Process) -> str:
    status = process.exit_status()
    return f"signal {-status}" if status is not None and status < 0 else f"exit code {status}"
