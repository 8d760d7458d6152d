"""Executions of pipelines: start, describe, list, their steps, stop, retry."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from local_sagemaker.domain.pipelines import DefinitionError
from local_sagemaker.domain.pipelines.definitions import PipelineDefinition
from local_sagemaker.domain.pipelines.expressions import ExpressionError, ExpressionScope, resolve
from local_sagemaker.engine.workflows.pipelines import (
    KIND,
    definition_of,
    execution_variables,
    select_steps,
)
from local_sagemaker.errors import ResourceNotFound, ValidationException, invalid_request, translate
from local_sagemaker.protocol import models, validation
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker import experiments, pipelines
from local_sagemaker.services.sagemaker.pipelines import PIPELINES
from local_sagemaker.services.sagemaker.resources import ResourceType, chosen, listed, page_of
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import Resource, TakenError

EXECUTIONS = ResourceType(noun="PipelineExecution", kind=KIND)
#: length of an execution's id, as SageMaker's
ID = 12
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
NAMES = ("PipelineExecutionDisplayName", "PipelineExecutionDescription")
GIVEN = (*NAMES, "ParallelismConfiguration", "SelectiveExecutionConfig")


@operation("sagemaker", "StartPipelineExecution")
def start_pipeline_execution(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Start a pipeline, or some steps of it; the same ClientRequestToken again is the same execution."""
    pipeline, now = PIPELINES.named(context, parameters), time.time()
    version = pipelines.find_version(context, pipeline, parameters.get("PipelineVersionId"))
    number = version.document["PipelineVersionId"]
    run = _id(f"{pipeline.arn} {pipeline.created} {parameters['ClientRequestToken']}")
    arn = f"{pipeline.arn}/execution/{run}"
    document = chosen(parameters, GIVEN) | {
        "PipelineArn": pipeline.arn,
        "PipelineExecutionArn": arn,
        "PipelineExecutionStatus": "Executing",
        "PipelineVersionId": number,
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
        state=_state(context, pipeline, version.document["PipelineDefinition"], parameters),
    )

    experiment = _experiment(context, resource)
    resource = replace(resource, state={**resource.state, "experiment": experiment})

    def ran(resource: Resource) -> Resource:
        return replace(resource, document={**resource.document, "LastExecutionTime": moment(now)})

    with suppress(TakenError), context.store.together():
        context.store.insert(resource)
        if experiment:
            experiments.ensure_trial(context, experiment["ExperimentName"], experiment["TrialName"])
        context.store.change(PIPELINES.kind, pipeline.name, ran)
        pipelines.change_version(context, pipeline, number, {"LastExecutionPipelineExecutionArn": arn})
    context.workflows.wake()
    return {"PipelineExecutionArn": arn}


