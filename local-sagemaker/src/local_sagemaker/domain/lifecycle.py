"""The life of a job as a pure function: (state, event) -> (state, instructions).

No clock, disk or network: events carry the time, instructions are carried out by runner/supervisor.py,
which keeps every state on the disk before it carries out the instructions that came with it.

    queued -> downloading -> running -> uploading -> ended

A container that was lost, and has a retry left, sends the job from running back to downloading.
A stop is asked for at any time (`stop`): a job that runs is ended first by SIGTERM, then by SIGKILL; what
does not run yet ends at once. `outcome` is decided once, when the container has ended or a step has failed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never


class Phase(StrEnum):
    """How far a job has come."""

    QUEUED = "queued"
    DOWNLOADING = "downloading"
    RUNNING = "running"
    UPLOADING = "uploading"
    ENDED = "ended"


class Stop(StrEnum):
    """Why a job is being stopped."""

    REQUEST = "request"
    RUNTIME = "runtime"


class Outcome(StrEnum):
    """How a job ends."""

    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"


class Instruction(StrEnum):
    """What the supervisor is to do next; carried out again after a crash, it gives the same result."""

    PREPARE = "prepare"  # inputs and configuration into the workspace
    LAUNCH = "launch"  # adopt the process of the workspace, or start it
    TERMINATE = "terminate"  # SIGTERM to it, and SIGKILL when the grace is over
    KILL = "kill"
    UPLOAD = "upload"


@dataclass(frozen=True, kw_only=True)
class State:
    """Where a job is; times are seconds since 1970."""

    phase: Phase = Phase.QUEUED
    stop: Stop | None = None
    outcome: Outcome | None = None
    reason: str = ""
    exit_status: int | None = None
    #: when the container was to start first; MaxRuntimeInSeconds counts from here
    started: float | None = None
    #: how often it was begun again
    retries: int = 0
    ended: float | None = None


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to a job, and when."""

    at: float


class Admitted(Event):
    """It is the job's turn."""


class Prepared(Event):
    """The workspace is complete."""


class StopRequested(Event):
    """Somebody asked for the job's end."""


class RuntimeExceeded(Event):
    """MaxRuntimeInSeconds is over."""


class GraceExpired(Event):
    """The container was given its time to end by itself."""


@dataclass(frozen=True, kw_only=True)
class Exited(Event):
    """The container has ended."""

    status: int
    #: why, if it failed
    reason: str
    #: whether it is to be begun again: it was lost, and the job has a retry left
    may_retry: bool = False


class Uploaded(Event):
    """All outputs are in S3."""


@dataclass(frozen=True, kw_only=True)
class StepFailed(Event):
    """A step of the service could not be done."""

    reason: str


class Restarted(Event):
    """The service was started again and found the job as it is."""


Step = tuple[State, tuple[Instruction, ...]]


def step(state: State, event: Event) -> Step:
    """The next state, and what is to be done. An event that means nothing in a state changes nothing."""
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


def _queued(state: State, event: Event) -> Step:
    match event:
        case Admitted():
            return replace(state, phase=Phase.DOWNLOADING), (Instruction.PREPARE,)
        case StopRequested():
            return _end(replace(state, stop=Stop.REQUEST), Outcome.STOPPED, "", event.at)
        case StepFailed(reason=reason):
            return _end(state, Outcome.FAILED, reason, event.at)
    return state, ()


def _downloading(state: State, event: Event) -> Step:
    match event:
        case Prepared() if state.stop:
            return _end(state, Outcome.STOPPED, "", event.at)
        case Prepared():
            started = event.at if state.started is None else state.started
            return replace(state, phase=Phase.RUNNING, started=started), (Instruction.LAUNCH,)
        case StopRequested():
            return replace(state, stop=Stop.REQUEST), ()
        case StepFailed(reason=reason):
            return _end(state, Outcome.STOPPED if state.stop else Outcome.FAILED, reason, event.at)
        case Restarted():
            return state, (Instruction.PREPARE,)
    return state, ()


def _running(state: State, event: Event) -> Step:  # noqa: PLR0911 (one for each event)
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
            return _end(state, Outcome.FAILED, reason, event.at)
        case Restarted():
            return state, (Instruction.LAUNCH, *((Instruction.TERMINATE,) if state.stop else ()))
    return state, ()


def _exited(state: State, status: int, reason: str) -> Step:
    if state.stop:
        outcome, reason = Outcome.STOPPED, ""
    else:
        outcome = Outcome.FAILED if status else Outcome.COMPLETED
    ended = replace(
        state,
        phase=Phase.UPLOADING,
        outcome=outcome,
        exit_status=status,
        reason=reason if outcome is Outcome.FAILED else "",
    )
    return ended, (Instruction.UPLOAD,)


def _uploading(state: State, event: Event) -> Step:
    match event:
        case Uploaded() if state.outcome is not None:
            return _end(state, state.outcome, state.reason, event.at)
        case StepFailed(reason=reason):
            # a container's own failure says more than what failed after it
            return _end(state, Outcome.FAILED, state.reason or reason, event.at)
        case Restarted():
            return state, (Instruction.UPLOAD,)
    return state, ()


def _end(state: State, outcome: Outcome, reason: str, at: float) -> Step:
    return replace(state, phase=Phase.ENDED, outcome=outcome, reason=reason, ended=at), ()
