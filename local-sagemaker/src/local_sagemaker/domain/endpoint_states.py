"""The states of an endpoint, and the events that move it between them.

Every other event is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class EndpointEvent(Enum):
    """What can happen to an endpoint."""

    UPDATE = auto()
    DELETE = auto()
    ROLLED_OUT = auto()
    ROLLOUT_FAILED = auto()


@dataclass(frozen=True)
class EndpointTransition:
    """What an event leads to."""

    #: EndpointStatus afterwards
    status: str
    #: the configuration being rolled out becomes the endpoint's own
    switches: bool = False


#: (EndpointStatus, event) -> transition; a pair that is missing is refused
TRANSITIONS: Final[Mapping[tuple[str, EndpointEvent], EndpointTransition]] = {
    ("Creating", EndpointEvent.ROLLED_OUT): EndpointTransition("InService", switches=True),
    ("Creating", EndpointEvent.ROLLOUT_FAILED): EndpointTransition("Failed"),  # the candidate is discarded
    ("Creating", EndpointEvent.DELETE): EndpointTransition("Deleting"),  # likewise
    ("InService", EndpointEvent.UPDATE): EndpointTransition("Updating"),
    ("InService", EndpointEvent.DELETE): EndpointTransition("Deleting"),
    ("Updating", EndpointEvent.ROLLED_OUT): EndpointTransition("InService", switches=True),
    # A failed update leaves the endpoint in service with its previous configuration, and a FailureReason;
    # the candidate is discarded, as it is when the endpoint is deleted.
    ("Updating", EndpointEvent.ROLLOUT_FAILED): EndpointTransition("InService"),
    ("Updating", EndpointEvent.DELETE): EndpointTransition("Deleting"),
    ("Failed", EndpointEvent.DELETE): EndpointTransition("Deleting"),
    ("Deleting", EndpointEvent.DELETE): EndpointTransition("Deleting"),
}


class EndpointStateError(Exception):
    """The endpoint cannot take an event in its present status."""


def transition(status: str, event: EndpointEvent) -> EndpointTransition:
    """Return what `event` does to an endpoint in `status`; raise EndpointStateError if it is not allowed."""
    allowed = TRANSITIONS.get((status, event))
    if allowed is None:
        raise EndpointStateError(f"An endpoint that is {status} takes no {event.name}.")
    return allowed
