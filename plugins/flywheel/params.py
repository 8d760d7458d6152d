"""What the DAGs have in common: retries, and the params of the trigger form."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param

from flywheel.notifiers import FailureNotifier

#: for every task: retry a broken connection, but no permanent error (see `FAIL_ON_PERMANENT_ERRORS`)
DEFAULT_ARGS: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2,
    # attempts are counted on when a task is cleared, and the delay would be minutes
    "max_retry_delay": timedelta(seconds=60),
    # after the last retry; tells nobody unless FLYWHEEL_ALERT_TO says whom
    "on_failure_callback": FailureNotifier(),
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


def approval() -> Param:
    """Whether a person is asked before a promotion."""
    return Param(
        default=False,
        type="boolean",
        title="Ask for approval",
        description="Before a version is promoted, wait for a person who has seen the evidence. Off: what "
        "was decided is done.",
    )


def to_version() -> Param:
    """Which version production goes back to."""
    return Param(
        None,
        type=["null", "string"],
        title="To version",
        description="ARN or number of a version that was in production. Empty: the last good one before the "
        "current.",
    )


def reason() -> Param:
    """Why production goes back; there is no default."""
    return Param(
        type="string",
        minLength=3,
        title="Reason",
        description="Why production goes back; kept in the ledger and in the registry.",
    )


def answer() -> Param:
    """Why a person approves or rejects."""
    return Param(
        None,
        type=["null", "string"],
        title="Reason",
        description="Why you approve or reject; kept in the ledger.",
        source="task",
    )


def hours() -> Param:
    """How long a notebook instance is kept."""
    return Param(
        8,
        type="number",
        exclusiveMinimum=0,
        maximum=168,
        title="Hours",
        description="How long the instance is kept before it is stopped.",
    )


def stop() -> Param:
    """Whether a notebook instance is only stopped."""
    return Param(
        default=False,
        type="boolean",
        title="Stop now",
        description="Open nothing; stop the instance, whoever started it.",
    )
