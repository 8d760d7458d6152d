"""What a step's job is made from, and what a task remembers of the job it waits for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow.sdk import Context

from flywheel.requests import Source


@dataclass(frozen=True)
class Input:
    """One input of a step: where it is, and what it is."""

    source: Source
    #: digest of its content, part of the step's key
    digest: str


@dataclass(frozen=True)
class Work:
    """What a step's job is made from."""

    inputs: Mapping[str, Input] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Attached:
    """The job a task waits for; all of it can be written as JSON, for the time of a deferral."""

    job: str
    key: str
    uri: str
    interval: list[str]
    #: the attempt of the task that waits
    attempt: str
    #: digest of the task's identity: the same for all its attempts
    task: str
    #: whether the job had completed before this task came
    reused: bool = False
    #: seconds since 1970 at which to give up
    deadline: float | None = None
    #: how far the job's log streams were read
    tokens: dict[str, str] = field(default_factory=dict)


class Forced:
    """The param `force`: a new generation even of what has completed, but one per clearing of the task.

    Which one is remembered in the task's state store, by `max_tries`: that stays the same over retries and
    changes with every clear.
    """

    def __init__(self, context: Context) -> None:
        self._tries = context["ti"].max_tries
        self._store = context["task_state_store"] if context["params"].get("force") else None

    def refuses(self, job: str) -> bool:
        """Whether this completed job will not do, since it was there before the task."""
        if self._store is None:
            return False
        return bool(self._store.get("forced") != self._record(job))

    def remember(self, job: str) -> None:
        """Keep that this job is the task's own."""
        if self._store is not None:
            self._store.set("forced", self._record(job))

    def _record(self, job: str) -> dict[str, Any]:
        return {"tries": self._tries, "job": job}


def task_digest(ti: Any) -> str:  # noqa: ANN401 - Airflow's task instance
    """The identity of a task over all its attempts, short enough for a tag's key."""
    identity = f"{ti.dag_id}|{ti.run_id}|{ti.task_id}|{ti.map_index}"
    return hashlib.sha256(identity.encode()).hexdigest()[:16]
