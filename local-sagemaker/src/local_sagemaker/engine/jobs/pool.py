"""The pool of jobs: which run, which wait, and the thread of each one that runs.

A few jobs run at a time; the others wait in a fair queue (domain/fair_queue.py). Their processes outlive this
one: a service that is killed at any instant and started again goes on where it was (worker.py).
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from local_sagemaker.base import Service
from local_sagemaker.domain import lifecycle
from local_sagemaker.domain.fair_queue import FairQueue
from local_sagemaker.domain.lifecycle import Phase
from local_sagemaker.engine.jobs import jobs
from local_sagemaker.engine.jobs.container_jobs import ProcessingJobs, TrainingJobs
from local_sagemaker.engine.jobs.hosts import ContainerJobs
from local_sagemaker.engine.jobs.jobs import JobError, JobKind
from local_sagemaker.engine.jobs.transform_jobs import TransformJobs
from local_sagemaker.engine.jobs.worker import JobWorker, Watch
from local_sagemaker.engine.processes.forks import Forks
from local_sagemaker.engine.processes.image import Images
from local_sagemaker.storage.store import Query, Resource, Store

log = logging.getLogger(__name__)

TRAINING, PROCESSING, TRANSFORM = TrainingJobs(), ProcessingJobs(), TransformJobs()
KINDS: dict[str, JobKind] = {kind.kind: kind for kind in (TRAINING, PROCESSING, TRANSFORM)}
TERMINAL = {"Completed", "Failed", "Stopped"}
#: how long `close` waits for threads that are in the middle of a step
CLOSE_TIMEOUT_S = 10.0


class JobPool:
    """The jobs of one service."""

    def __init__(self, service: Service, forks: Forks | None = None) -> None:
        self._service = service
        self._store: Store = service.store
        self._closing = threading.Event()
        self._worker = JobWorker(service, forks, self._closing)
        self._lock = threading.Lock()
        self._queue: FairQueue[Watch] = FairQueue()
        self._watched: dict[tuple[str, str], Watch] = {}
        self._threads: dict[Watch, threading.Thread] = {}
        self._listeners: list[Callable[[], None]] = []

    def on_end(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever a job has ended; it must return at once."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Take up every job that the store says has not ended."""
        unfinished = [
            resource
            for kind in KINDS
            for status in ("InProgress", "Stopping")
            for resource in self._store.search(kind, Query(status=status))
        ]
        # before any job goes on: those try in a folder of their own what the machine allows
        # what is left of jobs that have ended goes: a crash may have come before that
        living = {(resource.kind, resource.name) for resource in unfinished}
        for kind in KINDS:
            folder = self._service.root / "jobs" / kind
            for entry in folder.iterdir() if folder.is_dir() else []:
                if (kind, entry.name) not in living:
                    shutil.rmtree(entry, ignore_errors=True)
        for resource in sorted(unfinished, key=lambda resource: resource.created):
            self._recover(KINDS[resource.kind], resource)
        self._admit()

    def submit(self, kind: str, name: str, owner: str) -> None:
        """Queue a job whose resource is in the store."""
        watch = Watch(KINDS[kind], name, owner)
        with self._lock:
            self._watched[kind, name] = watch
            self._queue.add(owner, watch)
        self._admit()

    def request_stop(self, kind: str, name: str) -> None:
        """Ask for a job's end; return before it has ended."""
        watch = self._watched.get((kind, name))
        if watch is None:
            return
        self._worker.apply(watch, lifecycle.StopRequested(at=time.time()), is_patient=False)
        watch.wake()
        with self._lock:
            was_waiting = self._queue.leave(watch.owner, watch)
            if was_waiting:
                del self._watched[kind, name]
        if was_waiting:
            self._notify()

    def list_running(self, kind: str) -> list[str]:
        """Return the names of the jobs of a kind that hold a place, or are being taken up again."""
        with self._lock:
            return [watch.name for watch in self._threads if watch.kind.kind == kind]

    def close(self) -> None:
        """Stop watching. Containers go on, and the next service finds them."""
        with self._lock:
            self._closing.set()
            threads = list(self._threads.items())
        for watch, _ in threads:
            watch.wake()
        deadline = time.monotonic() + CLOSE_TIMEOUT_S
        for _, thread in threads:
            thread.join(max(0, deadline - time.monotonic()))

    def _recover(self, kind: JobKind, resource: Resource) -> None:
        watch = Watch(kind, resource.name, resource.state.get("owner", ""))
        self._watched[kind.kind, resource.name] = watch
        if jobs.load(resource.state).phase is Phase.QUEUED:
            self._queue.add(watch.owner, watch)
            return
        # beside the limit: its container may be running, and somebody has to watch it
        with self._lock:
            self._queue.hold(watch.owner)
            self._begin(watch, lifecycle.Restarted(at=time.time()))

    def _admit(self) -> None:
        with self._lock:
            while self._queue.held < self._service.job_limit and not self._closing.is_set():
                taken = self._queue.take()
                if taken is None:
                    return
                self._begin(taken[1], lifecycle.Admitted(at=time.time()))

    def _begin(self, watch: Watch, event: lifecycle.JobEvent) -> None:
        # the event is kept by the thread: on a full disk that waits, and the service must start meanwhile
        thread = threading.Thread(
            target=self._run, args=(watch, event), name=f"job-{watch.name}", daemon=True
        )
        self._threads[watch] = thread
        thread.start()

    def _run(self, watch: Watch, event: lifecycle.JobEvent) -> None:
        watch.pipe = os.pipe()
        try:
            self._worker.apply(watch, event)
            while not self._closing.is_set() and self._worker.state(watch).phase is not Phase.ENDED:
                self._worker.advance(watch)
            if not self._closing.is_set():
                shutil.rmtree(self._worker.job(watch).workspace, ignore_errors=True)
        except Exception:
            # nothing may end a job's thread unseen; the job is taken up again when the service restarts
            log.exception("The job %s cannot go on", watch.name)
        finally:
            pipe, watch.pipe = watch.pipe, None
            for descriptor in pipe:
                os.close(descriptor)
            with self._lock:
                self._threads.pop(watch, None)
                self._watched.pop((watch.kind.kind, watch.name), None)
                self._queue.give_back(watch.owner)
            self._admit()
            self._notify()

    def _notify(self) -> None:
        for listener in self._listeners:
            listener()


class LiveOutputs:
    """What running jobs of one kind put into S3, as the workflow loop looks at it.

    Training jobs put checkpoints, processing jobs the outputs with S3UploadMode Continuous.
    """

    def __init__(self, service: Service, pool: JobPool, jobs_kind: ContainerJobs) -> None:
        self._service, self._pool, self._jobs_kind = service, pool, jobs_kind
        self.kind = jobs_kind.kind

    def list_active(self) -> list[Resource]:
        """Return the jobs that run; those that wait, which may be thousands, have no outputs yet."""
        resources = (self._service.store.get(self.kind, name) for name in self._pool.list_running(self.kind))
        return [resource for resource in resources if resource is not None]

    def advance(self, resource: Resource) -> bool:
        """Upload what is new; the job itself never changes."""
        if jobs.load(resource.state).phase is Phase.RUNNING:
            job = jobs.record_of(self._service, Images(()), self._jobs_kind, resource)
            # the workspace may go while it is read; what cannot be put now is the job's failure at its end
            with suppress(FileNotFoundError, JobError):
                self._jobs_kind.put_live(job)
        return False

    def fail(self, resource: Resource, reason: str) -> None:
        """Log the failure: the job itself goes on."""
        log.warning("The outputs of the %s %s are late: %s", self.kind, resource.name, reason)
