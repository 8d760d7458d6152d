"""The lifecycle of jobs: properties that hold for any order of events."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.domain import lifecycle
from local_sagemaker.domain.lifecycle import Instruction, JobOutcome, Phase, State, Stop, transition

EVENTS = st.one_of(
    *(
        st.builds(kind, at=st.floats(0, 1e9))
        for kind in (
            lifecycle.Admitted,
            lifecycle.WorkspacePrepared,
            lifecycle.StopRequested,
            lifecycle.RuntimeExceeded,
            lifecycle.GraceExpired,
            lifecycle.Uploaded,
            lifecycle.Restarted,
        )
    ),
    st.builds(
        lifecycle.Exited,
        at=st.floats(0, 1e9),
        status=st.integers(-64, 255),
        reason=st.just("container"),
        may_retry=st.booleans(),
    ),
    st.builds(lifecycle.StepFailed, at=st.floats(0, 1e9), reason=st.just("step")),
)
ORDER = list(Phase)


def walk(
    events: list[lifecycle.JobEvent],
) -> Iterator[tuple[State, lifecycle.JobEvent, State, tuple[Instruction, ...]]]:
    """Yield each state with its event, the following state and the instructions."""
    state = State()
    for event in events:
        following, instructions = transition(state, event)
        yield state, event, following, instructions
        state = following


@given(st.lists(EVENTS))
def test_a_job_never_goes_back(events: list[lifecycle.JobEvent]) -> None:
    """Phases only advance, but for a retry of a container; what has ended stays as it is."""
    for state, event, following, instructions in walk(events):
        if isinstance(event, lifecycle.Exited) and following.retries > state.retries:
            assert event.may_retry
            assert (state.phase, following.phase) == (Phase.RUNNING, Phase.DOWNLOADING)
            assert (following.started, state.stop) == (state.started, None)
        else:
            assert ORDER.index(state.phase) <= ORDER.index(following.phase)
            assert following.retries == state.retries
        if state.phase is Phase.ENDED:
            assert (following, instructions) == (state, ())


@given(st.lists(EVENTS))
def test_a_job_ends_once_with_an_outcome_and_a_time(events: list[lifecycle.JobEvent]) -> None:
    """There is an outcome exactly when the container has ended or a step has failed."""
    endings = 0
    for state, event, following, _ in walk(events):
        endings += state.phase is not Phase.ENDED and following.phase is Phase.ENDED
        assert (following.outcome is not None) == (following.phase in {Phase.UPLOADING, Phase.ENDED})
        assert (following.ended is not None) == (following.phase is Phase.ENDED)
        if state.phase is not Phase.ENDED and following.phase is Phase.ENDED:
            assert following.ended == event.at
    assert endings <= 1


@given(st.lists(EVENTS))
def test_an_outcome_that_was_decided_is_only_made_worse_by_a_failed_upload(
    events: list[lifecycle.JobEvent],
) -> None:
    """A completed container whose outputs cannot be uploaded is a failed job; no other outcome changes."""
    for state, event, following, _ in walk(events):
        if state.outcome is not None and following.outcome is not state.outcome:
            assert isinstance(event, lifecycle.StepFailed)
            assert following.outcome is JobOutcome.FAILED


@given(st.lists(EVENTS))
def test_a_container_is_started_and_ended_only_while_the_job_runs(events: list[lifecycle.JobEvent]) -> None:
    """Instructions fit the phase they come with."""
    phases = {
        Instruction.PREPARE: Phase.DOWNLOADING,
        Instruction.LAUNCH: Phase.RUNNING,
        Instruction.TERMINATE: Phase.RUNNING,
        Instruction.KILL: Phase.RUNNING,
        Instruction.UPLOAD: Phase.UPLOADING,
    }
    for _, _, following, instructions in walk(events):
        assert all(phases[instruction] is following.phase for instruction in instructions)


@given(st.lists(EVENTS))
def test_only_a_job_without_a_stop_completes(events: list[lifecycle.JobEvent]) -> None:
    """Completed means: exit status 0, and no stop. A failure has a reason."""
    for _, _, following, _ in walk(events):
        if following.outcome is JobOutcome.COMPLETED:
            assert (following.exit_status, following.stop) == (0, None)
        if following.outcome is JobOutcome.STOPPED:
            assert following.stop is not None
        if following.outcome is JobOutcome.FAILED:
            assert following.reason


@given(st.lists(EVENTS))
def test_a_restart_repeats_the_instructions_of_the_phase(events: list[lifecycle.JobEvent]) -> None:
    """The work that the kill interrupted is requested again."""
    needs = {
        Phase.QUEUED: (),
        Phase.DOWNLOADING: (Instruction.PREPARE,),
        Phase.UPLOADING: (Instruction.UPLOAD,),
        Phase.ENDED: (),
    }
    for _, _, state, _ in walk(events):
        following, instructions = transition(state, lifecycle.Restarted(at=1.0))
        running = (Instruction.LAUNCH, *((Instruction.TERMINATE,) if state.stop else ()))
        assert following == state
        assert instructions == needs.get(state.phase, running)


@pytest.mark.parametrize(
    ("status", "outcome", "reason"), [(0, "Completed", ""), (1, "Failed", "why"), (-9, "Failed", "why")]
)
def test_the_way_of_a_job(status: int, outcome: str, reason: str) -> None:
    """Queued, downloading, running, uploading, ended."""
    state, instructions = transition(State(), lifecycle.Admitted(at=1.0))
    assert (state.phase, instructions) == (Phase.DOWNLOADING, (Instruction.PREPARE,))
    state, instructions = transition(state, lifecycle.WorkspacePrepared(at=2.0))
    assert (state.phase, state.started, instructions) == (Phase.RUNNING, 2.0, (Instruction.LAUNCH,))
    state, instructions = transition(state, lifecycle.Exited(at=3.0, status=status, reason="why"))
    assert (state.phase, instructions) == (Phase.UPLOADING, (Instruction.UPLOAD,))
    state, instructions = transition(state, lifecycle.Uploaded(at=4.0))
    assert (state.phase, state.outcome, state.reason, state.ended) == (Phase.ENDED, outcome, reason, 4.0)


@pytest.mark.parametrize("status", [0, 1, -15])
def test_a_job_stopped_while_it_runs_is_stopped_however_it_ends(status: int) -> None:
    """A second request changes nothing; the container's own exit status does not matter."""
    running = State(phase=Phase.RUNNING, started=1.0)
    state, instructions = transition(running, lifecycle.StopRequested(at=2.0))
    assert (state.stop, instructions) == (Stop.REQUEST, (Instruction.TERMINATE,))
    assert transition(state, lifecycle.StopRequested(at=3.0)) == (state, ())
    assert transition(state, lifecycle.GraceExpired(at=4.0)) == (state, (Instruction.KILL,))
    state, _ = transition(state, lifecycle.Exited(at=5.0, status=status, reason="why"))
    assert (state.outcome, state.reason) == (JobOutcome.STOPPED, "")
