"""All containers of one generation of an endpoint: what a rollout starts and what it replaces."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_sagemaker.base import Service
from local_sagemaker.engine.endpoints import model_data
from local_sagemaker.engine.endpoints.capture import CaptureBuffer, CaptureConfig
from local_sagemaker.engine.endpoints.container import ContainerError, container_spec
from local_sagemaker.engine.endpoints.fleet import Counters, Fleet, Variant
from local_sagemaker.engine.endpoints.instance import Instance
from local_sagemaker.engine.endpoints.invoke import Route
from local_sagemaker.engine.endpoints.meters import Meters
from local_sagemaker.engine.endpoints.serverless import Pool
from local_sagemaker.engine.endpoints.streaming import TIMEOUT_S as STREAM_TIMEOUT_S
from local_sagemaker.engine.processes import logs
from local_sagemaker.engine.processes.forks import Forks
from local_sagemaker.engine.processes.image import Images

log = logging.getLogger(__name__)

#: what a container has to become healthy when its variant does not say
HEALTH_TIMEOUT_S = 240.0
#: SageMaker's limit of an asynchronous invocation, in seconds
ASYNC_TIMEOUT_S = 3600.0


@dataclass(frozen=True)
class VariantPlan:
    """One variant as it is to be: nothing more is read from the configuration or the model later."""

    name: str
    weight: float
    count: int
    #: container definition of the model: Image, ModelDataUrl, Environment, ...
    definition: Mapping[str, Any]
    model_name: str
    health_timeout_s: float = HEALTH_TIMEOUT_S
    #: ServerlessConfig; then `count` is 0
    serverless: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Plan:
    """One generation of an endpoint, kept whole with it, so that it can be started again at any time."""

    #: counts the rollouts of an endpoint
    generation: int
    config_name: str
    variants: tuple[VariantPlan, ...]
    #: DataCaptureConfig of the configuration
    capture: Mapping[str, Any] | None = None
    #: AsyncInferenceConfig of the configuration
    asynchronous: Mapping[str, Any] | None = None

    @property
    def size(self) -> int:
        """How many instances its largest variant has; 1 if none has any."""
        return max(1, *(variant.count for variant in self.variants))

    @property
    def is_serverless(self) -> bool:
        """Whether containers are there only while there is something to do."""
        return any(variant.serverless is not None for variant in self.variants)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Plan:
        """The plan that `dataclasses.asdict` made this of."""
        variants = tuple(VariantPlan(**variant) for variant in document["variants"])
        kept = {name: document.get(name) for name in ("capture", "asynchronous")}
        return cls(document["generation"], document["config_name"], variants, **kept)


class Crew:
    """The running containers of a plan."""

    def __init__(
        self,
        context: Service,
        images: Images,
        endpoint: str,
        plan: Plan,
        meters: Meters,
        *,
        forks: Forks | None = None,
    ) -> None:
        self.plan = plan
        self._meters = meters
        self._context, self._images, self._endpoint, self._forks = context, images, endpoint, forks
        self.fleet = Fleet({variant.name: self._variant(variant) for variant in plan.variants})
        self._instances: dict[tuple[str, int], Instance] = {}
        self._pools = {variant.name: self._pool(variant) for variant in plan.variants if variant.serverless}

    async def launch(self) -> None:
        """Start all containers, and join them to the fleet when every one is healthy.

        :raises ContainerError: when one does not become so; what was started is to be stopped by the caller.
        """
        places = [(variant, place) for variant in self.plan.variants for place in range(variant.count)]
        await self._add(places)
        for name, pool in self._pools.items():
            await pool.adopt(self._home / name)

    async def rescale(self, plan: Plan) -> None:
        """Give the variants the weights and counts of `plan`, which differs in nothing else.

        :raises ContainerError: when an added container does not become healthy; all is then as it was.
        """
        wanted = {(variant.name, place) for variant in plan.variants for place in range(variant.count)}
        added = [
            (variant, place)
            for variant in plan.variants
            for place in range(variant.count)
            if (variant.name, place) not in self._instances
        ]
        await self._add(added)
        self.plan = plan
        for variant in plan.variants:
            self.fleet.variants[variant.name].weight = variant.weight
            if variant.serverless:
                self._pools[variant.name].limit = variant.serverless["MaxConcurrency"]
        gone = [self._instances.pop(key) for key in list(self._instances) if key not in wanted]
        await asyncio.gather(*(instance.retire(self._drain_s) for instance in gone))

    async def retire(self) -> None:
        """Wait for the invocations in flight, then stop all containers."""
        running: list[Instance | Pool] = [*self._instances.values(), *self._pools.values()]
        await asyncio.gather(*(one.retire(self._drain_s) for one in running))

    async def stop(self, timeout_s: float) -> None:
        """Stop all containers."""
        running: list[Instance | Pool] = [*self._instances.values(), *self._pools.values()]
        await asyncio.gather(*(one.stop(timeout_s) for one in running))

    async def _add(self, places: list[tuple[VariantPlan, int]]) -> None:
        added: dict[tuple[str, int], Instance] = {}
        try:
            async with asyncio.TaskGroup() as group:
                for variant, place in places:
                    instance = self._instance(variant, place)
                    added[variant.name, place] = self._instances[variant.name, place] = instance
                    group.create_task(instance.launch())
        except* Exception as errors:  # whatever it is, it has to become the endpoint's FailureReason
            log.warning("Endpoint %s: a container did not start", self._endpoint, exc_info=errors)
            for key in added:
                del self._instances[key]
            await asyncio.gather(*(instance.stop() for instance in added.values()))
            raise ContainerError(str(errors.exceptions[0])) from errors.exceptions[0]
        for instance in added.values():
            instance.enlist()

    def _variant(self, plan: VariantPlan) -> Variant:
        counters = Counters(
            meter=self._meters.of(self._endpoint, plan.name),
            config_meter=self._meters.of(self._endpoint, plan.name, self.plan.config_name),
        )
        variant = Variant(plan.name, plan.weight, counters=counters)
        capture = CaptureConfig.from_request(self.plan.capture)
        if capture is not None:
            variant.capture = CaptureBuffer(capture, self._endpoint, plan.name, self._context.objects)
        return variant

    def _pool(self, plan: VariantPlan) -> Pool:
        variant = self.fleet.variants[plan.name]
        variant.pool = Pool(
            Route(self._endpoint, self._context.account, self._context.region, "InService"),
            variant,
            functools.partial(self._instance, plan),
            limit=(plan.serverless or {})["MaxConcurrency"],
            idle_s=self._context.serverless_idle_s,
        )
        return variant.pool

    @property
    def _drain_s(self) -> float:
        """How long an invocation under way may still take."""
        return STREAM_TIMEOUT_S if self.plan.asynchronous is None else ASYNC_TIMEOUT_S

    @property
    def _home(self) -> Path:
        return home(self._context, self._endpoint) / str(self.plan.generation)

    def _instance(self, plan: VariantPlan, place: int) -> Instance:
        workspace = self._home / plan.name / str(place)
        instance_name = f"i-{self.plan.generation:04d}-{place}"
        group = f"/aws/sagemaker/Endpoints/{self._endpoint}"
        spec = container_spec(
            self._context,
            self._images.resolve(plan.definition["Image"]),
            plan.definition,
            workspace=workspace,
            log_path=logs.path(self._context.root, group, f"{plan.name}/{instance_name}"),
            forks=self._forks,
        )
        prepare = functools.partial(
            model_data.place, plan.definition, self._context.objects, workspace / "ml/model"
        )
        return Instance(spec, self.fleet.variants[plan.name], prepare, health_timeout_s=plan.health_timeout_s)


def home(context: Service, endpoint: str) -> Path:
    """The folder of an endpoint's workspaces."""
    return context.root / "endpoints" / endpoint
