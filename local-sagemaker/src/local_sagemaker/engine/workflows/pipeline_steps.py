"""The steps of a pipeline execution: begin them, see what has become of them, stop them.

An execution keeps a record of each step that was begun. A record has `status`, `start`, `attempt` and
`metadata`, and where they apply: `end`, `reason`, `key` (its cache key), `source` and `selected` (the
execution whose result it is), `retries` (how often each retry policy was used) and `again_at` (when it is
tried again; until then it counts as executing).
"""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from dataclasses import dataclass, replace

from local_sagemaker.base import Service
from local_sagemaker.domain.pipelines import expressions, step_policies
from local_sagemaker.domain.pipelines.definitions import PipelineStep
from local_sagemaker.domain.pipelines.expressions import ExpressionScope
from local_sagemaker.engine.workflows.loop import Operations
from local_sagemaker.errors import AwsError, ResourceInUse, ValidationException
from local_sagemaker.storage.documents import Document
from local_sagemaker.storage.store import MissingError, Resource

RUNNING = ("Starting", "Executing", "Stopping")
#: of a reason, in characters
REASON = 1024
#: a job's name has at most so many characters, a tuning job's name fewer
NAME, TUNING_NAME, TOKEN = 63, 32, 36
#: a job's status and what it is for a step; a job that somebody stopped has not done its step's work
STATUSES = {"Completed": "Succeeded", "Failed": "Failed", "Stopped": "Stopped"}
#: types of steps whose jobs become components of the execution's trial
IN_TRIAL = ("Processing", "Training", "Transform")
CACHE_KIND = "pipeline-cache"


@dataclass(frozen=True)
class StepType:
    """One type of steps."""

    #: the operations' name of the resource: "TrainingJob" has CreateTrainingJob, TrainingJobName
    noun: str
    #: kind in the store
    kind: str
    #: member of a step's Metadata
    metadata: str
    #: whether it goes on after its creation, and can be stopped
    is_job: bool = True


TYPES = {
    "Processing": StepType("ProcessingJob", "processing-job", "ProcessingJob"),
    "Training": StepType("TrainingJob", "training-job", "TrainingJob"),
    "Tuning": StepType("HyperParameterTuningJob", "hyper-parameter-tuning-job", "TuningJob"),
    "Transform": StepType("TransformJob", "transform-job", "TransformJob"),
    "Model": StepType("Model", "model", "Model", is_job=False),
    "RegisterModel": StepType("ModelPackage", "model-package", "RegisterModel", is_job=False),
}


def name_of(execution: Resource, step: PipelineStep, attempt: int) -> str:
    """Return the name of a step's resource; it never changes."""
    digest = hashlib.sha256(f"{execution.arn} {step.name} {attempt}".encode()).hexdigest()[:10]
    run = execution.name.rpartition("/")[2]
    plain = "".join(letter if letter.isalnum() else "-" for letter in step.name).strip("-")
    if step.type == "Tuning":
        return f"{run}-{plain}"[: TUNING_NAME - len(digest) - 1].rstrip("-") + f"-{digest}"
    return f"pipelines-{run}-{plain}"[: NAME - len(digest) - 1].rstrip("-") + f"-{digest}"


