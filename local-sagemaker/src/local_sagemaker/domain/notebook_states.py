"""The states of a notebook instance and what moves it between them: pure, without clock, disk or network.

Pending > InService > Stopping > Stopped > Pending ...
Pending or InService > Failed
Stopped or Failed > Deleting
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final


class Event(Enum):
    """What can happen to a notebook instance."""

    START = auto()
    STOP = auto()
    UPDATE = auto()
    DELETE = auto()
    READY = auto()
    BROKEN = auto()
    ENDED = auto()


#: event -> (statuses in which it may happen, status afterwards)
STEPS: Final[Mapping[Event, tuple[tuple[str, ...], str]]] = {
    Event.START: (("Stopped", "Failed"), "Pending"),
    Event.STOP: (("InService",), "Stopping"),
    Event.UPDATE: (("Stopped", "Failed"), "Stopped"),
    Event.DELETE: (("Stopped", "Failed"), "Deleting"),
    Event.READY: (("Pending", "InService"), "InService"),
    Event.BROKEN: (("Pending", "InService"), "Failed"),
    Event.ENDED: (("Stopping",), "Stopped"),
}
#: what AWS calls the way there, where it is not the status afterwards
WORDS: Final[Mapping[Event, str]] = {Event.UPDATE: "Updating"}


class NotNowError(Exception):
    """The instance cannot take this event in its state; the text is AWS's, without the instance."""


def step(status: str, event: Event) -> str:
    """The status after `event`; NotNowError when it may not happen in `status`."""
    allowed, after = STEPS[event]
    if status not in allowed:
        raise NotNowError(
            f"Status ({status}) not in ([{', '.join(allowed)}]). Unable to transition to "
            f"({WORDS.get(event, after)})"
        )
    return after
