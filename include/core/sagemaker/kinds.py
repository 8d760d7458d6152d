"""The kinds of SageMaker job as data: which verbs they have, and what their statuses mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from include.core.exceptions import FlywheelError, JobFailed, JobLost, JobStopped
from include.core.steps import job_step

ACTIVE = frozenset({"InProgress", "Stopping"})
STOPPED = frozenset({"Stopped"})
#: how SageMaker begins the reason of a failure that is its own: the same request may succeed the next time
OWN_FAULTS = ("InternalServerError", "CapacityError")


@dataclass(frozen=True, kw_only=True)
class JobKind:
    """How boto3 speaks of one kind of job."""

    #: what people call it
    name: str
    #: methods of the client
    create: str
    describe: str
    #: None: it cannot be stopped
    stop: str | None
    #: fields of its requests and answers
    name_field: str
    arn_field: str
    status_field: str
    #: absent from answers about what has no end
    end_field: str
    #: CloudWatch group its containers write to; its streams begin with the job's name
    log_group: str
    #: statuses by meaning; whatever is in none of these is a failure
    ok: frozenset[str] = frozenset({"Completed"})
    active: frozenset[str] = ACTIVE
    stopped: frozenset[str] = STOPPED

    def status(self, description: Mapping[str, Any]) -> str:
        """Return the status word of a Describe answer."""
        return str(description[self.status_field])

    def is_active(self, description: Mapping[str, Any]) -> bool:
        """Whether the job still has something to do."""
        return self.status(description) in self.active

    def is_ok(self, description: Mapping[str, Any]) -> bool:
        """Whether the job did what it was asked."""
        return self.status(description) in self.ok

    def seconds(self, description: Mapping[str, Any]) -> float:
        """How long the job took from its creation to its end; 0 while it has none."""
        end = description.get(self.end_field)
        return round((end - description["CreationTime"]).total_seconds(), 3) if end else 0.0


def _job(word: str) -> JobKind:
    """Return a kind of job whose names follow from `word`: Training, Processing or Transform."""
    return JobKind(
        name=f"{word.lower()} job",
        create=f"create_{word.lower()}_job",
        describe=f"describe_{word.lower()}_job",
        stop=f"stop_{word.lower()}_job",
        name_field=f"{word}JobName",
        arn_field=f"{word}JobArn",
        status_field=f"{word}JobStatus",
        end_field=f"{word}EndTime",
        log_group=f"/aws/sagemaker/{word}Jobs",
    )


def judge_job(kind: JobKind, name: str, description: Mapping[str, Any]) -> None:
    """Say by SageMaker's own word whether a job that ended did what it was asked.

    :raises JobStopped: somebody, or its time limit, stopped it
    :raises JobLost: SageMaker itself failed under it
    :raises JobFailed: anything else that is no success
    """
    status = kind.status(description)
    if status in kind.ok:
        return
    reasons = (description.get("ExitMessage"), description.get("FailureReason"))
    why = " | ".join(dict.fromkeys(reason for reason in reasons if reason)) or "SageMaker gives no reason"
    text = f"The {kind.name} {name} ended as {status}: {why.rstrip('.')}."
    if status in kind.stopped:
        raise JobStopped(f"{text} Clear the task to run it again.")
    if str(description.get("FailureReason", "")).startswith(OWN_FAULTS):
        raise JobLost(f"{text} It is run again if the task has a retry left.")
    raise JobFailed(f"{text} Its log is above; after the cause is removed, clear the task to run it again.")


PROCESSING = _job("Processing")
TRAINING = _job("Training")
TRANSFORM = _job("Transform")
#: an endpoint is waited for like a job; its logs are its instances' business
ENDPOINT = JobKind(
    name="endpoint",
    create="create_endpoint",
    describe="describe_endpoint",
    stop=None,
    name_field="EndpointName",
    arn_field="EndpointArn",
    status_field="EndpointStatus",
    end_field="LastModifiedTime",
    log_group="",
    ok=frozenset({"InService"}),
    active=frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"}),
    stopped=frozenset(),
)

KINDS: Mapping[str, JobKind] = MappingProxyType(
    {kind.name: kind for kind in (PROCESSING, TRAINING, TRANSFORM, ENDPOINT)}
)


def kind_named(name: str) -> JobKind:
    """Return the kind with this name."""
    if name not in KINDS:
        raise FlywheelError(f"There is no kind of job {name!r}. Known: {', '.join(KINDS)}.")
    return KINDS[name]


def kind_of(step: str) -> JobKind:
    """Return the kind of job that a step of the table runs as."""
    return kind_named(str(job_step(step).kind))
