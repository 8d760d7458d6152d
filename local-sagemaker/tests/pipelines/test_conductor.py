"""The conductor goes on, whatever becomes of a single piece of work."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from local_sagemaker import service
from local_sagemaker.context import Context
from local_sagemaker.engine.workflows.loop import Conductor
from local_sagemaker.service import Options
from local_sagemaker.storage.store import Resource
from sagemaker_kit.serving import until


class Work:
    """Work that raises what it is given, one after the other, and then ends."""

    kind = "work"

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.reasons, self.ended = list(errors), list[str](), False

    def under_way(self, context: Context) -> list[Resource]:
        """The one piece of work there is."""
        return context.store.search(self.kind)

    def advance(self, context: Context, resource: Resource) -> bool:
        """Raise what is left to be raised."""
        del context, resource
        if self.errors:
            raise self.errors.pop(0)
        self.ended = True
        return False

    def fail(self, context: Context, resource: Resource, reason: str) -> None:
        """Note the reason; a disk that refuses one change refuses this one, too."""
        del context, resource
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
):
    """What the disk refuses now is tried again; anything else is told as the work's failure."""
    context = service.build(Options(root=tmp_path))
    context.store.insert(
        Resource(kind="work", name="w", arn="arn:w", status="Executing", created=1, modified=1, document={})
    )
    work = Work(error)
    conductor = Conductor(context, (work,))
    conductor.start()
    until(lambda: work.ended, "that the work is looked at again")
    conductor.close()
    context.store.close()
    assert work.reasons == reasons
