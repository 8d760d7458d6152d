"""The transitions between the states of an endpoint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.domain.endpoint_states import EndpointEvent, EndpointStateError, transition

STATES = ["Creating", "InService", "Updating", "Failed", "Deleting"]


@given(st.sampled_from(STATES), st.lists(st.sampled_from(list(EndpointEvent)), max_size=12))
def test_an_endpoint_never_leaves_the_known_states(status: str, events: list[EndpointEvent]) -> None:
    """For any order of events, only statuses of DescribeEndpoint follow, and Deleting is final."""
    for event in events:
        try:
            status_after = transition(status, event).status
        except EndpointStateError:
            continue
        assert status_after in STATES
        assert status != "Deleting" or status_after == "Deleting"
        status = status_after


@pytest.mark.parametrize("status", STATES)
def test_every_state_can_be_deleted(status: str) -> None:
    """No endpoint can become impossible to remove."""
    assert transition(status, EndpointEvent.DELETE).status == "Deleting"


def test_a_failed_update_goes_back_and_a_failed_creation_fails() -> None:
    """Rolling back keeps the endpoint in service; a first deployment has nothing to go back to."""
    assert transition("Updating", EndpointEvent.ROLLOUT_FAILED).status == "InService"
    assert not transition("Updating", EndpointEvent.ROLLOUT_FAILED).switches
    assert transition("Creating", EndpointEvent.ROLLOUT_FAILED).status == "Failed"


@pytest.mark.parametrize("status", ["Creating", "Updating", "Failed", "Deleting"])
def test_only_an_endpoint_in_service_is_updated(status: str) -> None:
    """SageMaker refuses to update an endpoint in any other status."""
    with pytest.raises(EndpointStateError):
        transition(status, EndpointEvent.UPDATE)
