"""The states of a notebook instance, and the events that move it between them.

Every other event is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final


class NotebookEvent(Enum):
    """What can happen to a notebook instance."""

    START = auto()
    STOP = auto()
    UPDATE = auto()
    DELETE = auto()
    READY = auto()
    BROKEN = auto()
    ENDED = auto()


#: event -> (statuses that take it, status afterwards), and what is done then
TRANSITIONS: Final[Mapping[NotebookEvent, tuple[tuple[str, ...], str]]] = {
    NotebookEvent.START: (("Stopped", "Failed"), "Pending"),  # run the lifecycle scripts, start the server
    NotebookEvent.STOP: (("InService",), "Stopping"),  # stop the server
    NotebookEvent.UPDATE: (("Stopped", "Failed"), "Stopped"),
    NotebookEvent.DELETE: (("Stopped", "Failed"), "Deleting"),  # delete the files
    NotebookEvent.READY: (("Pending", "InService"), "InService"),
    NotebookEvent.BROKEN: (("Pending", "InService"), "Failed"),  # stop the server
    NotebookEvent.ENDED: (("Stopping",), "Stopped"),
}
#: the status that AWS names in an error, where it is not the status afterwards
NAMED_IN_ERRORS: Final[Mapping[NotebookEvent, str]] = {NotebookEvent.UPDATE: "Updating"}


class NotebookStateError(Exception):
    """The instance cannot take an event in its present status; the text is AWS's, without the instance."""


def transition(status: str, event: NotebookEvent) -> str:
    """Return the status after `event`; raise NotebookStateError if `status` does not take it."""
    allowed, after = TRANSITIONS[event]
    if status not in allowed:
        raise NotebookStateError(
            f"Status ({status}) not in ([{', '.join(allowed)}]). Unable to transition to "
            f"({NAMED_IN_ERRORS.get(event, after)})"
        )
    return after
