"""Pipeline executions: steps begun as soon as what they wait for has succeeded."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from local_sagemaker.base import Service
from local_sagemaker.domain.pipelines.definitions import PipelineDefinition, PipelineStep
from local_sagemaker.domain.pipelines.expressions import ExpressionError, ExpressionScope
from local_sagemaker.engine.jobs.channels import bucket_and_key
from local_sagemaker.engine.workflows import tuning_jobs
from local_sagemaker.engine.workflows.loop import Operations, search_by_status
from local_sagemaker.engine.workflows.pipeline_steps import RUNNING, StepRunner
from local_sagemaker.errors import ValidationException
from local_sagemaker.storage.documents import Document, moment
from local_sagemaker.storage.store import Resource

KIND = "pipeline-execution"
#: training jobs that a tuning step shows, as many as SageMaker keeps
SUMMARIES = 50
STEP_FAILURE = "Step failure: One or multiple steps failed."


class PipelineExecutions:
    """Pipeline executions as the workflow loop looks at them."""

    kind = KIND

    def __init__(self, service: Service, operations: Operations) -> None:
        self._service, self._steps = service, StepRunner(service, operations)

    def list_active(self) -> list[Resource]:
        """Return the executions that have not ended."""
        return search_by_status(self._service.store, KIND, "Executing", "Stopping")

    def advance(self, resource: Resource) -> bool:
        """Take in what has become of the steps, then begin, stop or end what is due."""
        definition = definition_of(resource)
        records = {name: dict(record) for name, record in resource.state["steps"].items()}
        for step in definition.steps:
            record = records.get(step.name, {})
            if record.get("status") in RUNNING and "again_at" not in record:
                self._steps.refresh(resource, step, record)
        is_ending = resource.status == "Stopping" or _failing(records) is not None
        if is_ending:
            for step in definition.steps:
                if records.get(step.name, {}).get("status") == "Executing":
                    self._steps.stop(step, records[step.name])
        else:
            limit = resource.document.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps")
            scope = self._scope(resource, definition, records)
            for step in definition.steps:
                last = records.get(step.name)
                running = sum(record["status"] in RUNNING for record in records.values())
                is_again = last is not None and last.get("again_at", float("inf")) <= time.time()
                is_new = last is None and (limit is None or running < limit) and _is_due(step, records)
                if is_again or is_new:
                    records[step.name] = self._steps.begin(resource, step, scope, last)
                    if records[step.name]["status"] == "Succeeded":  # the next one may refer to it
                        scope = self._scope(resource, definition, records)
        status, reason = _outcome(resource, definition, records, is_ending=is_ending)
        if (records, status) == (resource.state["steps"], resource.status):
            return False
        self._keep(resource, records, status, reason)
        return True

    def fail(self, resource: Resource, reason: str) -> None:
        """End an execution that cannot go on."""
        self._keep(resource, resource.state["steps"], "Failed", reason[:1024])

    def _scope(
        self, resource: Resource, definition: PipelineDefinition, records: Mapping[str, Document]
    ) -> ExpressionScope:
        """Return what expressions may refer to: parameters, the begun steps, and the execution itself."""
        by_name = {step.name: step for step in definition.steps}
        described: dict[str, Any] = {}
        for name, record in records.items():
            made = self._steps.resource_of(by_name[name], record)
            outcome = record.get("metadata", {}).get("Condition")
            described[name] = outcome or (made.document if made is not None else {})
            if made is not None and made.kind == tuning_jobs.KIND:
                best = tuning_jobs.summarize_trials(self._service, made, is_ranked=True)
                described[name] = {**made.document, "TrainingJobSummaries": best[:SUMMARIES]}

        def read(step: str, name: str) -> str:
            return _property_file(self._service, by_name[step], described.get(step, {}), name)

        return ExpressionScope(
            resource.state["parameters"],
            described,
            execution_variables(self._service, resource),
            resource.state.get("experiment", {}),
            read,
            lambda uri: _text(self._service, uri),
        )

    def _keep(
        self, resource: Resource, records: dict[str, Document], status: str, reason: str | None
    ) -> None:
        now = time.time()

        def change(latest: Resource) -> Resource:
            # a stop that was asked for meanwhile stays asked for
            kept = "Stopping" if (latest.status, status) == ("Stopping", "Executing") else status
            document = {**latest.document, "PipelineExecutionStatus": kept, "LastModifiedTime": moment(now)}
            document |= {"FailureReason": reason} if reason else {}
            return replace(
                latest, status=kept, document=document, state={**latest.state, "steps": records}, modified=now
            )

        self._service.store.change(KIND, resource.name, change)


def execution_variables(service: Service, execution: Resource) -> dict[str, str]:
    """Return what expressions may refer to as `Execution.<name>`."""
    pipeline = execution.parent
    return {
        "PipelineName": str(pipeline),
        "PipelineArn": service.arn("sagemaker", f"pipeline/{pipeline}"),
        "PipelineExecutionId": execution.name.rpartition("/")[2],
        "PipelineExecutionArn": execution.arn,
        "StartDateTime": moment(execution.created).isoformat(),
        "CurrentDateTime": moment(time.time()).isoformat(),
    }


def definition_of(execution: Resource) -> PipelineDefinition:
    """Return the definition that an execution was begun with, without the steps that were not selected."""
    return PipelineDefinition.parse(execution.state["definition"]).without(
        execution.state.get("left_out", [])
    )


def _property_file(context: Service, step: PipelineStep, described: Document, name: str) -> str:
    """Return the text of a property file of a processing step."""
    files = {one["PropertyFileName"]: one for one in step.members.get("PropertyFiles", [])}
    if name not in files:
        raise ValidationException(f"The step {step.name} has no property file {name}.")
    wanted = files[name]
    for output in described.get("ProcessingOutputConfig", {}).get("Outputs", []):
        if output["OutputName"] == wanted["OutputName"]:
            return _text(context, f"{output['S3Output']['S3Uri'].rstrip('/')}/{wanted['FilePath']}")
    raise ValidationException(f"The step {step.name} has no output {wanted['OutputName']} for {name}.")


def _text(context: Service, uri: str) -> str:
    """Return the text of an object that an expression reads."""
    try:
        return context.objects.path(*bucket_and_key(uri)).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ExpressionError(f"{uri} is not UTF-8: {error}.") from error


def select_steps(
    context: Service, pipeline: Resource, definition: PipelineDefinition, config: Mapping[str, Any]
) -> tuple[dict[str, str], Document]:
    """Return what a selective execution takes from its source: parameters, and members of its state.

    A selective execution runs some steps of its pipeline, on what an earlier execution has made.
    """
    selected = {one["StepName"] for one in config["SelectedSteps"]}
    needed = definition.dependencies(selected) - selected
    arn = config.get("SourcePipelineExecutionArn")
    source = None if arn is None else context.store.by_arn(arn)
    if arn is not None and (source is None or (source.kind, source.parent) != (KIND, pipeline.name)):
        raise ValidationException(f"{arn} is no execution of the pipeline {pipeline.name}.")
    if source is None and needed:
        raise ValidationException(
            f"SourcePipelineExecutionArn is missing: the selected steps need {', '.join(sorted(needed))}."
        )
    records = {} if source is None else source.state["steps"]
    lacking = sorted(name for name in needed if records.get(name, {}).get("status") != "Succeeded")
    if source is not None and lacking:
        raise ValidationException(
            f"The selected steps need {', '.join(lacking)}, which has not succeeded in {source.arn}. Select "
            "it, too, or name another execution."
        )
    steps = {} if source is None else {name: {**records[name], "selected": source.arn} for name in needed}
    left_out = [step.name for step in definition.steps if step.name not in needed | selected]
    return ({} if source is None else source.state["given"]), {"steps": steps, "left_out": left_out}


def _is_due(step: PipelineStep, records: dict[str, Document]) -> bool:
    """Whether all that a step waits for has succeeded, and its branch was taken."""
    return all(records.get(name, {}).get("status") == "Succeeded" for name in step.depends_on) and all(
        records[owner]["metadata"]["Condition"]["Outcome"] == str(truth) for owner, truth in step.branches
    )


def _failing(records: dict[str, Document]) -> str | None:
    """Return the message of a Fail step that was reached."""
    reached = (record.get("metadata", {}).get("Fail") for record in records.values())
    return next((str(fail["ErrorMessage"]) for fail in reached if fail is not None), None)


def _outcome(
    resource: Resource, definition: PipelineDefinition, records: dict[str, Document], *, is_ending: bool
) -> tuple[str, str | None]:
    """Return the execution's status, and its reason if it has failed."""
    if any(record["status"] in RUNNING for record in records.values()):
        return resource.status, None
    if not is_ending and any(
        step.name not in records and _is_due(step, records) for step in definition.steps
    ):
        return resource.status, None
    message = _failing(records)
    if message is not None:
        return "Failed", message
    if resource.status == "Stopping":
        return "Stopped", None
    has_failed = any(record["status"] != "Succeeded" for record in records.values())
    return ("Failed", STEP_FAILURE) if has_failed else ("Succeeded", None)
