"""What is read of pipeline executions: their lists, their steps, their parameters and definitions."""

from __future__ import annotations

from typing import Any

from local_sagemaker.engine.workflows.pipelines import KIND, definition_of
from local_sagemaker.errors import ResourceNotFound, ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.listing import listed
from local_sagemaker.services.sagemaker.paging import page
from local_sagemaker.services.sagemaker.pipeline_versions import pipeline_named
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import Resource

NAMES = ("PipelineExecutionDisplayName", "PipelineExecutionDescription")


@operation("sagemaker", "ListPipelineExecutions")
def list_pipeline_executions(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of a pipeline's executions."""
    pipeline = pipeline_named(context, parameters["PipelineName"])
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
    given = {step.name: step.members for step in definition_of(execution).steps}
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


def find(context: Context, arn: str) -> Resource:
    """An execution by its ARN."""
    found: Resource | None = context.store.by_arn(arn)
    if found is None or found.kind != KIND:
        raise ResourceNotFound(f"Pipeline execution '{arn}' does not exist.")
    return found


def _summary(execution: Resource) -> dict[str, Any]:
    document = execution.document
    members = ("PipelineExecutionArn", "PipelineExecutionStatus", *NAMES)
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
        "CacheHitResult": _source(record.get("source")),
        "SelectiveExecutionResult": _source(record.get("selected")),
    }


def _source(arn: str | None) -> dict[str, str] | None:
    return None if arn is None else {"SourcePipelineExecutionArn": arn}
