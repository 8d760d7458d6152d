"""Wait in the triggerer while a notebook instance is in some state."""

from __future__ import annotations

import asyncio
from typing import Any

from flywheel.triggers.base import PollingTrigger
from include.core.sagemaker.notebooks import Notebook


class NotebookTrigger(PollingTrigger):
    """Fire when an instance has left the statuses that are waited out, or the deadline has passed.

    :param instance: the instance's name
    :param statuses: statuses that are waited out
    :param run: the run that waits: ending the task stops the instance if this run started it
    """

    def __init__(self, *, instance: str, statuses: list[str], run: str, **waiting: Any) -> None:  # noqa: ANN401 - of the base
        super().__init__(instance=instance, statuses=statuses, run=run, **waiting)
        self._statuses, self._starter = statuses, run
        self._notebook = Notebook(self.hook, instance)

    def is_waiting(self) -> bool:
        """Return whether the instance has one of the statuses."""
        return self._notebook.status() in self._statuses

    async def on_kill(self) -> None:
        """Stop the instance when a person ends the task, if this run started it."""
        await asyncio.to_thread(self._notebook.stop, self._starter)
