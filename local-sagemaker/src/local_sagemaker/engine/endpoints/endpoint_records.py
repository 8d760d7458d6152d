"""What the store keeps of an endpoint: its plans, and its record after a rollout has ended."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from local_sagemaker.domain.endpoint_states import EndpointEvent, transition
from local_sagemaker.storage.store import Document, Resource

KIND = "endpoint"
#: SageMaker's limit of a FailureReason, in characters
REASON_LIMIT = 1024
#: time for a container to become healthy, unless its variant says otherwise, in seconds
HEALTH_TIMEOUT_S = 240.0
#: the same of a serverless variant: SageMaker's limit
SERVERLESS_START_TIMEOUT_S = 180.0


@dataclass(frozen=True)
class VariantPlan:
    """One planned variant: nothing more is read from the configuration or the model later."""

    name: str
    weight: float
    #: number of instances
    count: int
    #: container definition of the model: Image, ModelDataUrl, Environment, ...
    definition: Mapping[str, Any]
    model_name: str
    health_timeout_s: float = HEALTH_TIMEOUT_S
    #: ServerlessConfig; then `count` is 0
    serverless: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class EndpointPlan:
    """One generation of an endpoint, stored whole, so that it can be started again at any time."""

    #: number of the endpoint's rollout
    generation: int
    config_name: str
    variants: tuple[VariantPlan, ...]
    #: DataCaptureConfig of the configuration
    capture: Mapping[str, Any] | None = None
    #: AsyncInferenceConfig of the configuration
    asynchronous: Mapping[str, Any] | None = None

    @property
    def size(self) -> int:
        """Return the number of instances of the largest variant, at least 1."""
        return max(1, *(variant.count for variant in self.variants))

    @property
    def is_serverless(self) -> bool:
        """Return whether containers run only while there are invocations."""
        return any(variant.serverless is not None for variant in self.variants)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> EndpointPlan:
        """Return the plan that `to_json` has written."""
        variants = tuple(VariantPlan(**variant) for variant in document["variants"])
        configs = {name: document.get(name) for name in ("capture", "asynchronous")}
        return cls(document["generation"], document["config_name"], variants, **configs)

    def to_json(self) -> Document:
        """Return the plan as the store keeps it."""
        return dataclasses.asdict(self)


def with_status(resource: Resource, status: str, document: Document, state: Document) -> Resource:
    """Return the resource with a new status, document and state, modified now."""
    return replace(resource, status=status, modified=time.time(), document=document, state=state)


def after_rollout(resource: Resource, event: EndpointEvent, reason: str = "") -> Resource:
    """Return the resource after a rollout that ended with `event`, and with `reason` as its FailureReason."""
    step = transition(resource.status, event)
    state = {**resource.state, "rollout": None, "deployment": None}
    document = {key: value for key, value in resource.document.items() if key != "FailureReason"}
    if step.switches:
        state["serving"] = resource.state["rollout"]
        document["EndpointConfigName"] = state["serving"]["config_name"]
    if reason:
        document["FailureReason"] = _failure_reason(step.status, reason)
    return with_status(resource, step.status, document, state)


def _failure_reason(status: str, reason: str) -> str:
    if status == "InService":
        reason = (
            f"The update failed and was rolled back; the endpoint serves its previous configuration. {reason}"
        )
    return reason[:REASON_LIMIT]
