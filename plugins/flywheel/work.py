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


def forced_by(context: Context) -> str | None:
    """Who forces a job to run again, as part of the job's key; None where the param `force` is off.

    A forced output gets a place of its own: what was written under the ordinary key stays as it is.
    `max_tries` stays the same over retries and changes with every clearing, so that a retry takes what the
    attempt before it made, and a cleared task makes it anew.
    """
    if not context["params"].get("force"):
        return None
    ti = context["ti"]
    return f"{ti.dag_id}/{ti.run_id}/{ti.max_tries}"


def task_digest(ti: Any) -> str:  # noqa: ANN401 - Airflow's task instance
    """The identity of a task over all its attempts, short enough for a tag's key."""
    identity = f"{ti.dag_id}|{ti.run_id}|{ti.task_id}|{ti.map_index}"
    return hashlib.sha256(identity.encode()).hexdigest()[:16]
