"""Pipeline executions: steps begun as soon as what they wait for has succeeded."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from include.local_sagemaker.api import owners
from include.local_sagemaker.api.sagemaker.listing import moment
from include.local_sagemaker.context import Context
from include.local_sagemaker.errors import AwsError, ValidationException
from include.local_sagemaker.store import Resource
from include.local_sagemaker.workflows import pipeline_steps, references
from include.local_sagemaker.workflows.definitions import Definition, Step
from include.local_sagemaker.workflows.references import Scope

KIND = "pipeline-execution"
RUNNING = ("Starting", "Executing", "Stopping")
STEP_FAILURE = "Step failure: One or multiple steps failed."
Document = dict[str, Any]


class PipelineExecutions:
    """What the conductor knows of pipeline executions."""

    kind = KIND
    active: tuple[str, ...] = ("Executing", "Stopping")

    def advance(self, context: Context, resource: Resource) -> bool:
        """Take in what has become of the steps, then begin, stop or end what is due."""
        definition = Definition.read(resource.state["definition"])
        records = {name: dict(record) for name, record in resource.state["steps"].items()}
        for step in definition.steps:
            if records.get(step.name, {}).get("status") in RUNNING:
                _refresh(context, step, records[step.name])
        is_ending = resource.status == "Stopping" or _failing(records) is not None
        if is_ending:
            for step in definition.steps:
                if records.get(step.name, {}).get("status") == "Executing":
                    pipeline_steps.stop(context, step, records[step.name])
                    records[step.name]["status"] = "Stopping"
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
        self, context: Context, resource: Resource, definition: Definition, records: dict[str, Document]
    ) -> None:
        limit = resource.document.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps")
        scope = _scope(context, resource, definition, records)
        for step in definition.steps:
            running = sum(record["status"] in RUNNING for record in records.values())
            if limit is not None and running >= limit:
                return
            if step.name not in records and _is_due(step, records):
                attempt = resource.state["attempt"]
                with owners.on_behalf_of(resource.arn):
                    records[step.name] = _begun(context, resource, step, scope, attempt)

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


def _begun(context: Context, resource: Resource, step: Step, scope: Scope, attempt: int) -> Document:
    """A step's record after its beginning, which for a condition is its end as well."""
    now = time.time()
    record: Document = {"status": "Executing", "start": now, "attempt": attempt}
    try:
        match step.type:
            case "Condition":
                outcome = all(references.holds(one, scope) for one in step.arguments["Conditions"])
                return record | _ended(now, "Succeeded", {"Condition": {"Outcome": str(outcome)}})
            case "Fail":
                message = str(references.resolved(step.arguments.get("ErrorMessage", ""), scope))
                ended = _ended(now, "Failed", {"Fail": {"ErrorMessage": message}})
                return record | ended | {"reason": message}
        name = pipeline_steps.name_of(resource, step, attempt)
        arguments = references.resolved(dict(step.arguments), scope)
        return record | {"metadata": pipeline_steps.begin(context, step, name, arguments)}
    except (references.ExpressionError, AwsError) as error:
        return record | _ended(now, "Failed", {}) | {"reason": f"ClientError: {error}"[:1024]}


def _ended(now: float, status: str, metadata: Document) -> Document:
    return {"status": status, "end": now, "metadata": metadata}


def _refresh(context: Context, step: Step, record: Document) -> None:
    status, reason = pipeline_steps.look(context, step, record)
    if status != "Executing" or record["status"] != "Stopping":
        record["status"] = status
    if status not in RUNNING:
        record["end"] = time.time()
        if reason and status != "Succeeded":
            record["reason"] = reason[:1024]


def _is_due(step: Step, records: dict[str, Document]) -> bool:
    """Whether all that a step waits for has succeeded, and its branch was taken."""
    return all(records.get(name, {}).get("status") == "Succeeded" for name in step.waits_for) and all(
        records[owner]["metadata"]["Condition"]["Outcome"] == str(truth) for owner, truth in step.branches
    )


def _failing(records: dict[str, Document]) -> str | None:
    """The message of a Fail step that was reached."""
    for record in records.values():
        if "Fail" in record.get("metadata", {}):
            return str(record["metadata"]["Fail"]["ErrorMessage"])
    return None


def _outcome(
    resource: Resource, definition: Definition, records: dict[str, Document], *, is_ending: bool
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


def _scope(
    context: Context, resource: Resource, definition: Definition, records: dict[str, Document]
) -> Scope:
    """What expressions of an execution may refer to."""
    by_name = {step.name: step for step in definition.steps}
    described: dict[str, Any] = {}
    for name, record in records.items():
        found = pipeline_steps.resource_of(context, by_name[name], record)
        outcome = record.get("metadata", {}).get("Condition")
        described[name] = outcome or (found.document if found is not None else {})
    pipeline = resource.parent
    execution = {
        "PipelineName": pipeline,
        "PipelineArn": context.arn("sagemaker", f"pipeline/{pipeline}"),
        "PipelineExecutionId": resource.name.rpartition("/")[2],
        "PipelineExecutionArn": resource.arn,
        "StartDateTime": moment(resource.created).isoformat(),
        "CurrentDateTime": moment(time.time()).isoformat(),
    }

    def read(step: str, name: str) -> str:
        return _property_file(context, by_name[step], described[step], name)

    return Scope(resource.state["parameters"], described, execution, read)


def _property_file(context: Context, step: Step, described: Document, name: str) -> str:
    """The text of a property file of a processing step."""
    files = {one["PropertyFileName"]: one for one in step.given.get("PropertyFiles", [])}
    if name not in files:
        raise ValidationException(f"The step {step.name} has no property file {name}.")
    wanted = files[name]
    outputs = described.get("ProcessingOutputConfig", {}).get("Outputs", [])
    for output in outputs:
        if output["OutputName"] == wanted["OutputName"]:
            uri = f"{output['S3Output']['S3Uri'].rstrip('/')}/{wanted['FilePath']}"
            bucket, _, key = uri.removeprefix("s3://").partition("/")
            return context.objects.path(bucket, key).read_text(encoding="utf-8")
    raise ValidationException(f"The step {step.name} has no output {wanted['OutputName']} for {name}.")
