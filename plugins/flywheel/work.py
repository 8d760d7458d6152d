"""What a task is to the jobs it waits for: who forces one, and who owns one."""

from __future__ import annotations

import hashlib
from typing import Any

from airflow.sdk import Context


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
