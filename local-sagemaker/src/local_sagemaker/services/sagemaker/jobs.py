"""What training and processing jobs have in common: create, describe, list and stop."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from local_sagemaker.domain.lifecycle import State
from local_sagemaker.engine.jobs import jobs
from local_sagemaker.engine.jobs.jobs import JobKind
from local_sagemaker.engine.jobs.pool import TERMINAL
from local_sagemaker.errors import ResourceInUse, ResourceLimitExceeded, ValidationException
from local_sagemaker.services import owners
from local_sagemaker.services.context import Context
from local_sagemaker.services.sagemaker.resources import create as create_resource
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import Resource

Document = dict[str, Any]
#: instances of one job
INSTANCES = 20


def create(context: Context, kind: JobKind, parameters: Mapping[str, Any]) -> str:
    """Keep a new job, queue it, and return its ARN."""
    name = parameters[f"{kind.noun}Name"]
    arn = context.arn("sagemaker", f"{kind.kind}/{name}")
    now, state, owner = time.time(), State(), owners.current()
    request = {key: value for key, value in parameters.items() if key != "Tags"}
    document = {**request, f"{kind.noun}Arn": arn, "CreationTime": moment(now)}
    resource = Resource(
        kind=kind.kind,
        name=name,
        arn=arn,
        status=jobs.status(state),
        created=now,
        modified=now,
        document=kind.describe(document, state, now),
        state={**jobs.dump(state), "owner": owner},
    )
    taken = ResourceInUse(
        "Job name must be unique within an AWS account and region, and a job with this name already "
        f"exists ({arn})"
    )
    create_resource(context, resource, parameters, taken)
    context.jobs.submit(kind.kind, name, owner)
    # it may have outputs to be put while it runs
    context.workflows.wake()
    return arn


def find(context: Context, kind: JobKind, name: str) -> Resource:
    """Return a job; raise ValidationException if it is missing, whatever the service's model says."""
    found: Resource | None = context.store.get(kind.kind, name)
    if found is None:
        raise ValidationException(
            f"Requested resource not found. Could not find the {kind.kind.replace('-', ' ')} {name}."
        )
    return found


def stop(context: Context, kind: JobKind, name: str) -> None:
    """Ask for a job's end."""
    status = find(context, kind, name).status
    if status in TERMINAL:
        raise ValidationException(
            f"The request was rejected because the {kind.kind.replace('-', ' ')} is in status {status}: it "
            "has already reached a terminal state."
        )
    context.jobs.request_stop(kind.kind, name)


def summary(resource: Resource, noun: str, members: tuple[str, ...]) -> Document:
    """Return a job as a List operation shows it."""
    wanted = (
        *(f"{noun}Name", f"{noun}Arn", f"{noun}Status"),
        *("CreationTime", "LastModifiedTime", *members),
    )
    return {name: resource.document[name] for name in wanted if name in resource.document}


def refuse_many(count: int) -> None:
    """Refuse jobs of more instances than one machine is good for."""
    if not 1 <= count <= INSTANCES:
        raise ResourceLimitExceeded(
            f"InstanceCount={count} is not possible here: every instance is a process on this machine. Give "
            f"1 to {INSTANCES}."
        )
