"""The containers behind an endpoint, as planned and at one moment, and which gets the next invocation."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from local_sagemaker.engine.endpoints.capture import CaptureBuffer
from local_sagemaker.engine.endpoints.metrics import Meter, StatusCounts
from local_sagemaker.engine.processes.wire import Answer, Client
from local_sagemaker.storage.store import Document

#: time for a container to become healthy, unless its variant says otherwise, in seconds
HEALTH_TIMEOUT_S = 240.0
#: the same of a serverless variant: SageMaker's limit
SERVERLESS_START_TIMEOUT_S = 180.0
#: how many of the latest latencies are kept for percentiles
LATENCIES = 1000
#: between a variant's name and the number of a container of its pipeline; no name of a variant has it
STAGE = "."


@dataclass(frozen=True)
class VariantPlan:
    """One planned variant: nothing more is read from the configuration or the model later."""

    name: str
    weight: float
    #: number of instances
    count: int
    #: container definition of the model: Image, ModelDataUrl, Environment, ...
    definition: Mapping[str, Any]
    model_name: str
    health_timeout_s: float = HEALTH_TIMEOUT_S
    #: ServerlessConfig; then `count` is 0
    serverless: Mapping[str, Any] | None = None
    #: of an inference pipeline: the definitions of the containers behind the first, in order
    following: tuple[Mapping[str, Any], ...] = ()

    def stages(self) -> tuple[VariantPlan, ...]:
        """Return a plan for each container of the pipeline: `name`, `name.2`, ...; of any other, itself."""
        return (
            self,
            *(
                replace(self, name=f"{self.name}{STAGE}{number}", definition=definition, following=())
                for number, definition in enumerate(self.following, 2)
            ),
        )


@dataclass(frozen=True)
class EndpointPlan:
    """One generation of an endpoint, stored whole, so that it can be started again at any time."""

    #: number of the endpoint's rollout
    generation: int
    config_name: str
    variants: tuple[VariantPlan, ...]
    #: DataCaptureConfig of the configuration
    capture: Mapping[str, Any] | None = None
    #: AsyncInferenceConfig of the configuration
    asynchronous: Mapping[str, Any] | None = None
    #: get copies of invocations, and answer nobody
    shadows: tuple[VariantPlan, ...] = ()

    @property
    def size(self) -> int:
        """Return the number of instances of the largest variant, at least 1."""
        return max(1, *(variant.count for variant in self.variants))

    @property
    def is_serverless(self) -> bool:
        """Return whether containers run only while there are invocations."""
        return any(variant.serverless is not None for variant in self.variants)

    def instances(self) -> list[tuple[VariantPlan, int]]:
        """Return every instance: its variant, and its number within it."""
        return [(stage, number) for stage in self.all_stages for number in range(stage.count)]

    @property
    def all_stages(self) -> tuple[VariantPlan, ...]:
        """Return what containers are made of: all variants, those of pipelines container by container."""
        return tuple(stage for variant in self.all_variants for stage in variant.stages())

    @property
    def all_variants(self) -> tuple[VariantPlan, ...]:
        """Return the production variants and the shadow variants."""
        return (*self.variants, *self.shadows)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> EndpointPlan:
        """Return the plan that `to_json` has written."""
        variants = tuple(VariantPlan(**variant) for variant in document["variants"])
        configs = {name: document.get(name) for name in ("capture", "asynchronous")}
        shadows = tuple(VariantPlan(**variant) for variant in document.get("shadows", ()))
        return cls(document["generation"], document["config_name"], variants, **configs, shadows=shadows)

    def to_json(self) -> Document:
        """Return the plan as the store keeps it."""
        return asdict(self)


@dataclass
class Counters(StatusCounts):
    """What has become of a variant's invocations since the service started."""

    restarts: int = 0
    #: the model's own time of the latest invocations, in microseconds
    model_latency_us: deque[int] = field(default_factory=lambda: deque(maxlen=LATENCIES))
    #: the time that the service added, in microseconds
    overhead_latency_us: deque[int] = field(default_factory=lambda: deque(maxlen=LATENCIES))
    #: the same for CloudWatch; it outlasts this fleet
    meter: Meter = field(default_factory=Meter)
    #: the same for the configuration of this fleet alone
    config_meter: Meter = field(default_factory=Meter)

    def count(self, status: int, model_us: int | None, overhead_us: int | None) -> None:
        """Count one invocation that ended with `status`.

        :param model_us: time of the model; None if no container answered.
        :param overhead_us: time of the service; None if unknown.
        """
        self.count_status(status)
        if model_us is not None:
            self.model_latency_us.append(model_us)
        if overhead_us is not None:
            self.overhead_latency_us.append(overhead_us)
        self.meter.count(status, model_us, overhead_us)
        self.config_meter.count(status, model_us, overhead_us)


class ModelHost(Protocol):
    """The models that one container of a multi-model endpoint has loaded."""

    async def use(self, client: Client, name: str, ask: Callable[[str], Awaitable[Answer]]) -> Answer:
        """Return the answer of a model, loaded first if it is not; `ask` sends to a path."""


