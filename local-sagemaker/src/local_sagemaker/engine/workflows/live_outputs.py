"""Live outputs: what running jobs put into S3, checkpoints and outputs with S3UploadMode Continuous."""

from __future__ import annotations

import logging
from contextlib import suppress

from local_sagemaker.base import Service
from local_sagemaker.domain.lifecycle import Phase
from local_sagemaker.engine.jobs import checkpoints, jobs, processing
from local_sagemaker.engine.jobs.failures import JobError
from local_sagemaker.engine.jobs.pool import PROCESSING, TRAINING, JobPool
from local_sagemaker.engine.processes.image import Images
from local_sagemaker.storage.store import Resource

log = logging.getLogger(__name__)


class LiveOutputs:
    """The running jobs of one kind, as the workflow loop looks at them."""

    def __init__(self, service: Service, pool: JobPool, kind: str) -> None:
        self._service, self._pool, self.kind = service, pool, kind

    def list_active(self) -> list[Resource]:
        """Return the jobs that run; those that wait, which may be thousands, have no outputs yet."""
        names = self._pool.list_running(self.kind)
        resources = (self._service.store.get(self.kind, name) for name in names)
        return [resource for resource in resources if resource is not None]

    def advance(self, resource: Resource) -> bool:
        """Upload what is new; the job itself never changes."""
        if jobs.load(resource.state).phase is not Phase.RUNNING:
            return False
        kind = TRAINING if self.kind == TRAINING.kind else PROCESSING
        job = jobs.find(self._service, Images(()), kind, resource)
        # the workspace may go while it is read; what cannot be put now is the job's failure at its end
        with suppress(FileNotFoundError, JobError):
            (checkpoints.sync if kind is TRAINING else processing.put_continuous)(job)
        return False

    def fail(self, resource: Resource, reason: str) -> None:
        """Log the failure: the job itself goes on."""
        log.warning("The outputs of the %s %s are late: %s", self.kind, resource.name, reason)
