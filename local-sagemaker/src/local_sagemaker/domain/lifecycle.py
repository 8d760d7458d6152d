"""The lifecycle of a job: (state, event) -> (state, instructions).

| phase                 | event                          | next                        | instructions      |
|-----------------------|--------------------------------|-----------------------------|-------------------|
| queued                | Admitted                       | downloading                 | PREPARE           |
| queued                | StopRequested                  | ended, Stopped              |                   |
| downloading           | WorkspacePrepared              | running                     | LAUNCH            |
| downloading, stopping | WorkspacePrepared              | ended, Stopped              |                   |
| downloading           | StopRequested                  | downloading, stopping       |                   |
| downloading           | Restarted                      | downloading                 | PREPARE           |
| running               | Exited, with a retry left      | downloading                 | PREPARE           |
| running               | Exited                         | uploading, with its outcome | UPLOAD            |
| running               | StopRequested, RuntimeExceeded | running, stopping           | TERMINATE         |
| running, stopping     | GraceExpired                   | running, stopping           | KILL              |
| running               | Restarted                      | running                     | LAUNCH            |
| running, stopping     | Restarted                      | running, stopping           | LAUNCH, TERMINATE |
| uploading             | Uploaded                       | ended, with its outcome     |                   |
| uploading             | Restarted                      | uploading                   | UPLOAD            |
| downloading, stopping | StepFailed                     | ended, Stopped              |                   |
| any other             | StepFailed                     | ended, Failed               |                   |

Every other event changes nothing; `ended` is final. Events carry the time. The supervisor stores every state
before it carries out the instructions that come with it. The outcome is decided once: when the container ends
or a step fails.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never


class Phase(StrEnum):
    """The phase a job is in."""

    QUEUED = "queued"
    DOWNLOADING = "downloading"
    RUNNING = "running"
    UPLOADING = "uploading"
    ENDED = "ended"


class Stop(StrEnum):
    """The cause of a stop."""

    REQUEST = "request"
    RUNTIME = "runtime"


class JobOutcome(StrEnum):
    """The final status of a job."""

    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"


class Instruction(StrEnum):
    """What the supervisor does next; each instruction is idempotent, since a crash may repeat it."""

    PREPARE = "prepare"  # put inputs and configuration into the workspace
    LAUNCH = "launch"  # adopt the workspace's process, or start one
    TERMINATE = "terminate"  # send SIGTERM, then SIGKILL when the grace period is over
    KILL = "kill"
    UPLOAD = "upload"


@dataclass(frozen=True, kw_only=True)
class State:
    """The state of a job; times are seconds since 1970."""

    phase: Phase = Phase.QUEUED
    stop: Stop | None = None
    outcome: JobOutcome | None = None
    reason: str = ""
    exit_status: int | None = None
    #: when the container was first launched; MaxRuntimeInSeconds counts from here
    started: float | None = None
    #: how often the container was started again
    retries: int = 0
    ended: float | None = None


@dataclass(frozen=True, kw_only=True)
class JobEvent:
    """An event of a job, and its time."""

    at: float


class Admitted(JobEvent):
    """The job gets a slot."""


class WorkspacePrepared(JobEvent):
    """The workspace is complete."""


class StopRequested(JobEvent):
    """A request asks to stop the job."""


class RuntimeExceeded(JobEvent):
    """The job has run for MaxRuntimeInSeconds."""


class GraceExpired(JobEvent):
    """The container has not ended within the grace period."""


@dataclass(frozen=True, kw_only=True)
class Exited(JobEvent):
    """The container has ended."""

    status: int
    #: the cause of a failure
    reason: str
    #: whether the container was lost and the job has a retry left
    may_retry: bool = False


class Uploaded(JobEvent):
    """All outputs are in S3."""


@dataclass(frozen=True, kw_only=True)
class StepFailed(JobEvent):
    """A part of the service's own work failed."""

    reason: str


class Restarted(JobEvent):
    """The service has restarted and found the job in this state."""


Transition = tuple[State, tuple[Instruction, ...]]


def transition(state: State, event: JobEvent) -> Transition:
    """Return the next state and its instructions; an event without meaning in a state changes nothing."""
    match state.phase:
        case Phase.QUEUED:
            return _queued(state, event)
        case Phase.DOWNLOADING:
            return _downloading(state, event)
        case Phase.RUNNING:
            return _running(state, event)
        case Phase.UPLOADING:
            return _uploading(state, event)
        case Phase.ENDED:
            return state, ()
        case _:
            assert_never(state.phase)


def _queued(state: State, event: JobEvent) -> Transition:
    match event:
        case Admitted():
            return replace(state, phase=Phase.DOWNLOADING), (Instruction.PREPARE,)
        case StopRequested():
            return _end(replace(state, stop=Stop.REQUEST), JobOutcome.STOPPED, "", event.at)
        case StepFailed(reason=reason):
            return _end(state, JobOutcome.FAILED, reason, event.at)
    return state, ()


def _downloading(state: State, event: JobEvent) -> Transition:
    match event:
        case WorkspacePrepared() if state.stop:
            return _end(state, JobOutcome.STOPPED, "", event.at)
        case WorkspacePrepared():
            started = event.at if state.started is None else state.started
            return replace(state, phase=Phase.RUNNING, started=started), (Instruction.LAUNCH,)
        case StopRequested():
            return replace(state, stop=Stop.REQUEST), ()
        case StepFailed(reason=reason):
            return _end(state, JobOutcome.STOPPED if state.stop else JobOutcome.FAILED, reason, event.at)
        case Restarted():
            return state, (Instruction.PREPARE,)
    return state, ()


def _running(state: State, event: JobEvent) -> Transition:  # noqa: PLR0911 (one for each event)
    match event:
        case Exited(may_retry=True) if not state.stop:
            again = replace(state, phase=Phase.DOWNLOADING, retries=state.retries + 1)
            return again, (Instruction.PREPARE,)
        case Exited(status=status, reason=reason):
            return _exited(state, status, reason)
        case StopRequested() if not state.stop:
            return replace(state, stop=Stop.REQUEST), (Instruction.TERMINATE,)
        case RuntimeExceeded() if not state.stop:
            return replace(state, stop=Stop.RUNTIME), (Instruction.TERMINATE,)
        case GraceExpired() if state.stop:
            return state, (Instruction.KILL,)
        case StepFailed(reason=reason):
            return _end(state, JobOutcome.FAILED, reason, event.at)
        case Restarted():
            return state, (Instruction.LAUNCH, *((Instruction.TERMINATE,) if state.stop else ()))
    return state, ()


def _exited(state: State, status: int, reason: str) -> Transition:
    if state.stop:
        outcome, reason = JobOutcome.STOPPED, ""
    else:
        outcome = JobOutcome.FAILED if status else JobOutcome.COMPLETED
    ended = replace(
        state,
        phase=Phase.UPLOADING,
        outcome=outcome,
        exit_status=status,
        reason=reason if outcome is JobOutcome.FAILED else "",
    )
    return ended, (Instruction.UPLOAD,)


def _uploading(state: State, event: JobEvent) -> Transition:
    match event:
        case Uploaded() if state.outcome is not None:
            return _end(state, state.outcome, state.reason, event.at)
        case StepFailed(reason=reason):
            # the container's own failure says more than the failure after it
            return _end(state, JobOutcome.FAILED, state.reason or reason, event.at)
        case Restarted():
            return state, (Instruction.UPLOAD,)
    return state, ()


def _end(state: State, outcome: JobOutcome, reason: str, at: float) -> Transition:
    return replace(state, phase=Phase.ENDED, outcome=outcome, reason=reason, ended=at), ()
