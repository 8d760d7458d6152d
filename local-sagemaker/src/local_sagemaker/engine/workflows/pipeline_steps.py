"""The steps of a pipeline that are resources of SageMaker: begin them, look at them, stop them."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from local_sagemaker.context import Context
from local_sagemaker.domain.pipelines.definitions import PipelineStep
from local_sagemaker.engine.workflows.shaping import shaped
from local_sagemaker.errors import AwsError, ResourceInUse, ValidationException
from local_sagemaker.protocol import json_values, models
from local_sagemaker.services import calls
from local_sagemaker.storage.store import Resource

Document = dict[str, Any]
#: a job's name has at most so many characters, a tuning job's name fewer
NAME, TUNING_NAME, TOKEN = 63, 32, 36
#: a job's status and what it is for a step; a job that somebody stopped has not done its step's work
STATUSES = {"Completed": "Succeeded", "Failed": "Failed", "Stopped": "Stopped"}


@dataclass(frozen=True)
class StepType:
    """One type of steps."""

    operation: str
    #: kind in the store
    kind: str
    #: member of the request that names the resource, and of the answer that has its ARN
    name: str
    arn: str
    #: member of a step's Metadata
    metadata: str
    #: operation that stops it; None: it is done when it is created
    stop: str | None = None


TYPES = {
    "Processing": StepType(
        *("CreateProcessingJob", "processing-job", "ProcessingJobName", "ProcessingJobArn", "ProcessingJob"),
        "StopProcessingJob",
    ),
    "Training": StepType(
        *("CreateTrainingJob", "training-job", "TrainingJobName", "TrainingJobArn", "TrainingJob"),
        "StopTrainingJob",
    ),
    "Tuning": StepType(
        *("CreateHyperParameterTuningJob", "hyper-parameter-tuning-job", "HyperParameterTuningJobName"),
        *("HyperParameterTuningJobArn", "TuningJob", "StopHyperParameterTuningJob"),
    ),
    "Transform": StepType(
        *("CreateTransformJob", "transform-job", "TransformJobName", "TransformJobArn", "TransformJob"),
        "StopTransformJob",
    ),
    "Model": StepType("CreateModel", "model", "ModelName", "ModelArn", "Model"),
    "RegisterModel": StepType(
        "CreateModelPackage", "model-package", "ModelPackageName", "ModelPackageArn", "RegisterModel"
    ),
}


def name_of(execution: Resource, step: PipelineStep, attempt: int) -> str:
    """The name of a step's resource, the same whenever it is asked for."""
    digest = hashlib.sha256(f"{execution.arn} {step.name} {attempt}".encode()).hexdigest()[:10]
    run = execution.name.rpartition("/")[2]
    plain = "".join(letter if letter.isalnum() else "-" for letter in step.name).strip("-")
    if step.type == "Tuning":
        return f"{run}-{plain}"[: TUNING_NAME - len(digest) - 1].rstrip("-") + f"-{digest}"
    return f"pipelines-{run}-{plain}"[: NAME - len(digest) - 1].rstrip("-") + f"-{digest}"


def begin(context: Context, step: PipelineStep, name: str, arguments: Document) -> Document:
    """Create a step's resource unless it is there; its Metadata. AwsError says why that cannot be."""
    kind = TYPES[step.type]
    shape = models.operation_model("sagemaker", kind.operation).input_shape
    if shape is None:
        raise RuntimeError(f"{kind.operation} takes no request.")
    if step.type == "RegisterModel":
        _make_group(context, arguments)
        named = {"ClientToken": name[-TOKEN:].lstrip("-")}
    else:
        named = {kind.name: name}
    request = json_values.read(shape, shaped(shape, {**arguments, **named}))
    if step.type == "RegisterModel":
        arn = calls.call(context, kind.operation, request)[kind.arn]
    else:
        with suppress(ResourceInUse):
            if context.store.get(kind.kind, name) is None:
                calls.call(context, kind.operation, request)
        found = context.store.get(kind.kind, name)
        arn = "" if found is None else found.arn
    return {kind.metadata: {"Arn": arn}}


def look(context: Context, step: PipelineStep, record: Document) -> tuple[str, str | None]:
    """A step's status and its reason, by what has become of its resource."""
    kind = TYPES[step.type]
    if kind.stop is None:
        return "Succeeded", None
    found = resource_of(context, step, record)
    if found is None:
        return "Failed", "ClientError: its resource was deleted."
    status = STATUSES.get(found.status, "Stopping" if found.status == "Stopping" else "Executing")
    return status, found.document.get("FailureReason")


def resource_of(context: Context, step: PipelineStep, record: Document) -> Resource | None:
    """The resource that a step has made."""
    kind = TYPES.get(step.type)
    arn = record.get("metadata", {}).get(kind.metadata, {}).get("Arn") if kind else None
    return None if arn is None else context.store.by_arn(arn)


def stop(context: Context, step: PipelineStep, record: Document) -> None:
    """Ask for the end of a step's job."""
    kind, found = TYPES[step.type], resource_of(context, step, record)
    if kind.stop is not None and found is not None:
        # it may have ended meanwhile
        with suppress(ValidationException):
            calls.call(context, kind.stop, {kind.name: found.name})


def _make_group(context: Context, arguments: Document) -> None:
    """The group of a package that is registered by a pipeline is made when it is not there."""
    group = arguments.get("ModelPackageGroupName")
    if group and ":" not in group and context.store.get("model-package-group", group) is None:
        with suppress(AwsError):
            calls.call(context, "CreateModelPackageGroup", {"ModelPackageGroupName": group})
