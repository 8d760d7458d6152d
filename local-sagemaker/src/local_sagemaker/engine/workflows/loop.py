"""Carries on work that is made of other work: one thread that looks at it whenever something has changed.

Nothing is kept here: what is to be done follows from the store alone, so that a service that was killed and
started again goes on where it was.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import Protocol

from local_sagemaker.context import Context
from local_sagemaker.storage import disk
from local_sagemaker.storage.store import MissingError, Query, Resource

log = logging.getLogger(__name__)

#: how long work that is under way is left alone when nothing tells of a change, in seconds
PAUSE_S = 1.0
CLOSE_TIMEOUT_S = 10.0


class WorkKind(Protocol):
    """What differs between tuning jobs and pipeline executions."""

    #: kind in the store
    kind: str

    def under_way(self, context: Context) -> list[Resource]:
        """What is to be looked at."""

    def advance(self, context: Context, resource: Resource) -> bool:
        """Do what can be done next; whether anything has changed."""

    def fail(self, context: Context, resource: Resource, reason: str) -> None:
        """End it, since `advance` cannot go on."""


def in_status(context: Context, kind: str, *statuses: str) -> list[Resource]:
    """All resources of a kind that are in one of these statuses."""
    return [one for status in statuses for one in context.store.search(kind, Query(status=status))]


class Conductor:
    """The thread of one service."""

    def __init__(self, context: Context, kinds: tuple[WorkKind, ...]) -> None:
        # what it asks of the API may wake it again
        self._context, self._kinds = replace(context, conductor=self), kinds
        self._changed = threading.Event()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="conductor", daemon=True)

    def start(self) -> None:
        """Begin, with whatever the store says is under way."""
        self._context.supervisor.on_end(self.wake)
        self._changed.set()
        self._thread.start()

    def wake(self) -> None:
        """Look at everything soon: something has changed."""
        self._changed.set()

    def close(self) -> None:
        """Stop looking; what is under way goes on with the next service."""
        self._is_closing = True
        self._changed.set()
        self._thread.join(CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        is_busy = True
        while not self._is_closing:
            self._changed.wait(PAUSE_S if is_busy else None)
            self._changed.clear()
            while not self._is_closing and self._pass():
                pass
            is_busy = bool(self._active())

    def _active(self) -> list[tuple[WorkKind, Resource]]:
        return [(kind, resource) for kind in self._kinds for resource in kind.under_way(self._context)]

    def _pass(self) -> bool:
        """Advance everything once; whether that changed anything."""
        has_changed = False
        for kind, resource in self._active():
            if self._is_closing:
                return False
            try:
                has_changed = kind.advance(self._context, resource) or has_changed
            except MissingError:
                log.info("The %s %s was deleted while it was looked at", kind.kind, resource.name)
            except Exception as error:
                told = disk.explained(error, self._context.root)
                if told is not None:  # it can be neither carried on nor ended: it goes on when there is room
                    log.warning("The %s %s waits for the disk: %s", kind.kind, resource.name, told)
                    continue
                log.exception("The %s %s cannot be carried on", kind.kind, resource.name)
                kind.fail(self._context, resource, f"InternalServerError: {type(error).__name__}: {error}")
        return has_changed
