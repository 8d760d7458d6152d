"""The processes behind an endpoint at one moment, and which of them gets the next invocation."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local_sagemaker.engine.endpoints.capture import CaptureBuffer
from local_sagemaker.engine.endpoints.meters import Meter
from local_sagemaker.engine.processes.wire import Client

if TYPE_CHECKING:
    from local_sagemaker.engine.endpoints.serverless import Pool

#: how many of the latest latencies are kept for percentiles
LATENCIES = 1000


@dataclass
class Counters:
    """What has happened to a variant's invocations since the service started."""

    invocations: int = 0
    errors_4xx: int = 0
    errors_5xx: int = 0
    restarts: int = 0
    #: the model's own time, of the latest invocations, in microseconds
    model_latency_us: deque[int] = field(default_factory=lambda: deque(maxlen=LATENCIES))
    #: what the service added to it, in microseconds
    overhead_latency_us: deque[int] = field(default_factory=lambda: deque(maxlen=LATENCIES))
    #: the same for CloudWatch, which outlasts this fleet
    meter: Meter = field(default_factory=Meter)
    #: the same for the one configuration that this fleet was made of
    config_meter: Meter = field(default_factory=Meter)

    def count(self, status: int, model_us: int | None, overhead_us: int | None) -> None:
        """Count one invocation that ended with `status`.

        :param model_us: what the model took; None if no container has answered
        :param overhead_us: what the service took besides, if that is known
        """
        self.invocations += 1
        self.errors_4xx += 400 <= status < 500  # noqa: PLR2004 - HTTP's classes
        self.errors_5xx += status >= 500  # noqa: PLR2004 - HTTP's classes
        if model_us is not None:
            self.model_latency_us.append(model_us)
        if overhead_us is not None:
            self.overhead_latency_us.append(overhead_us)
        self.meter.count(status, model_us, overhead_us)
        self.config_meter.count(status, model_us, overhead_us)


@dataclass(eq=False)
class Target:
    """One running container as routing sees it."""

    client: Client
    is_healthy: bool = True
    #: invocations that wait for its answer
    in_flight: int = 0


@dataclass(eq=False)
class Variant:
    """A production variant: containers of one model that share its part of the traffic."""

    name: str
    weight: float
    targets: list[Target] = field(default_factory=list)
    counters: Counters = field(default_factory=Counters)
    capture: CaptureBuffer | None = None
    #: where a serverless variant's containers come from; None: all of them are in `targets`
    pool: Pool | None = None
    #: what the variant is owed by the rotation, in units of weight
    credit: float = 0.0

    def choose(self) -> Target | None:
        """The healthy container with the fewest invocations in flight; None when there is none."""
        best = None
        for target in self.targets:
            if target.is_healthy and (best is None or target.in_flight < best.in_flight):
                best = target
        if best is not None and len(self.targets) > 1:
            # The last one chosen goes to the end, so that idle containers take turns.
            self.targets.remove(best)
            self.targets.append(best)
        return best


@dataclass(eq=False)
class Fleet:
    """All variants of an endpoint's current configuration."""

    variants: dict[str, Variant]

    def choose(self) -> Variant | None:
        """The variant whose turn it is, None when all weights are 0.

        Smooth weighted rotation: of any number of invocations each variant gets its share to within one, so
        that a canary's traffic is what its weight says even when there is little of it.
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

    def named(self, name: str) -> Variant | None:
        """The variant that an invocation asks for."""
        return self.variants.get(name)

    @property
    def in_flight(self) -> int:
        """How many invocations wait for an answer."""
        return sum(target.in_flight for variant in self.variants.values() for target in variant.targets)


class Blend(Fleet):
    """Two fleets while traffic goes over from one to the other."""

    def __init__(self, former: Fleet, newcomer: Fleet, share: float) -> None:
        super().__init__({**newcomer.variants, **former.variants})
        self._former, self._newcomer, self._share = former, newcomer, share
        #: what the newcomer is owed, in invocations; half, so that the first one is not always late
        self._credit = 0.5

    def choose(self) -> Variant | None:
        """The variant whose turn it is; of any number of turns the newcomer gets its share to within one."""
        return self._turn().choose()

    def named(self, name: str) -> Variant | None:
        """The variant of that name, of the fleet whose turn it is if both have it."""
        turn = self._turn()
        return turn.variants.get(name) or self.variants.get(name)

    def _turn(self) -> Fleet:
        self._credit += self._share
        if self._credit < 1:
            return self._former
        self._credit -= 1
        return self._newcomer