def _state(context: Context, pipeline: Resource, text: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return an execution's first state; a selective one takes results from an earlier execution."""
    given = {one["Name"]: one["Value"] for one in parameters.get("PipelineParameters", [])}
    taken: dict[str, Any] = {"steps": {}}
    with translate(DefinitionError, invalid_request):
        definition = PipelineDefinition.parse(text)
        if "SelectiveExecutionConfig" in parameters:
            config = parameters["SelectiveExecutionConfig"]
            source, taken = select_steps(context, pipeline, definition, config)
            given = {**source, **given}
        values = definition.parameter_values(given)
    return {"definition": text, "parameters": values, "given": given, "tried": {}, **taken}


def _experiment(context: Context, execution: Resource) -> dict[str, Any]:
    """Return the names of an execution's experiment and trial; nothing if it has none."""
    config = PipelineDefinition.parse(execution.state["definition"]).experiment
    variables = execution_variables(context, execution)
    with translate(ExpressionError, invalid_request):
        names = resolve(config, ExpressionScope(execution.state["parameters"], execution=variables))
    shape = models.operation_model("sagemaker", "CreateTrial").input_shape
    for member, name in names.items():
        broken = validation.problems(shape.members[member], name, f"PipelineExperimentConfig.{member}")  # type: ignore[union-attr]
        if broken:
            raise ValidationException(broken[0])
    return dict(names)


@operation("sagemaker", "DescribePipelineExecution")
def describe_pipeline_execution(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with an execution's status, times and failure reason."""
    return find_execution(context, parameters["PipelineExecutionArn"]).document


@operation("sagemaker", "StopPipelineExecution")
def stop_pipeline_execution(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Stop an execution and the jobs it has running."""
    return _restatus(context, parameters, ("Executing",), "Stopping", "stopped")


@operation("sagemaker", "UpdatePipelineExecution")
def update_pipeline_execution(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Change an execution's name, its description, and how many of its steps run at a time."""
    return _change(context, parameters, lambda execution: execution.changed(chosen(parameters, GIVEN)))


@operation("sagemaker", "RetryPipelineExecution")
def retry_pipeline_execution(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Carry out again what of an execution has not succeeded, with new jobs."""
    return _restatus(context, parameters, ("Failed", "Stopped"), "Executing", "retried")


def _restatus(
    context: Context, parameters: dict[str, Any], allowed: tuple[str, ...], status: str, verb: str
) -> dict[str, Any]:

    def change(execution: Resource) -> Resource:
        if execution.status not in allowed:
            names = " or ".join(f"'{name}'" for name in allowed)
            raise ValidationException(f"Only pipelines with {names} status can be {verb}.")
        changed = execution.changed({"PipelineExecutionStatus": status}, status=status)
        return _begun_again(changed, parameters) if status == "Executing" else changed

    return _change(context, parameters, change)


def _begun_again(execution: Resource, parameters: dict[str, Any]) -> Resource:
    """Return the execution without what had not succeeded; each try has a resource of its own name."""
    document = execution.document | chosen(parameters, ("ParallelismConfiguration",))
    document.pop("FailureReason", None)
    steps = execution.state["steps"]
    tried = {name: step["attempt"] for name, step in steps.items() if step["status"] != "Succeeded"}
    left = {name: step for name, step in steps.items() if name not in tried}
    tried = {**execution.state.get("tried", {}), **tried}
    return replace(execution, document=document, state={**execution.state, "steps": left, "tried": tried})


def _change(
    context: Context, parameters: dict[str, Any], change: Callable[[Resource], Resource]
) -> dict[str, Any]:
    execution = find_execution(context, parameters["PipelineExecutionArn"])
    context.store.change(KIND, execution.name, change)
    context.workflows.wake()
    return {"PipelineExecutionArn": execution.arn}


def _id(text: str) -> str:
    number, letters = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big"), ""
    while len(letters) < ID:
        number, rest = divmod(number, len(DIGITS))
        letters += DIGITS[rest]
    return letters


@operation("sagemaker", "ListPipelineExecutions")
def list_pipeline_executions(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of a pipeline's executions."""
    pipeline = PIPELINES.named(context, parameters)
    sort_by = "Name" if parameters.get("SortBy") == "PipelineExecutionArn" else "CreationTime"
    executions, token = listed(context, KIND, {**parameters, "SortBy": sort_by}, parent=pipeline.name)
    return {"PipelineExecutionSummaries": [_summary(one) for one in executions], "NextToken": token}


@operation("sagemaker", "ListPipelineExecutionSteps")
def list_pipeline_execution_steps(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of the steps that an execution has begun, last begun first."""
    if "PipelineExecutionArn" not in parameters:
        raise ValidationException("PipelineExecutionArn is missing. Name an execution.")
    execution = find_execution(context, parameters["PipelineExecutionArn"])
    given = {step.name: step.members for step in definition_of(execution).steps}
    begun = sorted(execution.state["steps"].items(), key=lambda item: item[1]["start"])
    if parameters.get("SortOrder", "Descending") == "Descending":
        begun.reverse()
    shown, token = page_of(begun, parameters)
    steps = [_step(name, record, given[name]) for name, record in shown]
    return {"PipelineExecutionSteps": steps, "NextToken": token}


@operation("sagemaker", "ListPipelineParametersForExecution")
def list_pipeline_parameters_for_execution(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of the parameters that an execution was given."""
    values = find_execution(context, parameters["PipelineExecutionArn"]).state["given"]
    shown, token = page_of([{"Name": name, "Value": value} for name, value in values.items()], parameters)
    return {"PipelineParameters": shown, "NextToken": token}


@operation("sagemaker", "DescribePipelineDefinitionForExecution")
def describe_pipeline_definition_for_execution(
    context: Context, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Answer with the definition that an execution was begun with."""
    execution = find_execution(context, parameters["PipelineExecutionArn"])
    return {"PipelineDefinition": execution.state["definition"], "CreationTime": moment(execution.created)}


def find_execution(context: Context, arn: str) -> Resource:
    """Return an execution by its ARN."""
    execution: Resource | None = context.store.by_arn(arn)
    if execution is None or execution.kind != KIND:
        raise ResourceNotFound(f"Pipeline execution '{arn}' does not exist.")
    return execution


def _summary(execution: Resource) -> dict[str, Any]:
    document = execution.document
    return {
        **chosen(document, ("PipelineExecutionArn", "PipelineExecutionStatus", *NAMES)),
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
