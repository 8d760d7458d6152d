"""The workflow loop: one thread that carries on work made of other work whenever something has changed.

The loop keeps no state. What is to be done follows from the store alone, so a service that is killed and
started again goes on where it was.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any, Protocol

from local_sagemaker.storage import disk
from local_sagemaker.storage.store import MissingError, Query, Resource, Store

log = logging.getLogger(__name__)

#: how long work under way is left alone when nothing reports a change, in seconds
PAUSE_S = 1.0
CLOSE_TIMEOUT_S = 10.0


class WorkKind(Protocol):
    """One kind of work, such as tuning jobs or pipeline executions."""

    #: kind in the store
    kind: str

    def list_active(self) -> list[Resource]:
        """Return the work that has not ended."""

    def advance(self, resource: Resource) -> bool:
        """Do what can be done next; return whether anything has changed."""

    def fail(self, resource: Resource, reason: str) -> None:
        """End the work, since `advance` cannot go on."""


class Operations(Protocol):
    """Calls operations of SageMaker from within the service, checked as a client's requests are."""

    def call(self, name: str, parameters: dict[str, Any], *, owner: str | None = None) -> dict[str, Any]:
        """Return the answer of an operation; raise AwsError if it refuses.

        :param owner: on whose behalf jobs are queued.
        """

    def call_with_json(
        self, name: str, arguments: dict[str, Any], *, owner: str | None = None
    ) -> dict[str, Any]:
        """Call an operation with the values of a JSON document, converted to what its shape wants."""


def search_by_status(store: Store, kind: str, *statuses: str) -> list[Resource]:
    """Return all resources of a kind that are in one of these statuses."""
    return [one for status in statuses for one in store.search(kind, Query(status=status))]


class WorkflowLoop:
    """The workflow loop of one service."""

    def __init__(self, root: Path) -> None:
        """Prepare the loop.

        :param root: directory of the service, named in warnings of a full disk.
        """
        self._root = root
        self._kinds: list[WorkKind] = []
        self._changed = threading.Event()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="workflows", daemon=True)

    def add(self, *kinds: WorkKind) -> None:
        """Carry on these kinds of work, too; call this before `start`."""
        self._kinds += kinds

    def start(self) -> None:
        """Begin with whatever the store says is under way."""
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
        return [(kind, resource) for kind in self._kinds for resource in kind.list_active()]

    def _pass(self) -> bool:
        """Advance everything once; return whether that changed anything."""
        has_changed = False
        for kind, resource in self._active():
            if self._is_closing:
                return False
            try:
                has_changed = kind.advance(resource) or has_changed
            except MissingError:
                log.info("The %s %s was deleted while it was looked at", kind.kind, resource.name)
            except Exception as error:
                advice = disk.explained(error, self._root)
                if advice is not None:  # it can neither go on nor end before there is room
                    log.warning("The %s %s waits for the disk: %s", kind.kind, resource.name, advice)
                    continue
                log.exception("The %s %s cannot be carried on", kind.kind, resource.name)
                kind.fail(resource, f"InternalServerError: {type(error).__name__}: {error}")
        return has_changed
