"""All notebook instances of the service: brought up, watched, stopped, deleted, found again after a restart.

Runs on the service's event loop. What an instance is to be is in the store before any of it is begun, and
JupyterLab outlives this process: a service that was killed goes on from there.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any

from local_sagemaker.base import Service
from local_sagemaker.domain.notebook_states import NotebookEvent, NotebookStateError, transition
from local_sagemaker.engine.jobs.failures import shorten
from local_sagemaker.engine.notebooks import samples as notebook_samples
from local_sagemaker.engine.notebooks import scripts, server
from local_sagemaker.engine.notebooks.home import NotebookHome, clear
from local_sagemaker.engine.notebooks.samples import Samples
from local_sagemaker.engine.notebooks.server import NotebookError
from local_sagemaker.engine.processes.container import STOP_TIMEOUT_S, Container
from local_sagemaker.storage.store import Document, Query, Resource

log = logging.getLogger(__name__)

KIND, CONFIG_KIND = "notebook-instance", "notebook-instance-lifecycle-config"
#: when the service itself stops, an instance gets less time than when it is stopped
SHUTDOWN_S = 5.0
#: pause before a server that crashed is started again
PAUSE_S = 0.5
#: a server that ends so often without having run for RECOVERED_S between is not started again
CRASHES = 3
RECOVERED_S = 60.0


class Notebooks:
    """See the module. Every method belongs to the event loop."""

    def __init__(self, context: Service) -> None:
        self._context = context
        self._works: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Take up every instance as the store says."""
        works = {"Pending": self.run, "InService": self.run, "Stopping": self.halt, "Deleting": self.remove}
        for status, work in works.items():
            for resource in await asyncio.to_thread(self._context.store.search, KIND, Query(status=status)):
                work(resource.name)

    async def stop(self) -> None:
        """Stop all servers; the store keeps the instances. A lifecycle script goes on by itself."""
        works = list(self._works.values())
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
        found = await asyncio.to_thread(self._context.store.search, KIND)
        running = [resource for resource in found if resource.status in {"Pending", "InService"}]
        await asyncio.gather(*(self._stop_server(resource, SHUTDOWN_S) for resource in running))

    def run(self, name: str) -> None:
        """Begin to bring up an instance that is Pending (or InService, and this process is new)."""
        self._begin(name, self._run(name))

    def halt(self, name: str) -> None:
        """Begin to stop an instance that is Stopping."""
        self._begin(name, self._halt(name, self._works.get(name)))

    def remove(self, name: str) -> None:
        """Begin to remove an instance that is Deleting, and its files."""
        self._begin(name, self._remove(name, self._works.get(name)))

    # Bringing up.

    async def _run(self, name: str) -> None:
        try:
            container = await self._bring_up(name)
            await self._watch(name, container)
        except NotebookError as error:
            await self._fail(name, str(error))
        except Exception as error:
            log.exception("The notebook instance %s cannot go on", name)
            await self._fail(name, f"InternalServerError: {type(error).__name__}: {error}")

    async def _bring_up(self, name: str) -> Container:
        resource, samples = await self._found(name), await self._samples()
        home = NotebookHome.of(self._context, resource)
        await asyncio.to_thread(home.prepare, resource, samples)
        if resource.status == "Pending":
            await self._run_scripts(home, samples, resource)
        await asyncio.to_thread(home.describe, home.workspace(server.WORKSPACE))
        container = await server.launch(home, samples, resource.state.get("port"))
        await self._ready(home, container)
        return container

    async def _run_scripts(self, home: NotebookHome, samples: Samples, resource: Resource) -> None:
        name = resource.document.get("NotebookInstanceLifecycleConfigName")
        config = await asyncio.to_thread(self._context.store.get, CONFIG_KIND, name) if name else None
        if name and config is None:
            raise NotebookError(
                f"ClientError: the lifecycle configuration {name} does not exist any more. Create it again, "
                "or take it from the instance by UpdateNotebookInstance; then start the instance."
            )
        for hook in ("OnStart",) if resource.state.get("is_made") else ("OnCreate", "OnStart"):
            if config is not None:
                await scripts.run(home, samples, config, hook)
            if hook == "OnCreate":
                await self._change(home.name, lambda found: _with_state(found, is_made=True))

    async def _watch(self, name: str, container: Container) -> None:
        """Start the server again when it ends; NotebookError when that is of no use."""
        loop, crashes = asyncio.get_running_loop(), 0
        while True:
            since = loop.time()
            await container.wait_until_ended()
            crashes = 1 if loop.time() - since > RECOVERED_S else crashes + 1
            samples = await self._samples()
            reason = server.failure(container, samples.python)
            container.client.close()
            if crashes >= CRASHES:
                raise NotebookError(f"{reason} It had been started again {crashes - 1} times.")
            log.warning("The server of notebook instance %s is started again: %s", name, reason)
            await asyncio.sleep(PAUSE_S)
            home = NotebookHome.of(self._context, await self._found(name))
            container = await server.launch(home, samples, container.port)
            await self._ready(home, container)

    # Taking down.

    async def _halt(self, name: str, former: asyncio.Task[None] | None) -> None:
        await _cancel(former)
        await self._stop_server(await self._found(name), STOP_TIMEOUT_S)
        await self._change(name, lambda found: _moved(found, NotebookEvent.ENDED))

    async def _remove(self, name: str, former: asyncio.Task[None] | None) -> None:
        await _cancel(former)
        home = NotebookHome.of(self._context, await self._found(name))
        await asyncio.to_thread(clear, home.start)
        await asyncio.to_thread(shutil.rmtree, home.folder, ignore_errors=True)
        await asyncio.to_thread(self._context.store.delete, KIND, name)

    async def _fail(self, name: str, reason: str) -> None:
        await self._stop_server(await self._found(name), STOP_TIMEOUT_S)
        told = {"FailureReason": shorten(reason)}
        await self._change(name, lambda found: _moved(found, NotebookEvent.BROKEN, told))

    # Small things.

    async def _ready(self, home: NotebookHome, container: Container) -> None:
        url = f"127.0.0.1:{container.port}{home.base_url.rstrip('/')}"

        def change(found: Resource) -> Resource:
            return _with_state(_moved(found, NotebookEvent.READY, {"Url": url}), port=container.port)

        await self._change(home.name, change)

    async def _stop_server(self, resource: Resource, timeout_s: float) -> None:
        home = NotebookHome.of(self._context, resource)
        with suppress(NotebookError):
            await server.stop(home, await self._samples(), timeout_s)

    async def _samples(self) -> Samples:
        try:
            return await asyncio.to_thread(notebook_samples.read, self._context.samples)
        except notebook_samples.SamplesError as error:
            raise NotebookError(f"InternalServerError: {error}") from error

    async def _found(self, name: str) -> Resource:
        found = await asyncio.to_thread(self._context.store.get, KIND, name)
        if found is None:
            raise NotebookError(f"InternalServerError: there is no notebook instance {name} any more.")
        return found

    async def _change(self, name: str, change: Any) -> None:  # noqa: ANN401 (the store's own argument)
        await asyncio.to_thread(self._context.store.change, KIND, name, change)

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = self._works[name] = asyncio.create_task(work)
        task.add_done_callback(_report)


def _moved(resource: Resource, event: NotebookEvent, told: Document | None = None) -> Resource:
    """The resource after an event, or as it is if a request was quicker."""
    try:
        status = transition(resource.status, event)
    except NotebookStateError:
        return resource
    kept = {key: value for key, value in resource.document.items() if key not in {"Url", "FailureReason"}}
    return replace(resource, status=status, modified=time.time(), document={**kept, **(told or {})})


def _with_state(resource: Resource, **members: Any) -> Resource:  # noqa: ANN401 (any JSON)
    return replace(resource, state={**resource.state, **members})


async def _cancel(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("A change of a notebook instance failed", exc_info=error)
