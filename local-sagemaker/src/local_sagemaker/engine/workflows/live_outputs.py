"""What running jobs put into S3 as they go: checkpoints, and outputs with S3UploadMode Continuous."""

from __future__ import annotations

import logging
from contextlib import suppress

from local_sagemaker.context import Context
from local_sagemaker.domain.lifecycle import Phase
from local_sagemaker.engine.jobs import checkpoints, jobs, processing
from local_sagemaker.engine.jobs.failures import JobError
from local_sagemaker.engine.jobs.supervisor import PROCESSING, TRAINING
from local_sagemaker.engine.processes.image import Images
from local_sagemaker.storage.store import Resource

log = logging.getLogger(__name__)


class LiveOutputs:
    """The running jobs of one kind, as the conductor looks at them."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def under_way(self, context: Context) -> list[Resource]:
        """Jobs that are being carried; those that wait, which may be thousands, have nothing to be put."""
        names = context.supervisor.carried(self.kind)
        found = (context.store.get(self.kind, name) for name in names)
        return [resource for resource in found if resource is not None]

    def advance(self, context: Context, resource: Resource) -> bool:
        """Put what is new; it never changes the job."""
        if jobs.load(resource.state).phase is not Phase.RUNNING:
            return False
        kind = TRAINING if self.kind == TRAINING.kind else PROCESSING
        job = jobs.find(context, Images(()), kind, resource)
        # the workspace may go while it is read; what cannot be put now is the job's failure at its end
        with suppress(FileNotFoundError, JobError):
            (checkpoints.sync if kind is TRAINING else processing.put_continuous)(job)
        return False

    def fail(self, context: Context, resource: Resource, reason: str) -> None:
        """Say so: the job itself goes on."""
        del context
        log.warning("The outputs of the %s %s are late: %s", self.kind, resource.name, reason)
