"""All notebook instances of the service: started, watched, stopped, deleted, and resumed after a restart.

Runs on the service's event loop. The store holds the new status of an instance before any work begins, and
JupyterLab outlives this process, so that the next service goes on after a kill.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any

from local_sagemaker.base import Service
from local_sagemaker.domain.notebook_states import NotebookEvent, NotebookStateError, transition
from local_sagemaker.engine.jobs.jobs import shorten
from local_sagemaker.engine.notebooks import server
from local_sagemaker.engine.notebooks.home import NotebookError, NotebookHome, Samples, read_samples
from local_sagemaker.engine.processes.container import STOP_TIMEOUT_S, Container
from local_sagemaker.engine.processes.tasks import cancel, log_failure
from local_sagemaker.storage.store import Document, Query, Resource

log = logging.getLogger(__name__)

KIND, CONFIG_KIND = "notebook-instance", "notebook-instance-lifecycle-config"
#: time of a server to end when the service itself stops; shorter than when an instance is stopped
SHUTDOWN_S = 5.0
#: pause before a crashed server is started again, in seconds
PAUSE_S = 0.5
#: a server that ends this often without running for RECOVERED_S in between is not started again
CRASHES = 3
RECOVERED_S = 60.0


class Notebooks:
    """See the module. Every method belongs to the event loop."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Resume every instance according to its stored status."""
        work_of = {"Pending": self.run, "InService": self.run, "Stopping": self.halt, "Deleting": self.remove}
        for status, work in work_of.items():
            for resource in await asyncio.to_thread(self._service.store.search, KIND, Query(status=status)):
                work(resource.name)

    async def stop(self) -> None:
        """Stop all servers; the store keeps the instances. A running lifecycle script goes on."""
        await cancel(*self._tasks.values())
        resources = await asyncio.to_thread(self._service.store.search, KIND)
        running = [resource for resource in resources if resource.status in {"Pending", "InService"}]
        await asyncio.gather(*(self._stop_server(resource, SHUTDOWN_S) for resource in running))

    def run(self, name: str) -> None:
        """Start an instance that is Pending, or InService after a restart of the service."""
        self._run_in_background(name, self._run(name))

    def halt(self, name: str) -> None:
        """Stop an instance that is Stopping."""
        self._run_in_background(name, self._halt(name, self._tasks.get(name)))

    def remove(self, name: str) -> None:
        """Remove an instance that is Deleting, and its files."""
        self._run_in_background(name, self._remove(name, self._tasks.get(name)))

    # Starting.

    async def _run(self, name: str) -> None:
        try:
            await self._watch(name, await self._bring_up(name))
        except NotebookError as error:
            await self._fail(name, str(error))
        except Exception as error:
            log.exception("The notebook instance %s cannot go on", name)
            await self._fail(name, f"InternalServerError: {type(error).__name__}: {error}")

    async def _bring_up(self, name: str) -> Container:
        resource, samples = await self._resource(name), await self._samples()
        home = NotebookHome.of(self._service, resource)
        await asyncio.to_thread(home.prepare, resource, samples)
        if resource.status == "Pending":
            await self._run_scripts(home, samples, resource)
        await asyncio.to_thread(home.write_metadata, home.workspace(server.WORKSPACE))
        container = await server.launch_server(home, samples, resource.state.get("port"))
        await self._set_in_service(home, container)
        return container

    async def _run_scripts(self, home: NotebookHome, samples: Samples, resource: Resource) -> None:
        name = resource.document.get("NotebookInstanceLifecycleConfigName")
        config = await asyncio.to_thread(self._service.store.get, CONFIG_KIND, name) if name else None
        if name and config is None:
            raise NotebookError(
                f"ClientError: the lifecycle configuration {name} does not exist any more. Create it again, "
                "or remove it from the instance by UpdateNotebookInstance; then start the instance."
            )
        for hook in ("OnStart",) if resource.state.get("is_made") else ("OnCreate", "OnStart"):
            if config is not None:
                await server.run_script(home, samples, config, hook)
            if hook == "OnCreate":
                await self._change(home.name, lambda resource: _with_state(resource, is_made=True))

    async def _watch(self, name: str, container: Container) -> None:
        """Start the server again when it ends; raise NotebookError if it keeps ending."""
        loop, crashes = asyncio.get_running_loop(), 0
        while True:
            since = loop.time()
            await container.wait_until_ended()
            crashes = 1 if loop.time() - since > RECOVERED_S else crashes + 1
            samples = await self._samples()
            reason = server.server_failure(container, samples.python)
            container.client.close()
            if crashes >= CRASHES:
                raise NotebookError(f"{reason} It had been started again {crashes - 1} times.")
            log.warning("Starting the server of notebook instance %s again: %s", name, reason)
            await asyncio.sleep(PAUSE_S)
            home = NotebookHome.of(self._service, await self._resource(name))
            container = await server.launch_server(home, samples, container.port)
            await self._set_in_service(home, container)

    # Stopping.

    async def _halt(self, name: str, previous: asyncio.Task[None] | None) -> None:
        await cancel(previous)
        await self._stop_server(await self._resource(name), STOP_TIMEOUT_S)
        await self._change(name, lambda resource: _after_event(resource, NotebookEvent.ENDED))

    async def _remove(self, name: str, previous: asyncio.Task[None] | None) -> None:
        await cancel(previous)
        await asyncio.to_thread(NotebookHome.of(self._service, await self._resource(name)).remove)
        await asyncio.to_thread(self._service.store.delete, KIND, name)

    async def _fail(self, name: str, reason: str) -> None:
        await self._stop_server(await self._resource(name), STOP_TIMEOUT_S)
        members = {"FailureReason": shorten(reason)}
        await self._change(name, lambda resource: _after_event(resource, NotebookEvent.BROKEN, members))

    async def _set_in_service(self, home: NotebookHome, container: Container) -> None:
        url = f"127.0.0.1:{container.port}{home.base_url.rstrip('/')}"
        await self._change(
            home.name,
            lambda resource: _with_state(
                _after_event(resource, NotebookEvent.READY, {"Url": url}), port=container.port
            ),
        )

    async def _stop_server(self, resource: Resource, timeout_s: float) -> None:
        home = NotebookHome.of(self._service, resource)
        with suppress(NotebookError):
            container = await Container.adopt(server.server_spec(home, await self._samples()))
            if container is not None:  # it ends its kernels first
                await container.stop(timeout_s)

    async def _samples(self) -> Samples:
        return await asyncio.to_thread(read_samples, self._service.samples)

    async def _resource(self, name: str) -> Resource:
        resource = await asyncio.to_thread(self._service.store.get, KIND, name)
        if resource is None:
            raise NotebookError(f"InternalServerError: the notebook instance {name} no longer exists.")
        return resource

    async def _change(self, name: str, change: Any) -> None:  # noqa: ANN401 (the store's own argument)
        await asyncio.to_thread(self._service.store.change, KIND, name, change)

    def _run_in_background(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = self._tasks[name] = asyncio.create_task(work)
        task.add_done_callback(functools.partial(log_failure, f"notebook instance {name}"))


def _after_event(resource: Resource, event: NotebookEvent, members: Document | None = None) -> Resource:
    """Return the resource after an event, unchanged if a request came first."""
    try:
        status = transition(resource.status, event)
    except NotebookStateError:
        return resource
    kept = {key: value for key, value in resource.document.items() if key not in {"Url", "FailureReason"}}
    return replace(resource, status=status, modified=time.time(), document={**kept, **(members or {})})


def _with_state(resource: Resource, **members: Any) -> Resource:  # noqa: ANN401 (any JSON)
    return replace(resource, state={**resource.state, **members})
