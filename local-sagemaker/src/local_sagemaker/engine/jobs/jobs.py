"""What the supervisor knows of a job, and what a kind of job has to provide."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Protocol

from local_sagemaker.base import Service
from local_sagemaker.domain.lifecycle import JobOutcome, Phase, State, Stop
from local_sagemaker.engine.jobs.failures import JobError
from local_sagemaker.engine.processes import logs
from local_sagemaker.engine.processes.image import Image, Images, UnknownImageError
from local_sagemaker.engine.processes.isolation import Isolation, available
from local_sagemaker.engine.processes.process import ProcessSpec
from local_sagemaker.storage.store import Resource

Document = dict[str, Any]


@dataclass(frozen=True)
class JobRecord:
    """One job as its kind sees it: the request, and where it works."""

    context: Service
    images: Images
    kind: str
    name: str
    #: the request and what the Describe operation adds to it
    document: Document
    workspace: Path
    log: Path

    @property
    def ml(self) -> Path:
        """What the container sees as /opt/ml and may write to."""
        return self.workspace / "ml"

    def image(self, uri: str) -> Image:
        """Return the image of a URI; raise JobError if there is none."""
        try:
            return self.images.resolve(uri)
        except UnknownImageError as error:
            raise JobError(f"ClientError: {error}") from error

    def is_docker(self, uri: str) -> bool:
        """Whether a URI means a Docker image; one that is no longer known does not."""
        try:
            return bool(self.images.resolve(uri).docker)
        except UnknownImageError:
            return False

    def isolation(self) -> Isolation:
        """How a container will see its workspace."""
        self.workspace.parent.mkdir(parents=True, exist_ok=True)
        return available(self.workspace.parent)

    def clear(self) -> Isolation:
        """Make the workspace new, and tell how the container will see it."""
        shutil.rmtree(self.workspace, ignore_errors=True)
        for name in ("ml", "linked"):
            (self.workspace / name).mkdir(parents=True)
        return self.isolation()


class JobKind(Protocol):
    """What differs between training and processing jobs."""

    #: kind in the store, and in the ARN
    kind: str
    log_group: str
    #: the operations' name of it: "TrainingJob" has CreateTrainingJob, TrainingJobName, TrainingJobStatus
    noun: str

    def prepare(self, job: JobRecord) -> None:
        """Put inputs and configuration into the workspace; JobError says why that cannot be."""

    def spec(self, job: JobRecord) -> ProcessSpec:
        """Return the process to run."""

    def read_message(self, job: JobRecord) -> str:
        """Return what the container left in its message file."""

    def upload(self, job: JobRecord, state: State) -> Document:
        """Put the outputs into S3, and return what the description gains by them."""

    def describe(self, document: Document, state: State, at: float) -> Document:
        """Return the description of a job whose state is `state` since `at`."""


def status(state: State) -> str:
    """Return the job's status in SageMaker's words."""
    if state.phase is Phase.ENDED and state.outcome is not None:
        return state.outcome.value
    is_stopping = state.stop is not None and state.phase is not Phase.QUEUED
    return "Stopping" if is_stopping else "InProgress"


def reason(state: State) -> str | None:
    """FailureReason: there is one for Failed and for Stopped."""
    if state.outcome is JobOutcome.STOPPED and state.phase is Phase.ENDED:
        if state.stop is Stop.RUNTIME:
            return "The job was stopped: it ran longer than its MaxRuntimeInSeconds."
        return "The job was stopped by a request."
    return state.reason or None


def find(context: Service, images: Images, kind: JobKind, resource: Resource) -> JobRecord:
    """Return the job of a resource."""
    stream = f"{resource.name}/algo-1-{int(resource.created)}"
    return JobRecord(
        context,
        images,
        kind.kind,
        resource.name,
        resource.document,
        context.root / "jobs" / kind.kind / resource.name,
        logs.path(context.root, kind.log_group, stream),
    )


def dump(state: State) -> Document:
    """Return the lifecycle's state as the store keeps it."""
    return asdict(state)


def load(document: Document) -> State:
    """Return what `dump` made; what else the store keeps with it is left out."""
    found = {part.name: document[part.name] for part in fields(State) if part.name in document}
    for name, kind in (("phase", Phase), ("stop", Stop), ("outcome", JobOutcome)):
        if found.get(name) is not None:
            found[name] = kind(found[name])
    return State(**found)
