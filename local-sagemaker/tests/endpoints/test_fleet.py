"""Which variant and which container an invocation goes to."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.engine.endpoints.fleet import Fleet, Target, TrafficSplit, Variant
from local_sagemaker.engine.processes.wire import Client


def fleet(weights: list[float]) -> Fleet:
    """A fleet with variants `0`, `1`, ... of these weights."""
    return Fleet({str(number): Variant(str(number), weight) for number, weight in enumerate(weights)})


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any), st.integers(1, 200))
def test_traffic_follows_the_weights_to_within_one(weights: list[int], invocations: int) -> None:
    """After any number of invocations each variant has its share, less than one off for each rival."""
    chosen = fleet([float(weight) for weight in weights])
    counts = Counter(variant.name for _ in range(invocations) if (variant := chosen.choose_variant()))

    assert sum(counts.values()) == invocations
    for number, weight in enumerate(weights):
        assert abs(counts[str(number)] - invocations * weight / sum(weights)) < len(weights)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any))
def test_a_round_of_traffic_is_shared_exactly(weights: list[int]) -> None:
    """As many invocations as the weights' sum give each variant just its weight."""
    chosen = fleet([float(weight) for weight in weights])
    counts = Counter(variant.name for _ in range(sum(weights)) if (variant := chosen.choose_variant()))

    assert [counts[str(number)] for number in range(len(weights))] == weights


def test_no_weight_at_all_chooses_nothing() -> None:
    """Weights of 0 everywhere leave only TargetVariant."""
    assert fleet([0, 0]).choose_variant() is None


def test_the_idlest_healthy_container_is_chosen() -> None:
    """Sick containers get nothing, busy ones get less, idle ones take turns."""
    sick, busy, idle = Target(Client(1), is_healthy=False), Target(Client(2), in_flight=3), Target(Client(3))
    other = Target(Client(4))
    variant = Variant("v", 1.0, [sick, busy, idle, other])

    assert [variant.choose_target() for _ in range(4)] == [idle, other, idle, other]
    assert Variant("v", 1.0, [sick]).choose_target() is None


def test_a_traffic_split_gives_each_fleet_its_share() -> None:
    """To within one invocation, whether a variant is named or not."""
    previous, candidate = (Fleet({"main": Variant("main", 1.0)}) for _ in range(2))
    split = TrafficSplit(previous, candidate, 0.1)
    chosen = [split.choose_variant() for _ in range(50)] + [split.variant_named("main") for _ in range(50)]
    assert sum(variant is candidate.variants["main"] for variant in chosen) == 10
    assert split.variant_named("none") is None
