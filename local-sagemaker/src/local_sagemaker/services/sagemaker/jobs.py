"""What training, processing and transform jobs have in common: how they are queued and stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from local_sagemaker.domain.lifecycle import State
from local_sagemaker.engine.jobs import channels, jobs
from local_sagemaker.engine.jobs.jobs import JobKind
from local_sagemaker.engine.jobs.pool import TERMINAL
from local_sagemaker.errors import ResourceInUse, ResourceLimitExceeded, ValidationException
from local_sagemaker.services import owners
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker import experiments
from local_sagemaker.services.sagemaker.resources import ResourceType

#: instances of one job
INSTANCES = 20


@dataclass(frozen=True, kw_only=True)
class JobType(ResourceType):
    """The jobs of one kind."""

    job: JobKind

    @classmethod
    def of(cls, job: JobKind, sort_order: str) -> JobType:
        """Return the type of a kind's jobs; a missing job is a ValidationException."""
        words = job.kind.replace("-", " ")
        return cls(
            noun=job.noun,
            kind=job.kind,
            job=job,
            order=("CreationTime", sort_order),
            missing=f"Requested resource not found. Could not find the {words} {{name}}.",
            taken="Job name must be unique within an AWS account and region, and a job with this name "
            "already exists ({arn})",
            taken_error=ResourceInUse,
        )

    def submit(self, context: Context, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a new job and queue it; return the answer, its ARN."""
        state, owner = State(), owners.current()
        queued = self.new(context, parameters[f"{self.noun}Name"], parameters, status=jobs.status(state))
        document = self.job.describe(queued.document, state, queued.created)
        resource = replace(queued, document=document, state={**asdict(state), "owner": owner})
        with context.store.together():
            self.keep(context, resource, parameters)
            experiments.record_job(context, self.noun, resource)
        context.jobs.submit(self.kind, resource.name, owner)
        # it may have outputs to be put while it runs
        context.workflows.wake()
        return {f"{self.noun}Arn": resource.arn}

    def serve_stop(self, summary: str) -> None:
        """Register the Stop operation."""

        def stop(context: Context, parameters: dict[str, Any]) -> None:
            resource, words = self.named(context, parameters), self.kind.replace("-", " ")
            if resource.status in TERMINAL:
                raise ValidationException(
                    f"The request was rejected because the {words} is in status "
                    f"{resource.status}: it has already reached a terminal state."
                )
            context.jobs.request_stop(self.kind, resource.name)

        operation("sagemaker", f"Stop{self.noun}", summary=summary)(stop)


def check_path(owner: str, path: str | None, base: str) -> None:
    """Refuse a LocalPath that is not below a folder of the container's."""
    if path is None or not path.startswith(base) or not channels.fits_path(path):
        raise ValidationException(f"{owner}: LocalPath {path!r} must be a path below {base}.")


def refuse_many(count: int) -> None:
    """Refuse jobs of more instances than one machine is good for."""
    if not 1 <= count <= INSTANCES:
        raise ResourceLimitExceeded(
            f"InstanceCount={count} is not possible here: every instance is a process on this machine. Give "
            f"1 to {INSTANCES}."
        )
