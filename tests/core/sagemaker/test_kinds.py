"""What the statuses of a job mean."""

from __future__ import annotations

from datetime import UTC, datetime

import botocore.session
import pytest

from include.core.exceptions import FlywheelError, JobFailed, JobLost, JobStopped, PermanentError
from include.core.sagemaker.kinds import (
    ENDPOINT,
    KINDS,
    PROCESSING,
    TRAINING,
    TRANSFORM,
    JobKind,
    judge_job,
    kind_named,
)
from tests.examples import not_none

MODEL = botocore.session.get_session().get_service_model("sagemaker")
STATUS_SHAPES = {
    PROCESSING.name: "ProcessingJobStatus",
    TRAINING.name: "TrainingJobStatus",
    TRANSFORM.name: "TransformJobStatus",
    ENDPOINT.name: "EndpointStatus",
}
EVERY_STATUS = [
    (kind, status)
    for kind in KINDS.values()
    for status in MODEL.shape_for(STATUS_SHAPES[kind.name]).metadata["enum"]
]
ENDED = [(kind, status) for kind, status in EVERY_STATUS if status not in kind.active]


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_verbs_and_fields_are_sagemakers(kind: JobKind) -> None:
    """Each is in botocore's model."""
    words = [verb for verb in (kind.create, kind.describe, kind.stop) if verb]
    names = {operation.lower() for operation in MODEL.operation_names}
    assert {word.replace("_", "") for word in words} <= names
    described = MODEL.operation_model("".join(w.title() for w in kind.describe.split("_"))).output_shape
    fields = {kind.name_field, kind.arn_field, kind.status_field, kind.end_field, "CreationTime"}
    assert fields <= set(not_none(described).members)


@pytest.mark.parametrize(("kind", "status"), ENDED, ids=lambda value: getattr(value, "name", value))
def test_only_success_is_success(kind: JobKind, status: str) -> None:
    """Of all statuses a job can end with, one passes; Stopped is told apart from Failed."""
    described = {kind.status_field: status, "FailureReason": "AlgorithmError: no rows"}
    if status in {"Completed", "InService"}:
        judge_job(kind, "j", described)
        return
    expected = JobStopped if status == "Stopped" else JobFailed
    with pytest.raises(expected, match=f"{status}: AlgorithmError: no rows"):
        judge_job(kind, "j", described)


@pytest.mark.parametrize("kind", [PROCESSING, TRAINING, TRANSFORM], ids=lambda kind: kind.name)
@pytest.mark.parametrize("fault", ["InternalServerError: try again", "CapacityError: no instance"])
def test_a_fault_of_sagemakers_own_is_no_verdict(kind: JobKind, fault: str) -> None:
    """A machine that went down under a job says nothing of the job: its task may try again."""
    with pytest.raises(JobLost, match=fault) as raised:
        judge_job(kind, "j", {kind.status_field: "Failed", "FailureReason": fault})
    assert not isinstance(raised.value, PermanentError)


def test_a_judgement_tells_what_the_container_said_first() -> None:
    """The container's own words explain more than the exit code."""
    described = {"ProcessingJobStatus": "Failed", "ExitMessage": "no rows", "FailureReason": "exit code 1"}
    with pytest.raises(JobFailed, match=r"no rows \| exit code 1"):
        judge_job(PROCESSING, "j", described)


def test_seconds_count_from_creation_to_end() -> None:
    """A job without an end has taken none yet."""
    begun = datetime(2013, 1, 1, tzinfo=UTC)
    ended = datetime(2013, 1, 1, 0, 0, 2, 500000, tzinfo=UTC)
    assert TRAINING.seconds({"CreationTime": begun, "TrainingEndTime": ended}) == 2.5
    assert TRAINING.seconds({"CreationTime": begun}) == 0.0


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    """A trigger is told its kind by name."""
    with pytest.raises(FlywheelError, match="processing job, training job"):
        kind_named("dancing job")
