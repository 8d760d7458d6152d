"""Which variant and container an invocation goes to, and how an endpoint's states follow each other."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.domain.deployment import STEPS, Event, NotNowError, step
from local_sagemaker.engine.endpoints.fleet import Fleet, Target, Variant
from local_sagemaker.engine.processes.wire import Client

STATES = ["Creating", "InService", "Updating", "Failed", "Deleting"]


def fleet(weights: list[float]) -> Fleet:
    """A fleet with variants `0`, `1`, ... of these weights."""
    return Fleet({str(place): Variant(str(place), weight) for place, weight in enumerate(weights)})


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any), st.integers(1, 200))
def test_traffic_follows_the_weights_to_within_one(weights: list[int], invocations: int):
    """After any number of invocations each variant has its share, less than one off for each rival."""
    chosen = fleet([float(weight) for weight in weights])
    counts = Counter(variant.name for _ in range(invocations) if (variant := chosen.choose()))

    assert sum(counts.values()) == invocations
    for place, weight in enumerate(weights):
        assert abs(counts[str(place)] - invocations * weight / sum(weights)) < len(weights)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any))
def test_a_round_of_traffic_is_shared_exactly(weights: list[int]):
    """As many invocations as the weights' sum give each variant just its weight."""
    chosen = fleet([float(weight) for weight in weights])
    counts = Counter(variant.name for _ in range(sum(weights)) if (variant := chosen.choose()))

    assert [counts[str(place)] for place in range(len(weights))] == weights


def test_no_weight_at_all_chooses_nothing():
    """Weights of 0 everywhere leave only TargetVariant."""
    assert fleet([0, 0]).choose() is None


def test_the_idlest_healthy_container_is_chosen():
    """Sick containers get nothing, busy ones get less, idle ones take turns."""
    sick, busy, idle = Target(Client(1), is_healthy=False), Target(Client(2), in_flight=3), Target(Client(3))
    other = Target(Client(4))
    variant = Variant("v", 1.0, [sick, busy, idle, other])

    assert [variant.choose() for _ in range(4)] == [idle, other, idle, other]
    assert Variant("v", 1.0, [sick]).choose() is None


@given(st.sampled_from(STATES), st.lists(st.sampled_from(list(Event)), max_size=12))
def test_an_endpoint_never_leaves_the_known_states(status: str, events: list[Event]):
    """Whatever happens in whatever order, only states of DescribeEndpoint follow, and Deleting is final."""
    for event in events:
        try:
            status_after = step(status, event).status
        except NotNowError:
            continue
        assert status_after in STATES
        assert status != "Deleting" or status_after == "Deleting"
        status = status_after


@pytest.mark.parametrize("status", STATES)
def test_every_state_can_be_deleted(status: str):
    """No endpoint can become impossible to remove."""
    assert step(status, Event.DELETE).status == "Deleting"


def test_a_failed_update_goes_back_and_a_failed_creation_fails():
    """Rolling back keeps the endpoint in service; a first deployment has nothing to go back to."""
    assert step("Updating", Event.FLEET_FAILED) == STEPS["Updating", Event.FLEET_FAILED]
    assert step("Updating", Event.FLEET_FAILED).status == "InService"
    assert not step("Updating", Event.FLEET_FAILED).switches
    assert step("Creating", Event.FLEET_FAILED).status == "Failed"


@pytest.mark.parametrize("status", ["Creating", "Updating", "Failed", "Deleting"])
def test_only_an_endpoint_in_service_is_updated(status: str):
    """SageMaker refuses to update an endpoint that is on its way, broken or leaving."""
    with pytest.raises(NotNowError):
        step(status, Event.UPDATE)
