"""What the DAGs have in common: retries, and the params of the trigger form."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param

from flywheel.notifiers import FailureNotifier

#: for every task: retry a broken connection, but no permanent error (see `FAIL_ON_PERMANENT_ERRORS`)
DEFAULT_ARGS: dict[str, Any] = {
    # a scheduler or a worker that is killed takes an attempt with it, and may be killed again
    "retries": 5,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2,
    # attempts are counted on when a task is cleared, and the delay would be minutes
    "max_retry_delay": timedelta(seconds=60),
    # after the last retry; tells nobody unless FLYWHEEL_ALERT_TO says whom
    "on_failure_callback": FailureNotifier(),
}


#: the params of the trigger forms, by name
PARAMS: dict[str, dict[str, Any]] = {
    "interval_start": {
        "default": None,
        "type": ["null", "string"],
        "format": "date",
        "title": "Start of the interval",
        "description": "Of one run by hand: the first day of an interval of the schedule, such as 2013-01-01 "
        "(UTC). Empty: the run's own interval, or the newest complete one. A backfill leaves it empty.",
    },
    "force": {
        "default": False,
        "type": "boolean",
        "title": "Run every job again",
        "description": "Also those that completed before with the same code, inputs and settings. Their "
        "outputs get keys of their own and overwrite nothing.",
    },
    "deploy": {
        "default": True,
        "type": "boolean",
        "title": "Deploy",
        "description": "Bring the version into service if it is promoted and the newest. Off: only decide "
        "and register.",
    },
    "approval": {
        "default": False,
        "type": "boolean",
        "title": "Ask for approval",
        "description": "Before a version is promoted, wait for a person who has seen the evidence. Off: what "
        "was decided is done.",
    },
    "to_version": {
        "default": None,
        "type": ["null", "string"],
        "title": "To version",
        "description": "ARN or number of a version that was in production. Empty: the last good one before "
        "the current.",
    },
    # without a default: somebody must say why production goes back
    "reason": {
        "type": "string",
        "minLength": 3,
        "title": "Reason",
        "description": "Why production goes back; kept in the ledger and in the registry.",
    },
    "hours": {
        "default": 8,
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 168,
        "title": "Hours",
        "description": "How long the instance is kept before it is stopped.",
    },
    "stop": {
        "default": False,
        "type": "boolean",
        "title": "Stop now",
        "description": "Open nothing; stop the instance, whoever started it.",
    },
}
#: the field of the form in which a person approves or rejects
ANSWER: dict[str, Any] = {
    "default": None,
    "type": ["null", "string"],
    "title": "Reason",
    "description": "Why you approve or reject; kept in the ledger.",
    "source": "task",
}


def form(*names: str) -> dict[str, Param]:
    """Return the params of a trigger form, by name."""
    return {name: Param(**PARAMS[name]) for name in names}


def answer_form() -> dict[str, Param]:
    """Return the params of the form of approve."""
    return {"reason": Param(**ANSWER)}
