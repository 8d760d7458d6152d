"""What is known of a job, what a kind of job has to provide, and why a job did not complete.

A FailureReason begins with `ClientError` (the request is at fault), `AlgorithmError` (the container is) or
`InternalServerError` (this service is), and has at most 1,024 characters.
"""

from __future__ import annotations

import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

from local_sagemaker.base import Service
from local_sagemaker.domain.lifecycle import JobOutcome, Phase, State, Stop
from local_sagemaker.engine.processes import logs
from local_sagemaker.engine.processes.image import Image, Images, UnknownImageError
from local_sagemaker.engine.processes.isolation import Isolation, available
from local_sagemaker.engine.processes.process import ProcessSpec
from local_sagemaker.storage.documents import Document, moment
from local_sagemaker.storage.store import Resource

REASON_LIMIT = 1024


class JobError(Exception):
    """A job cannot go on; the message is its FailureReason."""


@dataclass(frozen=True)
class JobRecord:
    """One job as its kind sees it: the request, and where it works."""

    service: Service
    images: Images
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
        with suppress(UnknownImageError):
            return bool(self.images.resolve(uri).docker)
        return False

    def isolation(self) -> Isolation:
        """How a container will see its workspace."""
        self.workspace.parent.mkdir(parents=True, exist_ok=True)
        return available(self.workspace.parent)

    def clear(self) -> None:
        """Make the workspace new."""
        shutil.rmtree(self.workspace, ignore_errors=True)
        for name in ("ml", "linked"):
            (self.workspace / name).mkdir(parents=True)


class JobKind(Protocol):
    """What differs between training, processing and transform jobs."""

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
        """Return the description of a job whose state is `state` since `at`: status, times and reason."""
        times = self.noun.removesuffix("Job")
        described = {**document, f"{self.noun}Status": status(state), "FailureReason": reason(state)}
        if state.started is not None:
            described[f"{times}StartTime"] = moment(state.started)
        if state.phase is Phase.ENDED:
            described[f"{times}EndTime"] = moment(at)
        return described


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


def record_of(service: Service, images: Images, kind: JobKind, resource: Resource) -> JobRecord:
    """Return the job of a resource."""
    stream = f"{resource.name}/algo-1-{int(resource.created)}"
    workspace = service.root / "jobs" / kind.kind / resource.name
    log = logs.path(service.root, kind.log_group, stream)
    return JobRecord(service, images, resource.name, resource.document, workspace, log)


def load(document: Document) -> State:
    """Return the lifecycle's state, kept by `asdict`; what else the store keeps with it is left out."""
    members = {part.name: document[part.name] for part in fields(State) if part.name in document}
    for name, kind in (("phase", Phase), ("stop", Stop), ("outcome", JobOutcome)):
        if members.get(name) is not None:
            members[name] = kind(members[name])
    return State(**members)


def shorten(text: str, limit: int = REASON_LIMIT) -> str:
    """Return the first `limit` characters of a text."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def describe_exit(exit_status: int, message: str, log: Path, *, is_lost: bool = False) -> str:
    """Return why a container failed: the text of its message file, its exit status, the end of its log."""
    if is_lost:
        return shorten(
            "InternalServerError: the container ended and left no exit status: the machine went down, "
            f"or its supervising process was killed. Start the job again. {logs.last_words(log)}"
        )
    names = {number.value: number.name for number in signal.Signals}
    name = names.get(-exit_status, "unknown")
    ending = f"by signal {-exit_status} ({name})" if exit_status < 0 else f"with exit code {exit_status}"
    if message:
        tail = f", exit code: {exit_status}" if exit_status >= 0 else f", ended {ending}"
        return shorten("AlgorithmError: " + message, REASON_LIMIT - len(tail)) + tail
    hint = " The system kills a process so when memory runs out." if -exit_status == signal.SIGKILL else ""
    verb = "was ended" if exit_status < 0 else "ended"
    return shorten(f"AlgorithmError: the container {verb} {ending}.{hint} {logs.last_words(log)}")


def read_message(path: Path) -> str:
    """Return the text of a container's message file, with broken UTF-8 replaced; empty if there is none.

    A link, which leads to where only the service may read, or a pipe, which nobody writes to, is nothing.
    """
    try:
        if path.resolve() != path or not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(REASON_LIMIT * 4).decode("utf-8", "replace").strip()[:REASON_LIMIT]
    except OSError:
        return ""