class StepRunner:
    """Carries out the steps of pipeline executions through SageMaker's operations."""

    def __init__(self, service: Service, operations: Operations) -> None:
        self._service, self._operations = service, operations

    def begin(
        self, execution: Resource, step: PipelineStep, scope: ExpressionScope, last: Document | None
    ) -> Document:
        """Begin a step and return its record; a condition has ended by then.

        :param last: its record, when a retry policy tries it again.
        """
        now = time.time()
        tried = execution.state.get("tried", {}).get(step.name, 0) if last is None else last["attempt"]
        record: Document = {"start": now, **(last or {}), "status": "Executing", "attempt": tried + 1}
        record.pop("again_at", None)
        try:
            match step.type:
                case "Condition":
                    outcome = all(expressions.holds(one, scope) for one in step.arguments["Conditions"])
                    return record | _ended(now, "Succeeded", {"Condition": {"Outcome": str(outcome)}})
                case "Fail":
                    message = str(expressions.resolve(step.arguments.get("ErrorMessage", ""), scope))
                    return record | _failed(now, message, {"Fail": {"ErrorMessage": message}})
            own = {f"{TYPES[step.type].noun}Name": name_of(execution, step, record["attempt"])}
            scope = replace(scope, execution={**scope.execution, **own})
            arguments = expressions.resolve(dict(step.arguments), scope)
            return record | self._make(execution, step, arguments, record["attempt"])
        except AwsError as error:
            fault = step_policies.fault_of_error(error.code, error.status)
            again = step_policies.schedule_retry(step.retry_policies, record, fault, now)
            return record | (again or _failed(now, f"ClientError: {error}"))
        except expressions.ExpressionError as error:
            return record | _failed(now, f"ClientError: {error}")

    def refresh(self, execution: Resource, step: PipelineStep, record: Document) -> None:
        """Update a record by what has become of the step's resource."""
        status, reason = self._status(step, record)
        now = time.time()
        is_stopping = record["status"] == "Stopping"
        if status == "Failed" and not is_stopping:
            fault = step_policies.fault_of_reason(reason)
            again = step_policies.schedule_retry(step.retry_policies, record, fault, now)
            if again is not None:
                record |= again
                return
        if status != "Executing" or not is_stopping:
            record["status"] = status
        if status not in RUNNING:
            record["end"] = now
            if reason and status != "Succeeded":
                record["reason"] = reason[:REASON]
        if status == "Succeeded" and "key" in record:
            self._keep_result(execution, step, record)

    def stop(self, step: PipelineStep, record: Document) -> None:
        """Ask for the end of a step that executes; end one that waits for its next try at once."""
        if record.pop("again_at", None) is not None:
            record |= {"status": "Stopped", "end": time.time()}
            return
        kind, resource = TYPES[step.type], self.resource_of(step, record)
        if kind.is_job and resource is not None:
            # it may have ended meanwhile
            with suppress(ValidationException):
                self._operations.call(f"Stop{kind.noun}", {f"{kind.noun}Name": resource.name})
        record["status"] = "Stopping"

    def resource_of(self, step: PipelineStep, record: Document) -> Resource | None:
        """Return the resource that a step has made."""
        kind = TYPES.get(step.type)
        arn = record.get("metadata", {}).get(kind.metadata, {}).get("Arn") if kind else None
        return None if arn is None else self._service.store.by_arn(arn)

    def _make(self, execution: Resource, step: PipelineStep, arguments: Document, attempt: int) -> Document:
        """Create a step's resource, or take what an earlier execution has made of the same arguments."""
        key, now = step_policies.cache_key(step.type, arguments), time.time()
        if key is not None and step.cache.is_enabled:
            cached = self._service.store.get(CACHE_KIND, _cache_name(execution, step, key))
            kept = {} if cached is None else cached.state
            is_old = step.cache.expire_s is not None and now - kept.get("end", now) > step.cache.expire_s
            if not is_old and self.resource_of(step, kept) is not None:
                return _ended(now, "Succeeded", kept["metadata"]) | {"source": kept["execution"]}
        name = name_of(execution, step, attempt)
        made: Document = {"metadata": self._create(execution, step, name, arguments)}
        return made if key is None else made | {"key": key}

    def _keep_result(self, execution: Resource, step: PipelineStep, record: Document) -> None:
        """Keep what a step came to, in the place of what it came to before."""
        kept = {"execution": execution.arn, "metadata": record["metadata"], "end": record["end"]}
        name, now, store = _cache_name(execution, step, record["key"]), record["end"], self._service.store
        try:
            store.change(CACHE_KIND, name, lambda entry: replace(entry, state=kept, modified=now))
        except MissingError:
            parent = execution.parent
            arn = self._service.arn("sagemaker", f"pipeline/{parent}/cache/{name.rpartition('/')[2]}")
            new = Resource(kind=CACHE_KIND, name=name, arn=arn, created=now, modified=now, document={})
            store.insert(replace(new, parent=parent, state=kept))

    def _create(self, execution: Resource, step: PipelineStep, name: str, arguments: Document) -> Document:
        """Create a step's resource unless it exists, and return the step's Metadata."""
        kind, store = TYPES[step.type], self._service.store
        operation = f"Create{kind.noun}"
        if step.type == "RegisterModel":
            group = arguments.get("ModelPackageGroupName")
            if group and ":" not in group and store.get("model-package-group", group) is None:
                with suppress(AwsError):
                    self._operations.call("CreateModelPackageGroup", {"ModelPackageGroupName": group})
            request = {**arguments, "ClientToken": name[-TOKEN:].lstrip("-")}
            answer = self._operations.call_with_json(operation, request, owner=execution.arn)
            return {kind.metadata: {"Arn": answer[f"{kind.noun}Arn"]}}
        with suppress(ResourceInUse):
            if store.get(kind.kind, name) is None:
                request = {**arguments, f"{kind.noun}Name": name}
                experiment = execution.state.get("experiment")
                if experiment and step.type in IN_TRIAL:
                    request["ExperimentConfig"] = {**(arguments.get("ExperimentConfig") or {}), **experiment}
                self._operations.call_with_json(operation, request, owner=execution.arn)
        resource = store.get(kind.kind, name)
        return {kind.metadata: {"Arn": "" if resource is None else resource.arn}}

    def _status(self, step: PipelineStep, record: Document) -> tuple[str, str | None]:
        """Return a step's status and its reason, by what has become of its resource."""
        if not TYPES[step.type].is_job:
            return "Succeeded", None
        resource = self.resource_of(step, record)
        if resource is None:
            return "Failed", "ClientError: its resource was deleted."
        status = STATUSES.get(resource.status, "Stopping" if resource.status == "Stopping" else "Executing")
        return status, resource.document.get("FailureReason")


def _failed(now: float, reason: str, metadata: Document | None = None) -> Document:
    return _ended(now, "Failed", metadata or {}) | {"reason": reason[:REASON]}


def _ended(now: float, status: str, metadata: Document) -> Document:
    return {"status": status, "end": now, "metadata": metadata}


def _cache_name(execution: Resource, step: PipelineStep, key: str) -> str:
    return f"{execution.parent}/{hashlib.sha256(f'{step.name} {key}'.encode()).hexdigest()}"
