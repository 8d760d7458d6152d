"""Pipeline executions: steps begun as soon as what they wait for has succeeded."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from local_sagemaker.context import Context
from local_sagemaker.domain.pipelines.definitions import PipelineDefinition, PipelineStep
from local_sagemaker.engine.workflows import scopes, step_records
from local_sagemaker.engine.workflows.loop import in_status
from local_sagemaker.engine.workflows.step_records import RUNNING
from local_sagemaker.services import owners
from local_sagemaker.services.sagemaker.listing import moment
from local_sagemaker.storage.store import Resource

KIND = "pipeline-execution"
STEP_FAILURE = "Step failure: One or multiple steps failed."
Document = dict[str, Any]


class PipelineExecutions:
    """What the conductor knows of pipeline executions."""

    kind = KIND

    def under_way(self, context: Context) -> list[Resource]:
        """Executions that have not ended."""
        return in_status(context, KIND, "Executing", "Stopping")

    def advance(self, context: Context, resource: Resource) -> bool:
        """Take in what has become of the steps, then begin, stop or end what is due."""
        definition = definition_of(resource)
        records = {name: dict(record) for name, record in resource.state["steps"].items()}
        for step in definition.steps:
            record = records.get(step.name, {})
            if record.get("status") in RUNNING and "again_at" not in record:
                step_records.refresh(context, resource, step, record)
        is_ending = resource.status == "Stopping" or _failing(records) is not None
        if is_ending:
            for step in definition.steps:
                if records.get(step.name, {}).get("status") == "Executing":
                    step_records.stop(context, step, records[step.name])
        else:
            self._begin(context, resource, definition, records)
        status, reason = _outcome(resource, definition, records, is_ending=is_ending)
        if (records, status) == (resource.state["steps"], resource.status):
            return False
        self._keep(context, resource, records, status, reason)
        return True

    def fail(self, context: Context, resource: Resource, reason: str) -> None:
        """End an execution that cannot go on."""
        self._keep(context, resource, resource.state["steps"], "Failed", reason[:1024])

    def _begin(
        self,
        context: Context,
        resource: Resource,
        definition: PipelineDefinition,
        records: dict[str, Document],
    ) -> None:
        limit = resource.document.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps")
        scope = scopes.of_execution(context, resource, definition, records)
        for step in definition.steps:
            last = records.get(step.name)
            running = sum(record["status"] in RUNNING for record in records.values())
            is_again = last is not None and last.get("again_at", float("inf")) <= time.time()
            is_new = last is None and (limit is None or running < limit) and _is_due(step, records)
            if is_again or is_new:
                with owners.on_behalf_of(resource.arn):
                    records[step.name] = step_records.begun(context, resource, step, scope, last)
                if records[step.name]["status"] == "Succeeded":  # the next one may refer to it
                    scope = scopes.of_execution(context, resource, definition, records)

    def _keep(
        self,
        context: Context,
        resource: Resource,
        records: dict[str, Document],
        status: str,
        reason: str | None,
    ) -> None:
        now = time.time()

        def change(found: Resource) -> Resource:
            # a stop that was asked for meanwhile stays asked for
            kept = "Stopping" if (found.status, status) == ("Stopping", "Executing") else status
            document = {**found.document, "PipelineExecutionStatus": kept, "LastModifiedTime": moment(now)}
            document |= {"FailureReason": reason} if reason else {}
            return replace(
                found, status=kept, document=document, state={**found.state, "steps": records}, modified=now
            )

        context.store.change(KIND, resource.name, change)


def definition_of(execution: Resource) -> PipelineDefinition:
    """The definition that an execution was begun with, without the steps that were not selected."""
    return PipelineDefinition.parse(execution.state["definition"]).without(
        execution.state.get("left_out", [])
    )


def _is_due(step: PipelineStep, records: dict[str, Document]) -> bool:
    """Whether all that a step waits for has succeeded, and its branch was taken."""
    return all(records.get(name, {}).get("status") == "Succeeded" for name in step.depends_on) and all(
        records[owner]["metadata"]["Condition"]["Outcome"] == str(truth) for owner, truth in step.branches
    )


def _failing(records: dict[str, Document]) -> str | None:
    """The message of a Fail step that was reached."""
    for record in records.values():
        if "Fail" in record.get("metadata", {}):
            return str(record["metadata"]["Fail"]["ErrorMessage"])
    return None


def _outcome(
    resource: Resource, definition: PipelineDefinition, records: dict[str, Document], *, is_ending: bool
) -> tuple[str, str | None]:
    """The execution's status, and its reason if it has failed."""
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
