"""The states of an endpoint and what moves it between them: pure, without clock, disk or network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class Event(Enum):
    """What can happen to an endpoint."""

    UPDATE = auto()
    DELETE = auto()
    FLEET_READY = auto()
    FLEET_FAILED = auto()


@dataclass(frozen=True)
class Step:
    """What an event leads to."""

    #: EndpointStatus afterwards
    status: str
    #: the configuration being rolled out becomes the endpoint's own
    switches: bool = False
    #: what was started for the rollout is stopped again
    discards: bool = False


#: (EndpointStatus, event) -> step. What is not here is refused.
STEPS: Final[Mapping[tuple[str, Event], Step]] = {
    ("Creating", Event.FLEET_READY): Step("InService", switches=True),
    ("Creating", Event.FLEET_FAILED): Step("Failed", discards=True),
    ("Creating", Event.DELETE): Step("Deleting", discards=True),
    ("InService", Event.UPDATE): Step("Updating"),
    ("InService", Event.DELETE): Step("Deleting"),
    # A rollout that fails leaves the endpoint as it was: in service, with the reason.
    ("Updating", Event.FLEET_READY): Step("InService", switches=True),
    ("Updating", Event.FLEET_FAILED): Step("InService", discards=True),
    ("Updating", Event.DELETE): Step("Deleting", discards=True),
    ("Failed", Event.DELETE): Step("Deleting"),
    ("Deleting", Event.DELETE): Step("Deleting"),
}


class NotNowError(Exception):
    """The endpoint cannot take this event in the state it is in."""


def step(status: str, event: Event) -> Step:
    """What `event` does to an endpoint in `status`; NotNowError when it may not happen."""
    found = STEPS.get((status, event))
    if found is None:
        raise NotNowError(f"An endpoint that is {status} takes no {event.name}.")
    return found
