"""What every handler is given: the base of the service, and what it may ask of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from local_sagemaker.base import Service
from local_sagemaker.engine.endpoints.async_requests import AsyncRequest
from local_sagemaker.engine.endpoints.fleet import EndpointPlan
from local_sagemaker.engine.endpoints.invoke import EndpointRoute
from local_sagemaker.engine.endpoints.metrics import Meters
from local_sagemaker.engine.endpoints.rollout import RolloutStage
from local_sagemaker.storage.store import Document


class Jobs(Protocol):
    """Starts, watches and stops training, processing and transform jobs."""

    def submit(self, kind: str, name: str, owner: str) -> None:
        """Queue a job whose resource is in the store."""

    def request_stop(self, kind: str, name: str) -> None:
        """Ask for a job's end; return before it has ended."""


class Workflows(Protocol):
    """Carries on tuning jobs, pipeline executions and the live outputs of jobs."""

    def wake(self) -> None:
        """Look at everything soon: something has changed."""


class AsyncQueues(Protocol):
    """Holds the asynchronous invocations that wait for an endpoint."""

    async def submit(self, request: AsyncRequest) -> bool:
        """Accept an invocation; return False if its endpoint is being deleted."""

    def unanswered(self, endpoint: str) -> int:
        """Return how many invocations of an endpoint have no answer yet."""


class Endpoints(Protocol):
    """Starts, updates and stops endpoints."""

    @property
    def routes(self) -> Mapping[str, EndpointRoute]:
        """The endpoints that take invocations, by name."""

    @property
    def meters(self) -> Meters:
        """The counters of invocations."""

    @property
    def queues(self) -> AsyncQueues:
        """The queues of asynchronous invocations."""

    def create(self, name: str, plan: EndpointPlan) -> None:
        """Begin the first rollout of an endpoint that is in the store as Creating."""

    def update(self, name: str, plan: EndpointPlan, deployment: Document) -> None:
        """Begin the rollout of another plan; the endpoint is in the store as Updating."""

    def rescale(self, name: str, plan: EndpointPlan) -> None:
        """Begin to change weights and counts; the endpoint is in the store as Updating."""

    def delete(self, name: str) -> None:
        """Begin to remove an endpoint that is in the store as Deleting."""

    def stage(self, name: str) -> RolloutStage:
        """Return how far the rollout of an endpoint is."""


class NotebookInstances(Protocol):
    """Starts, stops and removes notebook instances."""

    def run(self, name: str) -> None:
        """Begin to bring up an instance that is in the store as Pending."""

    def halt(self, name: str) -> None:
        """Begin to stop an instance that is in the store as Stopping."""

    def remove(self, name: str) -> None:
        """Begin to remove an instance that is in the store as Deleting."""


@dataclass(frozen=True, kw_only=True)
class Context(Service):
    """The service as its handlers see it."""

    jobs: Jobs = field(repr=False)
    workflows: Workflows = field(repr=False)
    hosting: Endpoints = field(repr=False)
    notebooks: NotebookInstances = field(repr=False)
