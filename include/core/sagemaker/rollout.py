"""How a new version takes over an endpoint, and when it must not: pure, without clock or network.

    nothing there    create with the final configuration
    champion serves  canary: the champion's variants and a new one with a little weight
    canary bakes     its metrics decide: the final configuration, or back to the champion's

What is to be done next follows from what the endpoint serves, so that a task that was killed goes on from
there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from include.core.cycle import Rollout


@dataclass(frozen=True, kw_only=True)
class Canary:
    """An endpoint that tries a new version beside the champion; all of it can be written as JSON."""

    #: the configuration with both
    config: str
    #: the configuration to go back to
    champion: str
    #: the configuration that comes after it
    final: str
    #: name of the new version's variant, unlike any before it, so that its metrics are of this trial alone
    variant: str
    #: names of the champion's variants
    champion_variants: tuple[str, ...]
    #: the variant's weight now
    weight: float
    #: since when it is in service, in seconds since 1970
    since: float


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What SageMaker says of the endpoint."""

    #: EndpointStatus; None: there is no endpoint
    status: str | None = None
    #: whether something is under way there
    is_active: bool = False
    config: str | None = None
    #: FailureReason of its last change
    reason: str = ""
    canary: Canary | None = None


class Move(Enum):
    """What is to be done next."""

    WAIT = auto()
    CREATE = auto()
    DELETE = auto()
    #: give the endpoint the final configuration without a trial
    REPLACE = auto()
    START = auto()
    BAKE = auto()
    #: take all traffic from a canary that was refused, which is quicker than to stop it
    MUTE = auto()
    #: give the endpoint the champion's configuration again
    RETURN = auto()
    DONE = auto()
    FAIL = auto()


def next_move(
    seen: Seen, rollout: Rollout, *, final: str, asked: str | None = None, is_refused: bool = False
) -> Move:
    """Return what is to be done next.

    :param final: name of the configuration that is to serve in the end
    :param asked: what this attempt has told the endpoint to serve last, if anything
    :param is_refused: whether this version's canary was found wanting
    """
    if seen.status is None:
        return Move.FAIL if asked else Move.CREATE
    if seen.is_active:
        return Move.WAIT
    if seen.status == "Failed" and asked is None:
        # An endpoint that never came into service cannot be updated.
        return Move.DELETE
    if seen.status != "InService" or (asked is not None and seen.config != asked):
        # SageMaker has rolled back by itself, or somebody else has changed the endpoint.
        return Move.FAIL
    if is_refused and seen.config != final:
        return _refused(seen, final)
    return _serving(seen, rollout, final)


def _refused(seen: Seen, final: str) -> Move:
    if seen.canary is None or seen.canary.final != final:
        return Move.FAIL
    return Move.MUTE if seen.canary.weight else Move.RETURN


def _serving(seen: Seen, rollout: Rollout, final: str) -> Move:
    if seen.config == final:
        return Move.DONE
    if seen.canary is None:
        return Move.START if rollout.canary_share else Move.REPLACE
    # The canary of another version, whose task was ended, must not become the champion of this one.
    return Move.BAKE if seen.canary.final == final else Move.RETURN


@dataclass(frozen=True, kw_only=True)
class Readings:
    """What CloudWatch says of a variant since the canary began."""

    invocations: int = 0
    errors_4xx: int = 0
    errors_5xx: int = 0
    #: of the model, in milliseconds; None while there are no invocations
    latency_mean_ms: float | None = None
    latency_p99_ms: float | None = None

    def __str__(self) -> str:
        if not self.invocations:
            return "no invocations"
        latency = ""
        if self.latency_mean_ms is not None and self.latency_p99_ms is not None:
            latency = (
                f", latency {self.latency_mean_ms:.1f} ms in the mean, {self.latency_p99_ms:.1f} ms at p99"
            )
        return (
            f"{self.invocations} invocations, {self.errors_5xx} with 5XX ({self.rate_5xx:.2%}), "
            f"{self.errors_4xx} with 4XX ({self.rate_4xx:.2%}){latency}"
        )

    @property
    def rate_5xx(self) -> float:
        """Share of invocations that failed."""
        return self.errors_5xx / self.invocations if self.invocations else 0.0

    @property
    def rate_4xx(self) -> float:
        """Share of invocations that the model refused."""
        return self.errors_4xx / self.invocations if self.invocations else 0.0


@dataclass(frozen=True)
class Judgement:
    """What the metrics say of a canary."""

    #: None: not known yet
    is_good: bool | None
    #: why, with the numbers
    text: str


def judge_canary(
    rollout: Rollout, canary: Canary, new: Readings, old: Readings, *, baked_s: float
) -> Judgement:
    """Return whether the canary may take over.

    Before the bake is over only an alarm on enough invocations counts; at its end an alarm on any number.

    :param new: readings of the canary
    :param old: readings of the champion, from the minute on in which the canary began
    :param baked_s: seconds since the canary is in service
    """
    numbers = f"After {baked_s:.0f} s: canary {new}; champion {old}."
    is_over, is_enough = baked_s >= rollout.bake_s, new.invocations >= rollout.minimum_invocations
    if not canary.weight:
        return Judgement(is_good=False, text=f"Somebody has set the canary's weight to 0. {numbers}")
    if is_over or is_enough:
        fired = alarm(rollout, new, old)
        if fired is not None:
            return Judgement(is_good=False, text=f"{fired} {numbers}")
    if not is_over:
        return Judgement(is_good=None, text=numbers)
    if is_enough:
        return Judgement(is_good=True, text=f"No alarm. {numbers}")
    few = (
        f"The canary had only {new.invocations} invocations, minimum_invocations is "
        f"{rollout.minimum_invocations}; too_few={rollout.too_few!r} decides. {numbers}"
    )
    return Judgement(is_good=rollout.too_few == "go on", text=few)


def alarm(rollout: Rollout, new: Readings, old: Readings) -> str | None:
    """Return the first alarm that fires, with its limit and what was measured; None if none does."""
    if not new.invocations:
        return None
    measured = (
        ("error_rate_limit", new.rate_5xx, "share of 5XX"),
        ("client_error_gain_limit", new.rate_4xx - old.rate_4xx, "share of 4XX over the champion's"),
        ("latency_p99_limit_ms", new.latency_p99_ms, "ms of model latency at p99"),
        ("latency_mean_limit_ms", new.latency_mean_ms, "ms of mean model latency"),
    )
    for name, value, unit in measured:
        limit = getattr(rollout, name)
        if value is not None and limit is not None and value > limit:
            return f"Alarm {name}: {value:.4g} {unit}, the limit is {limit:g}."
    return None
