"""The replica set of one generation of an endpoint: what a rollout starts, and what it replaces."""

from __future__ import annotations

import asyncio
import functools
import logging
import shutil
from collections.abc import Awaitable, Callable, Collection
from itertools import pairwise
from pathlib import Path

from local_sagemaker.base import Service
from local_sagemaker.engine.endpoints import multi_model
from local_sagemaker.engine.endpoints.capture import CaptureBuffer, CaptureConfig
from local_sagemaker.engine.endpoints.fleet import (
    STAGE,
    Counters,
    EndpointPlan,
    Fleet,
    Variant,
    VariantPlan,
)
from local_sagemaker.engine.endpoints.invoke import EndpointRoute
from local_sagemaker.engine.endpoints.metrics import Meters
from local_sagemaker.engine.endpoints.replica import Replica, ServerlessPool
from local_sagemaker.engine.endpoints.streaming import TIMEOUT_S as STREAM_TIMEOUT_S
from local_sagemaker.engine.jobs.channels import install_model_data
from local_sagemaker.engine.processes import logs
from local_sagemaker.engine.processes.container import ContainerError, ContainerSpec, running_process
from local_sagemaker.engine.processes.forks import Forks
from local_sagemaker.engine.processes.image import Images
from local_sagemaker.engine.processes.process import shown_base

log = logging.getLogger(__name__)

#: SageMaker's limit of an asynchronous invocation, in seconds
ASYNC_TIMEOUT_S = 3600.0
#: first and longest pause before containers that do not come back are tried again, in seconds
PAUSE_S, PAUSE_LIMIT_S = 1.0, 60.0
#: time between SIGTERM and SIGKILL of an orphan, in seconds
ORPHAN_GRACE_S = 5.0


