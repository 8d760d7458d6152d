"""One `serve` process: started, found again after a restart, pinged, stopped."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_sagemaker.base import Service
from local_sagemaker.engine.endpoints import health
from local_sagemaker.engine.processes import logs
from local_sagemaker.engine.processes.forks import Forks
from local_sagemaker.engine.processes.image import Image
from local_sagemaker.engine.processes.ports import PORT_VARIABLE, free_port
from local_sagemaker.engine.processes.process import LaunchError, Process, ProcessSpec, adopt, start
from local_sagemaker.engine.processes.wire import Client

#: SageMaker's limit, in seconds
STOP_TIMEOUT_S = 30.0
#: how often a process is looked at where the system does not tell of its end, in seconds
POLL_S = 0.05


class ContainerError(Exception):
    """A container did not start, or did not become healthy; the text is fit for a FailureReason."""


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """What to run for one instance."""

    argv: tuple[str, ...]
    #: without the port, which every start chooses anew
    environment: Mapping[str, str]
    #: /opt/ml is its folder `ml`
    workspace: Path
    log_path: Path
    #: what forks it, where its image has a zygote
    forks: Forks | None = None


def container_spec(
    context: Service,
    image: Image,
    definition: Mapping[str, Any],
    *,
    workspace: Path,
    log_path: Path,
    forks: Forks | None = None,
) -> ContainerSpec:
    """The `serve` process of a container definition (Image, Environment, ...) in a workspace."""
    environment = image.variables(
        {**context.container_variables(), **definition.get("Environment", {})}, workspace
    )
    return ContainerSpec(
        argv=image.command("serve"),
        environment=environment,
        workspace=workspace,
        log_path=log_path,
        forks=forks,
    )


class Container:
    """A running `serve` process and the connections to it."""

    def __init__(self, spec: ContainerSpec, process: Process, port: int) -> None:
        self.spec, self.process, self.port = spec, process, port
        self.client = Client(port)

    @classmethod
    async def start(cls, spec: ContainerSpec, port: int | None = None) -> Container:
        """Start the process on `port`, else on a free one; ContainerError if that is impossible."""
        port = port or free_port()
        begun = asyncio.create_task(asyncio.to_thread(_start, spec, port))
        try:
            return cls(spec, await asyncio.shield(begun), port)
        except asyncio.CancelledError:
            # The thread goes on; only when it is done can `adopt` find, and `stop` end, what it has started.
            await asyncio.gather(begun, return_exceptions=True)
            raise
        except (LaunchError, OSError) as error:
            raise ContainerError(f"The container could not be started: {error}") from error

    @classmethod
    async def adopt(cls, spec: ContainerSpec) -> Container | None:
        """The process that a service before this one started, if it still lives."""
        found = await asyncio.to_thread(find, spec.workspace)
        return None if found is None else cls(spec, *found)

    async def healthy(self, timeout_s: float) -> None:
        """Wait until /ping answers 200; ContainerError, with the log's last lines, when it does not."""
        try:
            await health.healthy(self.client, self.process.is_alive, timeout_s)
        except health.UnhealthyError as error:
            ending = "" if self.process.is_alive() else f" with {_ending(self.process)}"
            raise ContainerError(
                "The container for the production variant did not pass the ping health check: "
                f"{error}{ending}. It must listen on port {PORT_VARIABLE} and answer GET /ping with 200. "
                f"{logs.last_words(self.spec.log_path)}"
            ) from error

    async def ping(self) -> str:
        """Empty when the container is healthy, else what is wrong with it."""
        return await health.ping(self.client)

    async def ended(self) -> None:
        """Return when the process has ended."""
        if not sys.platform.startswith("linux"):
            while self.process.is_alive():  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(POLL_S)
            return
        try:
            descriptor = os.pidfd_open(self.process.pid)
        except OSError:
            return
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(descriptor, over.set)
        try:
            while self.process.is_alive() and not over.is_set():
                await over.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    async def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """SIGTERM; SIGKILL to what is left after `timeout_s`."""
        self.process.terminate()
        try:
            async with asyncio.timeout(timeout_s):
                await self.ended()
        except TimeoutError:
            self.process.kill()
            await self.ended()
        self.client.close()


def find(workspace: Path) -> tuple[Process, int] | None:
    """The living process of a workspace and its port, if there is one."""
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
