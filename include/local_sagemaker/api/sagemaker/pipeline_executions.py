"""Executions of pipelines: start, describe, list, their steps, stop, retry."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

from include.local_sagemaker.api.registry import operation
from include.local_sagemaker.api.sagemaker import pipelines
from include.local_sagemaker.api.sagemaker.listing import listed, moment
from include.local_sagemaker.api.sagemaker.paging import page
from include.local_sagemaker.context import Context
from include.local_sagemaker.errors import ResourceNotFound, ValidationException
from include.local_sagemaker.store import Resource, TakenError
from include.local_sagemaker.workflows.definitions import Definition
from include.local_sagemaker.workflows.pipelines import KIND

#: length of an execution's id, as SageMaker's
ID = 12
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
GIVEN = ("PipelineExecutionDisplayName", "PipelineExecutionDescription", "ParallelismConfiguration")


@operation("sagemaker", "StartPipelineExecution", ignored=("PipelineVersionId", "MlflowExperimentName"))
def start_pipeline_execution(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Start a pipeline; the same ClientRequestToken again is the same execution."""
    if "SelectiveExecutionConfig" in parameters:
        raise ValidationException("SelectiveExecutionConfig is not emulated locally. Leave it out.")
    pipeline, now = pipelines.find(context, parameters["PipelineName"]), time.time()
    text = pipeline.document["PipelineDefinition"]
    given = {one["Name"]: one["Value"] for one in parameters.get("PipelineParameters", [])}
    values = Definition.read(text).values(given)
    run = _id(f"{pipeline.arn} {pipeline.created} {parameters['ClientRequestToken']}")
    arn = f"{pipeline.arn}/execution/{run}"
    document = {key: parameters[key] for key in GIVEN if key in parameters} | {
        "PipelineArn": pipeline.arn,
        "PipelineExecutionArn": arn,
        "PipelineExecutionStatus": "Executing",
        "CreationTime": moment(now),
        "LastModifiedTime": moment(now),
    }
    document.setdefault("PipelineExecutionDisplayName", f"execution-{int(now * 1000)}")
    if "ParallelismConfiguration" in pipeline.document:
        document.setdefault("ParallelismConfiguration", pipeline.document["ParallelismConfiguration"])
    resource = Resource(
        kind=KIND,
        name=f"{pipeline.name}/{run}",
        parent=pipeline.name,
        arn=arn,
        status="Executing",
        created=now,
        modified=now,
        document=document,
        state={"definition": text, "parameters": values, "given": given, "steps": {}, "attempt": 1},
    )
    with suppress(TakenError):
        context.store.insert(resource)
        context.store.change(pipelines.KIND, pipeline.name, lambda found: _ran(found, now))
    context.conductor.wake()
    return {"PipelineExecutionArn": arn}


