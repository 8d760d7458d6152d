"""The workflow loop goes on, whatever becomes of a single piece of work."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from local_sagemaker.engine.workflows.loop import WorkflowLoop
from local_sagemaker.storage.store import Resource, Store
from sagemaker_kit.serving import until


class Work:
    """Work that raises what it is given, one after the other, and then ends."""

    kind = "work"

    def __init__(self, store: Store, *errors: Exception) -> None:
        self.store = store
        self.errors, self.reasons, self.ended = list(errors), list[str](), False

    def list_active(self) -> list[Resource]:
        """Return the one piece of work there is."""
        return self.store.search(self.kind)

    def advance(self, resource: Resource) -> bool:
        """Raise what is left to be raised."""
        del resource
        if self.errors:
            raise self.errors.pop(0)
        self.ended = True
        return False

    def fail(self, resource: Resource, reason: str) -> None:
        """Note the reason; a disk that refuses one change refuses this one, too."""
        del resource
        self.reasons.append(reason)


@pytest.mark.parametrize(
    ("error", "reasons"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), []),
        (RuntimeError("a mistake"), ["InternalServerError: RuntimeError: a mistake"]),
    ],
)
def test_work_waits_for_a_full_disk_and_fails_by_a_mistake(
    tmp_path: Path, error: Exception, reasons: list[str]
) -> None:
    """What the disk refuses now is tried again; anything else is told as the work's failure."""
    store = Store(tmp_path / "sagemaker.sqlite")
    store.insert(
        Resource(kind="work", name="w", arn="arn:w", status="Executing", created=1, modified=1, document={})
    )
    work = Work(store, error)
    loop = WorkflowLoop(tmp_path)
    loop.add(work)
    loop.start()
    until(lambda: work.ended, "that the work is looked at again")
    loop.close()
    store.close()
    assert work.reasons == reasons