@dataclass(eq=False)
class Target:
    """One running container as routing sees it."""

    client: Client
    is_healthy: bool = True
    #: invocations that wait for its answer
    in_flight: int = 0
    #: of a multi-model endpoint: what the container has loaded
    models: ModelHost | None = None


class TargetPool(Protocol):
    """Containers that are taken for one invocation at a time: those of a serverless variant."""

    async def take(self, size: int) -> Target:
        """Return a container for a body of `size` bytes; `give_back` must follow."""

    def give_back(self, target: Target) -> None:
        """Take back a container."""


@dataclass(eq=False)
class Variant:
    """A production variant: containers of one model that share the variant's traffic."""

    name: str
    weight: float
    targets: list[Target] = field(default_factory=list)
    counters: Counters = field(default_factory=Counters)
    capture: CaptureBuffer | None = None
    #: gives out the containers of a serverless variant; None: choose from `targets`
    pool: TargetPool | None = None
    #: share of the traffic that the rotation still owes the variant, in units of weight
    credit: float = 0.0
    #: the next container of an inference pipeline, which gets what this one answers
    next_stage: Variant | None = None
    #: whether each invocation names its model
    is_multi_model: bool = False
    #: gets copies of this variant's invocations
    shadow: Variant | None = None
    #: copies that the shadow is owed; it starts with half, or its first one would always be late
    shadow_credit: float = 0.5

    def choose_shadow(self) -> Variant | None:
        """Return the variant that gets a copy of the next invocation; None if it is not its turn.

        Its share is its weight in that of this variant, kept to within one invocation.
        """
        if self.shadow is None or self.weight <= 0:
            return None
        self.shadow_credit += min(1.0, self.shadow.weight / self.weight)
        if self.shadow_credit < 1:
            return None
        self.shadow_credit -= 1
        return self.shadow

    def choose_target(self) -> Target | None:
        """Return the healthy container with the fewest invocations in flight; None if none is healthy."""
        best = None
        for target in self.targets:
            if target.is_healthy and (best is None or target.in_flight < best.in_flight):
                best = target
        if best is not None and len(self.targets) > 1:
            # The chosen one goes to the end of the list, so that idle containers alternate.
            self.targets.remove(best)
            self.targets.append(best)
        return best

    def figures(self) -> dict[str, Any]:
        """Return its containers, counters and latencies, as JSON."""
        counters = self.counters
        return {
            "weight": self.weight,
            "instances": len(self.targets),
            "healthy_instances": sum(target.is_healthy for target in self.targets),
            "in_flight": sum(target.in_flight for target in self.targets),
            "invocations": counters.invocations,
            "errors_4xx": counters.errors_4xx,
            "errors_5xx": counters.errors_5xx,
            "restarts": counters.restarts,
            "model_latency_us": _percentiles(counters.model_latency_us),
            "overhead_latency_us": _percentiles(counters.overhead_latency_us),
        }

    def release(self, target: Target) -> None:
        """End an invocation's use of a container."""
        target.in_flight -= 1
        if self.pool is not None:
            self.pool.give_back(target)


def _percentiles(values: Iterable[int]) -> dict[str, int]:
    ordered = sorted(values)
    return {f"p{percent}": ordered[len(ordered) * percent // 100] for percent in (50, 99) if ordered}


@dataclass(eq=False)
class Fleet:
    """All variants of an endpoint's current configuration."""

    variants: dict[str, Variant]

    def choose_variant(self) -> Variant | None:
        """Return the variant of the next invocation; None if all weights are 0.

        Smooth weighted rotation: of any number of invocations each variant gets its share to within one, so
        that a canary gets the traffic of its weight even when there is little traffic.
        """
        best, total = None, 0.0
        for variant in self.variants.values():
            if variant.weight <= 0:
                continue
            variant.credit += variant.weight
            total += variant.weight
            if best is None or variant.credit > best.credit:
                best = variant
        if best is not None:
            best.credit -= total
        return best

    def variant_named(self, name: str) -> Variant | None:
        """Return the variant that an invocation names as its TargetVariant."""
        return self.variants.get(name)


class TrafficSplit(Fleet):
    """Two fleets while traffic shifts from the previous one to the candidate."""

    def __init__(self, previous: Fleet, candidate: Fleet, share: float) -> None:
        super().__init__({**candidate.variants, **previous.variants})
        self._previous, self._candidate, self._share = previous, candidate, share
        #: invocations that the candidate is owed; it starts with half, or its first one would always be late
        self._credit = 0.5

    def choose_variant(self) -> Variant | None:
        """Return the variant of the next invocation; the candidate gets its share to within one."""
        return self._next_fleet().choose_variant()

    def variant_named(self, name: str) -> Variant | None:
        """Return the variant of that name, of the next fleet if both have it."""
        return self._next_fleet().variants.get(name) or self.variants.get(name)

    def _next_fleet(self) -> Fleet:
        self._credit += self._share
        if self._credit < 1:
            return self._previous
        self._credit -= 1
        return self._candidate
