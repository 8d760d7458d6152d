"""What the store keeps of an endpoint, and how it changes when a rollout has ended."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import replace

from local_sagemaker.domain.endpoint_states import EndpointEvent, transition
from local_sagemaker.engine.endpoints.replica_set import Plan
from local_sagemaker.storage.store import Document, Resource

KIND = "endpoint"
#: SageMaker's limit of a FailureReason, in characters
REASON_LIMIT = 1024


def changed(resource: Resource, status: str, document: Document, state: Document) -> Resource:
    """The resource with a new status, modified now."""
    return replace(resource, status=status, modified=time.time(), document=document, state=state)


def settled(resource: Resource, event: EndpointEvent, reason: str = "") -> Resource:
    """The resource after a rollout that ended with `event`, and failed for `reason` if there is one."""
    taken = transition(resource.status, event)
    state = {**resource.state, "rollout": None, "deployment": None}
    document = {key: value for key, value in resource.document.items() if key != "FailureReason"}
    if taken.switches:
        state["serving"] = resource.state["rollout"]
        document["EndpointConfigName"] = state["serving"]["config_name"]
    if reason:
        document["FailureReason"] = _explained(taken.status, reason)
    return changed(resource, taken.status, document, state)


def to_json(plan: Plan) -> Document:
    """A plan as the store keeps it."""
    return dataclasses.asdict(plan)


def _explained(status: str, reason: str) -> str:
    if status == "InService":
        reason = (
            f"The update failed and was rolled back; the endpoint serves its former configuration. {reason}"
        )
    return reason[:REASON_LIMIT]
