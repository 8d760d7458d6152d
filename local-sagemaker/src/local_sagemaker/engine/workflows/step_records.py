"""What an execution keeps of a step that was begun: its status, its tries, and what it has made.

A record has `status`, `start`, `attempt` and `metadata`, and where they apply: `end`, `reason`, `key` (what
it is cached by), `source` and `selected` (the execution whose result it is), `retries` (how often each of
its policies was used) and `again_at` (when it is tried again; until then it counts as executing).
"""

from __future__ import annotations

import time
from typing import Any

from local_sagemaker.context import Context
from local_sagemaker.domain.pipelines import expressions, step_policies
from local_sagemaker.domain.pipelines.definitions import PipelineStep
from local_sagemaker.domain.pipelines.expressions import ExpressionScope
from local_sagemaker.engine.workflows import caching, pipeline_steps
from local_sagemaker.errors import AwsError
from local_sagemaker.storage.store import Resource

RUNNING = ("Starting", "Executing", "Stopping")
#: of a reason, in characters
REASON = 1024
Document = dict[str, Any]


def begun(
    context: Context, execution: Resource, step: PipelineStep, scope: ExpressionScope, last: Document | None
) -> Document:
    """A step's record after its beginning, which for a condition is its end as well.

    :param last: its record, when a policy has it tried again.
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
        arguments = expressions.resolve(dict(step.arguments), scope)
        return record | _made(context, execution, step, arguments, record["attempt"])
    except AwsError as error:
        again = step_policies.schedule_retry(
            step.retry_policies, record, step_policies.fault_of_error(error.code, error.status), now
        )
        return record | (again or _failed(now, f"ClientError: {error}"))
    except expressions.ExpressionError as error:
        return record | _failed(now, f"ClientError: {error}")


def refresh(context: Context, execution: Resource, step: PipelineStep, record: Document) -> None:
    """Take in what has become of a step's resource."""
    status, reason = pipeline_steps.look(context, step, record)
    now = time.time()
    is_stopping = record["status"] == "Stopping"
    if status == "Failed" and not is_stopping:
        again = step_policies.schedule_retry(
            step.retry_policies, record, step_policies.fault_of_reason(reason), now
        )
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
        caching.keep(context, execution, step.name, record)


def stop(context: Context, step: PipelineStep, record: Document) -> None:
    """Ask for the end of a step that executes; one that waits for its next try has it at once."""
    if record.pop("again_at", None) is not None:
        record |= {"status": "Stopped", "end": time.time()}
        return
    pipeline_steps.stop(context, step, record)
    record["status"] = "Stopping"


def _made(
    context: Context, execution: Resource, step: PipelineStep, arguments: Document, attempt: int
) -> Document:
    """Begin a step's resource, or find what an earlier execution has made of the same."""
    key, now = step_policies.cache_key(step.type, arguments), time.time()
    if key is not None and step.cache.is_enabled:
        found = caching.find(context, execution, step.name, key, expire_s=step.cache.expire_s, now=now)
        if found is not None and pipeline_steps.resource_of(context, step, found) is not None:
            return _ended(now, "Succeeded", found["metadata"]) | {"source": found["execution"]}
    name = pipeline_steps.name_of(execution, step, attempt)
    made: Document = {"metadata": pipeline_steps.begin(context, step, name, arguments)}
    return made if key is None else made | {"key": key}


def _failed(now: float, reason: str, metadata: Document | None = None) -> Document:
    return _ended(now, "Failed", metadata or {}) | {"reason": reason[:REASON]}


def _ended(now: float, status: str, metadata: Document) -> Document:
    return {"status": status, "end": now, "metadata": metadata}