class ReplicaSet:
    """The running containers of a plan."""

    def __init__(
        self,
        service: Service,
        images: Images,
        route: EndpointRoute,
        plan: EndpointPlan,
        meters: Meters,
        *,
        forks: Forks | None,
    ) -> None:
        self.plan = plan
        self._meters, self._forks = meters, forks
        self._service, self._images, self._route, self._endpoint = service, images, route, route.name
        self._folder = endpoint_folder(service, route.name) / str(plan.generation)
        #: how long an invocation in flight may still take
        self._drain_s = STREAM_TIMEOUT_S if plan.asynchronous is None else ASYNC_TIMEOUT_S
        #: production and shadow variants by name, those of pipelines container by container
        self.variants = {stage.name: self._variant(stage) for stage in plan.all_stages}
        for variant in plan.all_variants:
            for stage, following in pairwise(variant.stages()):
                self.variants[stage.name].next_stage = self.variants[following.name]
        self.fleet = Fleet({variant.name: self.variants[variant.name] for variant in plan.variants})
        for shadow in plan.shadows:
            for production in self.fleet.variants.values():
                production.shadow = self.variants[shadow.name]
        #: by variant and number within it
        self._replicas: dict[tuple[str, int], Replica] = {}
        self._pools = {variant.name: self._pool(variant) for variant in plan.variants if variant.serverless}

    async def launch(self) -> None:
        """Start all containers; they join the traffic when every one is healthy.

        :raises ContainerError: when one does not become healthy; none of them runs then.
        """
        await self._add_replicas(self.plan.instances())
        for name, pool in self._pools.items():
            await pool.adopt(self._folder / name)

    async def bring_back(self, change: Callable[[], Awaitable[None]]) -> None:
        """Launch or rescale it, again and again until its containers are healthy."""
        pause_s = PAUSE_S
        while True:
            try:
                return await change()
            except ContainerError as error:
                log.warning("Trying again: endpoint %s did not come back: %s", self._endpoint, error)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_LIMIT_S)

    async def rescale(self, plan: EndpointPlan) -> None:
        """Apply the weights and counts of `plan`, which differs in nothing else.

        :raises ContainerError: when a new container does not become healthy; nothing has changed then.
        """
        wanted = {(variant.name, number): (variant, number) for variant, number in plan.instances()}
        await self._add_replicas([one for key, one in wanted.items() if key not in self._replicas])
        self.plan = plan
        for variant in plan.all_variants:
            self.variants[variant.name].weight = variant.weight
            if variant.serverless:
                self._pools[variant.name].limit = variant.serverless["MaxConcurrency"]
        surplus = [self._replicas.pop(key) for key in list(self._replicas) if key not in wanted]
        await asyncio.gather(*(replica.retire(self._drain_s) for replica in surplus))

    async def retire(self) -> None:
        """Wait for the invocations in flight, then stop all containers."""
        # the first containers of pipelines first: what they answer goes to the next ones
        for number in sorted({_stage(name) for name, _ in self._replicas} | {1}):
            parts = [replica for (name, _), replica in self._replicas.items() if _stage(name) == number]
            pools = self._pools.values() if number == 1 else ()
            await asyncio.gather(*(part.retire(self._drain_s) for part in (*parts, *pools)))

    async def stop(self, timeout_s: float) -> None:
        """Stop all containers."""
        await asyncio.gather(*(part.stop(timeout_s) for part in self._running()))

    def capture_buffers(self) -> list[CaptureBuffer]:
        """Return the capture buffers of its variants."""
        return [variant.capture for variant in self.variants.values() if variant.capture is not None]

    def _running(self) -> list[Replica | ServerlessPool]:
        return [*self._replicas.values(), *self._pools.values()]

    async def _add_replicas(self, wanted: list[tuple[VariantPlan, int]]) -> None:
        added: dict[tuple[str, int], Replica] = {}
        try:
            async with asyncio.TaskGroup() as group:
                for variant, number in wanted:
                    replica = self._replica(variant, number)
                    added[variant.name, number] = self._replicas[variant.name, number] = replica
                    group.create_task(replica.launch())
        except* Exception as errors:  # every error becomes the endpoint's FailureReason
            log.warning("Endpoint %s: a container did not start", self._endpoint, exc_info=errors)
            for key in added:
                del self._replicas[key]
            await asyncio.gather(*(replica.stop() for replica in added.values()))
            raise ContainerError(str(errors.exceptions[0])) from errors.exceptions[0]
        for replica in added.values():
            replica.join_traffic()

    def _variant(self, plan: VariantPlan) -> Variant:
        is_multi_model = plan.definition.get("Mode") == multi_model.MODE
        if STAGE in plan.name:  # it is counted and captured as a part of its pipeline
            return Variant(plan.name, plan.weight)
        counters = Counters(
            meter=self._meters.of(self._endpoint, plan.name),
            config_meter=self._meters.of(self._endpoint, plan.name, self.plan.config_name),
        )
        config, buffer = CaptureConfig.from_request(self.plan.capture), None
        if config is not None:
            buffer = CaptureBuffer(config, self._endpoint, plan.name, self._service.objects)
        return Variant(
            plan.name, plan.weight, counters=counters, capture=buffer, is_multi_model=is_multi_model
        )

    def _pool(self, plan: VariantPlan) -> ServerlessPool:
        variant = self.fleet.variants[plan.name]
        pool = variant.pool = ServerlessPool(
            self._route,
            variant,
            functools.partial(self._replica, plan),
            limit=(plan.serverless or {})["MaxConcurrency"],
            idle_s=self._service.serverless_idle_s,
        )
        return pool

    def _replica(self, plan: VariantPlan, number: int) -> Replica:
        workspace = self._folder / plan.name / str(number)
        name, _, stage = plan.name.partition(STAGE)
        stream = f"{name}/i-{self.plan.generation:04d}-{number}{f'/container-{stage}' if stage else ''}"
        image = self._images.resolve(plan.definition["Image"])
        variables = {**self._service.container_variables(), **plan.definition.get("Environment", {})}
        if self.variants[plan.name].is_multi_model:
            variables[multi_model.VARIABLE] = "true"
        spec = ContainerSpec(
            argv=image.command("serve"),
            environment=image.variables(variables, workspace),
            workspace=workspace,
            log_path=logs.path(self._service.root, self._route.log_group, stream),
            forks=self._forks,
        )
        variant, folder = self.variants[plan.name], workspace / "ml/model"
        prepare = functools.partial(install_model_data, plan.definition, self._service.objects, folder)
        models = None
        if variant.is_multi_model:
            folder = workspace / "ml/models"
            prepare = functools.partial(multi_model.empty, folder)
            url, objects = plan.definition["ModelDataUrl"], self._service.objects
            shown = f"{shown_base(spec.environment, workspace)}/models"
            models = multi_model.LoadedModels(self._route, url, objects, folder, shown)
        return Replica(spec, variant, prepare, health_timeout_s=plan.health_timeout_s, models=models)


def _stage(name: str) -> int:
    """Return the number of a container within its pipeline, from 1."""
    return int(name.partition(STAGE)[2] or 1)


def endpoint_folder(service: Service, endpoint: str) -> Path:
    """Return the folder of an endpoint's workspaces: generation / variant / number."""
    return service.root / "endpoints" / endpoint


async def stop_orphans(folder: Path, plans: Collection[EndpointPlan]) -> None:
    """Stop and forget the containers below an endpoint's folder that belong to none of `plans`.

    A service that was killed in the middle of a rollout leaves them behind.
    """
    wanted, pools = set(), set()
    for plan in plans:
        base = folder / str(plan.generation)
        wanted |= {base / variant.name / str(number) for variant, number in plan.instances()}
        pools |= {base / variant.name for variant in plan.variants if variant.serverless is not None}
    notes = await asyncio.to_thread(lambda: list(folder.glob("*/*/*/container.json")))
    workspaces = {note.parent for note in notes}
    orphans = [path for path in workspaces - wanted if path.parent not in pools]
    await asyncio.gather(*(asyncio.to_thread(_stop_orphan, path) for path in orphans))


def _stop_orphan(workspace: Path) -> None:
    running = running_process(workspace)
    if running is not None:
        running[0].end(ORPHAN_GRACE_S)
    shutil.rmtree(workspace, ignore_errors=True)
