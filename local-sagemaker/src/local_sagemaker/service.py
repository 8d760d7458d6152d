"""The service as a whole: its options, how its parts are put together, how it starts and stops."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path

from local_sagemaker import services
from local_sagemaker.auth.credentials import inside
from local_sagemaker.base import Credentials, Service
from local_sagemaker.engine.endpoints.hosting import Hosting
from local_sagemaker.engine.jobs.pool import PROCESSING, TRAINING, JobPool, LiveOutputs
from local_sagemaker.engine.notebooks.notebooks import Notebooks
from local_sagemaker.engine.processes.forks import Forks
from local_sagemaker.engine.processes.image import Images
from local_sagemaker.engine.workflows.loop import WorkflowLoop
from local_sagemaker.engine.workflows.pipelines import PipelineExecutions
from local_sagemaker.engine.workflows.trial_components import TrialComponents
from local_sagemaker.engine.workflows.tuning_jobs import TuningJobs
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import LocalOperations
from local_sagemaker.storage import disk
from local_sagemaker.storage.objects import files
from local_sagemaker.storage.objects.objects import ObjectStore
from local_sagemaker.storage.store import Store


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the command line."""

    #: directory of everything the service keeps
    root: Path
    host: str = "127.0.0.1"
    port: int = 4566
    #: files that describe images
    images: tuple[Path, ...] = ()
    #: folder of what new notebook instances are given
    notebooks: Path | None = None
    #: how many jobs run at the same time
    jobs: int = 2
    #: buckets that are there from the start
    buckets: tuple[str, ...] = ()
    #: how long a serverless container may have nothing to do before it is stopped, in seconds
    serverless_idle_s: float = 300.0
    #: secrets by access key id; empty: requests need no signature
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: delete the state instead of serving it, and do so without a question
    is_reset: bool = False
    is_confirmed: bool = False


class RootTakenError(Exception):
    """Another service works in the same directory."""


class RootUnusableError(Exception):
    """The directory cannot be read or written."""

    def __init__(self, root: Path, error: Exception) -> None:
        advice = disk.explained(error, root) or f"{root} cannot be used: {error}. Give another --root."
        super().__init__(f"Cannot start: {advice}")


@contextmanager
def lock_root(root: Path) -> Iterator[None]:
    """Hold the directory for this process; the operating system lets go of it, however the process ends."""
    path = root / "service.lock"
    with ExitStack() as ends:
        try:
            files.make_folder(root)
            file = ends.enter_context(path.open("a+"))
        except OSError as error:
            raise RootUnusableError(root, error) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise RootTakenError(
                f"{root} belongs to another local SageMaker (process {file.read().strip() or 'unknown'}). "
                "Stop that one, or give this one another --root."
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@dataclass(frozen=True)
class Parts:
    """The parts of one service that start and stop."""

    context: Context
    forks: Forks
    jobs: JobPool
    workflows: WorkflowLoop
    hosting: Hosting
    notebooks: Notebooks


def build(options: Options) -> Parts:
    """Put the parts together; nothing runs yet."""
    services.load()
    objects = ObjectStore(options.root / "s3")
    for bucket in options.buckets:
        if not objects.has_bucket(bucket):
            objects.create_bucket(bucket)
    service = Service(
        root=options.root,
        url=_url(options.host, options.port),
        credentials=Credentials(options.keys, inside(options.root)) if options.keys else None,
        images=options.images,
        samples=options.notebooks,
        job_limit=options.jobs,
        serverless_idle_s=options.serverless_idle_s,
        objects=objects,
        store=Store(options.root / "sagemaker.sqlite"),
    )
    forks = Forks(Images(service.images))
    jobs, workflows = JobPool(service, forks), WorkflowLoop(service.root)
    hosting, notebooks = Hosting(service, forks), Notebooks(service)
    base = {part.name: getattr(service, part.name) for part in fields(service)}
    context = Context(**base, jobs=jobs, workflows=workflows, hosting=hosting, notebooks=notebooks)
    operations = LocalOperations(context)
    workflows.add(
        PipelineExecutions(service, operations),
        TuningJobs(service, operations, jobs),
        TrialComponents(service),
        *(LiveOutputs(service, jobs, kind) for kind in (TRAINING, PROCESSING)),
    )
    jobs.on_end(workflows.wake)
    return Parts(context, forks, jobs, workflows, hosting, notebooks)


def _url(host: str, port: int) -> str:
    """Return where jobs on this machine reach the service: on the loopback if it listens everywhere."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (it is what is replaced)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def running(parts: Parts) -> AsyncIterator[None]:
    """Start the parts, and stop them in the reverse order."""
    async with AsyncExitStack() as ends:
        ends.callback(parts.context.store.close)
        ends.callback(parts.forks.close)
        await asyncio.to_thread(parts.jobs.start)
        ends.push_async_callback(asyncio.to_thread, parts.jobs.close)
        await asyncio.to_thread(parts.workflows.start)
        ends.push_async_callback(asyncio.to_thread, parts.workflows.close)
        await parts.hosting.start()
        ends.push_async_callback(parts.hosting.stop)
        await parts.notebooks.start()
        ends.push_async_callback(parts.notebooks.stop)
        yield
