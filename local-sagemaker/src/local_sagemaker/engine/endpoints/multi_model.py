"""Multi-model endpoints: the models that one container has loaded, by the contract of such containers.

A model is loaded by `POST /models` when an invocation first names it, and invoked at `/models/<id>/invoke`.
The one that was not asked for the longest is unloaded by `DELETE /models/<id>` when the container has no room
(507) or has LOADED_LIMIT of them. Archives lie below a prefix in S3 and are read when a model is loaded.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from local_sagemaker.engine.endpoints import invoke
from local_sagemaker.engine.jobs.channels import ModelDataError, install_model_data
from local_sagemaker.engine.processes.tasks import run_in_background
from local_sagemaker.engine.processes.wire import Answer, Client, head
from local_sagemaker.errors import AwsError
from local_sagemaker.storage.objects.objects import ObjectStore

#: variable that tells a container of its kind of endpoint
VARIABLE = "SAGEMAKER_MULTI_MODEL"
MODE = "MultiModel"
#: models that one container keeps at a time: every one takes memory of this machine
LOADED_LIMIT = 32
JSON_TYPE = [(b"content-type", b"application/json")]
#: how a container answers that knows no such path
UNSPOKEN = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)
#: how a container answers that has the model now
LOADED = (HTTPStatus.OK, HTTPStatus.CONFLICT)


@dataclass(eq=False)
class LoadedModel:
    """A model that a container has loaded, or is loading."""

    loading: asyncio.Task[None]
    #: invocations that wait for it
    in_use: int = 0


class LoadedModels:
    """The models of one container; every method belongs to the event loop."""

    def __init__(
        self, route: invoke.EndpointRoute, url: str, objects: ObjectStore, folder: Path, shown: str
    ) -> None:
        """Keep where models come from and go to.

        :param url: the prefix in S3 below which archives lie.
        :param folder: where they are unpacked.
        :param shown: the path of that folder in the container.
        """
        self._route, self._url, self._objects = route, url.rstrip("/"), objects
        self._folder, self._shown = folder, shown
        self._client: Client | None = None
        #: by TargetModel, the one that was asked for last at the end
        self._models: dict[str, LoadedModel] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        #: one model is loaded or unloaded at a time
        self._changing = asyncio.Lock()

    async def use(self, client: Client, name: str, ask: Callable[[str], Awaitable[Answer]]) -> Answer:
        """Return the answer of a model, loaded first if it is not.

        :param client: connections to the container; another one is another process, which has no models yet.
        :param name: TargetModel, the archive's key below the prefix.
        :param ask: sends the invocation to a path.
        :raises InvokeError: when there is no such model, or the container does not load it.
        """
        if client is not self._client:
            self._client, self._models = client, {}
        model = self._models.pop(name, None)
        if model is None:
            model = LoadedModel(run_in_background(self._tasks, self._load(client, name)))
        self._models[name] = model
        model.in_use += 1
        try:
            await asyncio.shield(model.loading)
            return await ask(f"/models/{identity(name)}/invoke")
        finally:
            model.in_use -= 1
            has_failed = model.loading.done() and (model.loading.cancelled() or model.loading.exception())
            if has_failed and self._models.get(name) is model:
                del self._models[name]

    async def _load(self, client: Client, name: str) -> None:
        async with self._changing:
            await self._load_alone(client, name)

    async def _load_alone(self, client: Client, name: str) -> None:
        model = identity(name)
        if (await _exchange(client, "GET", f"/models/{model}")).status == HTTPStatus.OK:
            return  # an earlier service has loaded it
        folder = self._folder / model / "model"
        definition = {"ModelDataUrl": f"{self._url}/{name.lstrip('/')}"}
        try:
            await asyncio.to_thread(install_model_data, definition, self._objects, folder)
        except (ModelDataError, AwsError) as error:
            raise invoke.invalid(
                f"Failed to download model data. {error} TargetModel {name!r} names an archive below "
                f"{self._url}/."
            ) from error
        request = json.dumps({"model_name": model, "url": f"{self._shown}/{model}/model"}).encode()
        while len(self._models) > LOADED_LIMIT and await self._unload_one(client):
            pass
        answer = await _exchange(client, "POST", "/models", request)
        while answer.status == HTTPStatus.INSUFFICIENT_STORAGE and await self._unload_one(client):
            answer = await _exchange(client, "POST", "/models", request)
        if answer.status in LOADED:
            return
        await asyncio.to_thread(shutil.rmtree, folder.parent, ignore_errors=True)
        message = answer.body.decode("utf-8", "replace")
        if answer.status in UNSPOKEN:
            message = (
                f"The container answers POST /models with {answer.status}: it does not implement the "
                "contract of multi-model endpoints. Use an image that does, or an endpoint for each."
            )
        raise invoke.model_error(self._route, answer.status, f"Cannot load {name}: {message}")

    async def _unload_one(self, client: Client) -> bool:
        """Unload the model that was not asked for the longest; return False if all are in use."""
        for name, model in self._models.items():
            if model.in_use == 0 and model.loading.done():
                del self._models[name]
                await _exchange(client, "DELETE", f"/models/{identity(name)}")
                await asyncio.to_thread(shutil.rmtree, self._folder / identity(name), ignore_errors=True)
                return True
        return False


def identity(name: str) -> str:
    """Return what a container calls a model: any archive's key becomes a plain name."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


async def _exchange(client: Client, method: str, path: str, body: bytes = b"") -> Answer:
    return await client.exchange(head(method, path, JSON_TYPE if body else [], len(body)), body)


def empty(folder: Path) -> None:
    """Make the folder of a container's models, without what an earlier process had there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
