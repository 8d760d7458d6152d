"""What every handler is given: where the service keeps its things, and the parts that do the work."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local_sagemaker.auth.credentials import Credentials
    from local_sagemaker.engine.endpoints.hosting import Hosting
    from local_sagemaker.engine.jobs.supervisor import Supervisor
    from local_sagemaker.engine.notebooks.notebooks import Notebooks
    from local_sagemaker.engine.processes.forks import Forks
    from local_sagemaker.engine.workflows.loop import Conductor
    from local_sagemaker.storage.objects.objects import ObjectStore
    from local_sagemaker.storage.store import Store

ACCOUNT = "000000000000"
REGION = "us-east-1"
#: in the place of a part while service.py still puts the parts together
UNSET: Any = None


@dataclass(frozen=True, kw_only=True)
class Context:
    """The service as its handlers see it, made once by service.py and passed down whole."""

    #: directory of everything the service keeps
    root: Path
    #: base of this service's own URL, such as `http://127.0.0.1:4566`
    url: str
    #: account number in every ARN
    account: str = ACCOUNT
    #: region in every ARN
    region: str = REGION
    #: the `image.toml` files that map image URIs to environments
    images: tuple[Path, ...] = ()
    #: folder of what new notebook instances are given; None: nothing
    samples: Path | None = None
    #: how many jobs run at the same time; the others wait
    job_limit: int = 2
    #: how long a serverless container may have nothing to do before it is stopped, in seconds
    serverless_idle_s: float = 300.0
    #: whose signatures count; None: requests need none
    credentials: Credentials | None = field(default=None, repr=False)
    #: the objects of S3
    objects: ObjectStore
    #: all resources of SageMaker
    store: Store
    #: what forks processes whose imports are done already
    forks: Forks | None = field(default=None, repr=False)
    #: what starts, watches and stops jobs
    supervisor: Supervisor = field(default=UNSET, repr=False)
    #: what carries on tuning jobs and pipelines
    conductor: Conductor = field(default=UNSET, repr=False)
    #: what starts, watches and stops endpoints
    hosting: Hosting = field(default=UNSET, repr=False)
    #: what starts, watches and stops notebook instances
    notebooks: Notebooks = field(default=UNSET, repr=False)

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of this account and region: `arn("sagemaker", "model/m")`."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"