@operation("sagemaker", "DescribePipelineExecution")
def describe_pipeline_execution(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with an execution's status, times and failure reason."""
    return find(context, parameters["PipelineExecutionArn"]).document


@operation("sagemaker", "ListPipelineExecutions")
def list_pipeline_executions(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of a pipeline's executions."""
    pipeline = pipelines.find(context, parameters["PipelineName"])
    asked = dict(parameters)
    for theirs, ours in (("CreatedAfter", "CreationTimeAfter"), ("CreatedBefore", "CreationTimeBefore")):
        asked[ours] = asked.pop(theirs, None)
    asked["SortBy"] = "Name" if asked.get("SortBy") == "PipelineExecutionArn" else "CreationTime"
    found, token = listed(context, KIND, asked, parent=pipeline.name)
    return {"PipelineExecutionSummaries": [_summary(one) for one in found], "NextToken": token}


@operation("sagemaker", "ListPipelineExecutionSteps")
def list_pipeline_execution_steps(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of the steps that an execution has begun, last begun first."""
    if "PipelineExecutionArn" not in parameters:
        raise ValidationException("PipelineExecutionArn is missing. Name an execution.")
    execution = find(context, parameters["PipelineExecutionArn"])
    given = {step.name: step.given for step in Definition.read(execution.state["definition"]).steps}
    begun = sorted(execution.state["steps"].items(), key=lambda item: item[1]["start"])
    if parameters.get("SortOrder", "Descending") == "Descending":
        begun.reverse()
    shown, token = page(begun, parameters)
    steps = [_step(name, record, given[name]) for name, record in shown]
    return {"PipelineExecutionSteps": steps, "NextToken": token}


@operation("sagemaker", "ListPipelineParametersForExecution")
def list_pipeline_parameters_for_execution(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of the parameters that an execution was given."""
    values = find(context, parameters["PipelineExecutionArn"]).state["given"]
    shown, token = page([{"Name": name, "Value": value} for name, value in values.items()], parameters)
    return {"PipelineParameters": shown, "NextToken": token}


@operation("sagemaker", "DescribePipelineDefinitionForExecution")
def describe_pipeline_definition_for_execution(
    context: Context, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Answer with the definition that an execution was begun with."""
    found = find(context, parameters["PipelineExecutionArn"])
    return {"PipelineDefinition": found.state["definition"], "CreationTime": moment(found.created)}


@operation("sagemaker", "StopPipelineExecution", ignored=("ClientRequestToken",))
def stop_pipeline_execution(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Stop an execution and the jobs it has running."""
    return _restatus(context, parameters, ("Executing",), "Stopping", "stopped")


@operation("sagemaker", "RetryPipelineExecution", ignored=("ClientRequestToken", "ParallelismConfiguration"))
def retry_pipeline_execution(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Carry out again what of an execution has not succeeded, with new jobs."""
    return _restatus(context, parameters, ("Failed", "Stopped"), "Executing", "retried")


def find(context: Context, arn: str) -> Resource:
    """An execution by its ARN."""
    found: Resource | None = context.store.by_arn(arn)
    if found is None or found.kind != KIND:
        raise ResourceNotFound(f"Pipeline execution '{arn}' does not exist.")
    return found


def _restatus(
    context: Context, parameters: dict[str, Any], allowed: tuple[str, ...], status: str, verb: str
) -> dict[str, Any]:
    found, now = find(context, parameters["PipelineExecutionArn"]), time.time()

    def change(resource: Resource) -> Resource:
        if resource.status not in allowed:
            names = " or ".join(f"'{name}'" for name in allowed)
            raise ValidationException(f"Only pipelines with {names} status can be {verb}.")
        document = {**resource.document, "PipelineExecutionStatus": status, "LastModifiedTime": moment(now)}
        state = dict(resource.state)
        if status == "Executing":
            document.pop("FailureReason", None)
            done = {
                name: one for name, one in resource.state["steps"].items() if one["status"] == "Succeeded"
            }
            state |= {"steps": done, "attempt": resource.state["attempt"] + 1}
        return replace(resource, status=status, document=document, state=state, modified=now)

    context.store.change(KIND, found.name, change)
    context.conductor.wake()
    return {"PipelineExecutionArn": found.arn}


def _ran(pipeline: Resource, now: float) -> Resource:
    return replace(pipeline, document={**pipeline.document, "LastExecutionTime": moment(now)})


def _summary(execution: Resource) -> dict[str, Any]:
    document = execution.document
    members = ("PipelineExecutionArn", "PipelineExecutionStatus", *GIVEN[:2])
    return {
        **{name: document[name] for name in members if name in document},
        "StartTime": moment(execution.created),
        "PipelineExecutionFailureReason": document.get("FailureReason"),
    }


def _step(name: str, record: dict[str, Any], given: Any) -> dict[str, Any]:  # noqa: ANN401 (any JSON)
    return {
        "StepName": name,
        "StepDisplayName": given.get("DisplayName"),
        "StepDescription": given.get("Description"),
        "StartTime": moment(record["start"]),
        "EndTime": moment(record["end"]) if "end" in record else None,
        "StepStatus": record["status"],
        "FailureReason": record.get("reason"),
        "Metadata": record.get("metadata"),
        "AttemptCount": record["attempt"],
    }


def _id(text: str) -> str:
    number, letters = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big"), ""
    while len(letters) < ID:
        number, rest = divmod(number, len(DIGITS))
        letters += DIGITS[rest]
    return letters
