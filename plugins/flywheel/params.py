"""What the DAGs have in common: retries, and the params of the trigger form."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param

#: for every task: a broken connection is worth another try, a verdict is not (see `FAIL_ON_VERDICTS`)
DEFAULT_ARGS: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2,
    # attempts are counted on when a task is cleared, and the delay would be minutes
    "max_retry_delay": timedelta(seconds=60),
}


def interval_start() -> Param:
    """Which interval a run is about."""
    return Param(
        None,
        type=["null", "string"],
        format="date",
        title="Start of the interval",
        description="First day of an interval of the schedule, such as 2013-01-01 (UTC). Empty: the run's "
        "own interval, or the newest complete one.",
    )


def force() -> Param:
    """Whether completed jobs are run again."""
    return Param(
        default=False,
        type="boolean",
        title="Run every job again",
        description="Also those that completed before with the same code, inputs and settings. Their outputs "
        "get keys of their own and overwrite nothing.",
    )


def deploy() -> Param:
    """Whether a promoted version is brought into service."""
    return Param(
        default=True,
        type="boolean",
        title="Deploy",
        description="Bring the version into service if it is promoted and the newest. Off: only decide and "
        "register.",
    )
