"""Carries out what the lifecycle of jobs asks for.

A few jobs run at a time, each watched by one thread; the others wait in the order of their creation. Every
state is in the store before its instructions are carried out, every instruction may be carried out twice,
and the processes outlive this one: so a service that is killed at any instant and started again goes on
where it was.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from include.local_sagemaker import lifecycle, storage
from include.local_sagemaker.context import Context
from include.local_sagemaker.lifecycle import Instruction, Phase, State, Stop
from include.local_sagemaker.runner import failures, jobs
from include.local_sagemaker.runner.failures import JobError
from include.local_sagemaker.runner.image import Images, UnknownImageError
from include.local_sagemaker.runner.jobs import Job, JobKind
from include.local_sagemaker.runner.process import LaunchError, Process, adopt, start
from include.local_sagemaker.runner.processing import ProcessingJobs
from include.local_sagemaker.runner.training import TrainingJobs
from include.local_sagemaker.runner.transform_jobs import TransformJobs
from include.local_sagemaker.store import Query, Resource, Store

log = logging.getLogger(__name__)

TRAINING, PROCESSING, TRANSFORM = TrainingJobs(), ProcessingJobs(), TransformJobs()
KINDS: dict[str, JobKind] = {kind.kind: kind for kind in (TRAINING, PROCESSING, TRANSFORM)}
TERMINAL = {"Completed", "Failed", "Stopped"}
#: how often a change of a job's state is tried again where the disk refuses it
RETRY_S = 1.0
#: how long `close` waits for threads that are in the middle of a step
CLOSE_TIMEOUT_S = 10.0


@dataclass(eq=False)
class Watch:
    """One job that is being carried."""

    kind: JobKind
    name: str
    inbox: deque[Instruction] = field(default_factory=deque)
    #: held from a change of the state until its instructions are in the inbox, which keeps their order
    lock: threading.Lock = field(default_factory=threading.Lock)
    process: Process | None = None
    #: on the monotonic clock
    kill_at: float | None = None
    #: written to when the inbox has something new
    pipe: tuple[int, int] | None = None

    def wake(self) -> None:
        """Let the thread look at its inbox."""
        if self.pipe is not None:
            with suppress(OSError):
                os.write(self.pipe[1], b".")


class Supervisor:
    """The jobs of one service."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store: Store = context.store
        self._images = Images(context.images)
        self._lock = threading.Lock()
        self._waiting: deque[Watch] = deque()
        self._watched: dict[tuple[str, str], Watch] = {}
        self._threads: dict[Watch, threading.Thread] = {}
        self._is_closing = False
        self._listeners: list[Callable[[], None]] = []

    def on_end(self, listener: Callable[[], None]) -> None:
        """Have `listener` called whenever a job has ended; it must return at once."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Take up every job that the store says has not ended."""
        found = [
            resource
            for kind in KINDS
            for status in ("InProgress", "Stopping")
            for resource in self._store.search(kind, Query(status=status))
        ]
        # before any job goes on: those try in a folder of their own what the machine allows
        self._sweep({(resource.kind, resource.name) for resource in found})
        for resource in sorted(found, key=lambda resource: resource.created):
            self._recover(KINDS[resource.kind], resource)
        self._admit()

    def submit(self, kind: str, name: str) -> None:
        """Queue a job whose resource is in the store."""
        watch = Watch(KINDS[kind], name)
        with self._lock:
            self._watched[kind, name] = watch
            self._waiting.append(watch)
        self._admit()

    def request_stop(self, kind: str, name: str) -> None:
        """Ask for a job's end; the answer does not wait for it."""
        watch = self._watched.get((kind, name))
        if watch is not None:
            self._apply(watch, lifecycle.StopRequested(at=time.time()), is_patient=False)
            watch.wake()

    def close(self) -> None:
        """Stop watching. Containers go on, and the next service finds them."""
        with self._lock:
            self._is_closing = True
            threads = list(self._threads.items())
        for watch, _ in threads:
            watch.wake()
        deadline = time.monotonic() + CLOSE_TIMEOUT_S
        for _, thread in threads:
            thread.join(max(0, deadline - time.monotonic()))

    def _recover(self, kind: JobKind, resource: Resource) -> None:
        watch = Watch(kind, resource.name)
        self._watched[kind.kind, resource.name] = watch
        if load(resource.state).phase is Phase.QUEUED:
            self._waiting.append(watch)
            return
        self._apply(watch, lifecycle.Restarted(at=time.time()))
        # beside the limit: its container may be running, and somebody has to watch it
        self._begin(watch)

    def _sweep(self, living: set[tuple[str, str]]) -> None:
        """Remove workspaces of jobs that have ended: a crash may have come before that."""
        for kind in KINDS:
            folder = self._context.root / "jobs" / kind
            for entry in folder.iterdir() if folder.is_dir() else []:
                if (kind, entry.name) not in living:
                    shutil.rmtree(entry, ignore_errors=True)

    def _admit(self) -> None:
        with self._lock:
            while self._waiting and len(self._threads) < self._context.job_limit and not self._is_closing:
                self._begin(self._waiting.popleft())

    def _begin(self, watch: Watch) -> None:
        thread = threading.Thread(target=self._run, args=(watch,), name=f"job-{watch.name}", daemon=True)
        self._threads[watch] = thread
        thread.start()

    def _run(self, watch: Watch) -> None:
        watch.pipe = os.pipe()
        try:
            self._apply(watch, lifecycle.Admitted(at=time.time()))
            while not self._is_closing and self._phase(watch) is not Phase.ENDED:
                self._advance(watch)
            if not self._is_closing:
                shutil.rmtree(self._job(watch).workspace, ignore_errors=True)
        except Exception:
            # nothing may end a job's thread unseen; the job is taken up again when the service restarts
            log.exception("The job %s cannot be carried on", watch.name)
        finally:
            pipe, watch.pipe = watch.pipe, None
            for descriptor in pipe:
                os.close(descriptor)
            with self._lock:
                self._threads.pop(watch, None)
                self._watched.pop((watch.kind.kind, watch.name), None)
            self._admit()
            for listener in self._listeners:
                listener()

    def _advance(self, watch: Watch) -> None:
        """Carry out the next instruction, or wait for the container."""
        event = self._carry(watch, watch.inbox.popleft()) if watch.inbox else self._wait(watch)
        if event is not None:
            self._apply(watch, *event)

    def _carry(self, watch: Watch, instruction: Instruction) -> tuple[lifecycle.Event, dict[str, Any]] | None:
        job, state = self._job(watch), self._state(watch)
        members: dict[str, Any] = {}
        try:
            match instruction:
                case Instruction.PREPARE:
                    watch.kind.prepare(job)
                    return lifecycle.Prepared(at=time.time()), members
                case Instruction.LAUNCH:
                    watch.process = adopt(job.workspace) or start(watch.kind.spec(job), self._context.forks)
                case Instruction.TERMINATE if watch.process is not None:
                    watch.process.terminate()
                    watch.kill_at = time.monotonic() + watch.kind.spec(job).stop_grace_s
                case Instruction.KILL if watch.process is not None:
                    watch.process.kill()
                case Instruction.UPLOAD:
                    members = watch.kind.upload(job, state)
                    return lifecycle.Uploaded(at=time.time()), members
        except (JobError, LaunchError, UnknownImageError) as error:
            prefix = "" if isinstance(error, JobError) else "ClientError: "
            return self._failed(f"{prefix}{error}"), members
        except Exception as error:
            log.exception("The step %s of the job %s failed", instruction.value, watch.name)
            return self._failed(f"InternalServerError: {type(error).__name__}: {error}"), members
        return None

    def _failed(self, reason: str) -> lifecycle.Event:
        return lifecycle.StepFailed(at=time.time(), reason=failures.shorten(reason))

    def _wait(self, watch: Watch) -> tuple[lifecycle.Event, dict[str, Any]] | None:
        """What happens next to the running container; None when the inbox has something new."""
        process, state, job = watch.process, self._state(watch), self._job(watch)
        if process is None or watch.pipe is None:
            raise RuntimeError(
                f"The job {watch.name} is {state.phase.value} and has neither process nor task."
            )
        limit_s = job.document.get("StoppingCondition", {}).get("MaxRuntimeInSeconds")
        timeout_s: float | None = None
        if state.stop is not None:
            timeout_s = None if watch.kill_at is None else max(0.0, watch.kill_at - time.monotonic())
        elif limit_s is not None and state.started is not None:
            timeout_s = max(0.0, state.started + limit_s - time.time())
        status = process.wait(timeout_s, watch.pipe[0])
        if status is not None:
            why = failures.container(status, watch.kind.said(job), job.log, is_lost=process.is_lost())
            return lifecycle.Exited(at=time.time(), status=status, reason=why), {}
        if watch.inbox or self._is_closing:
            return None
        if state.stop is None and limit_s is not None and time.time() >= (state.started or 0) + limit_s:
            return lifecycle.RuntimeExceeded(at=time.time()), {}
        if watch.kill_at is not None and time.monotonic() >= watch.kill_at:
            watch.kill_at = None
            return lifecycle.GraceExpired(at=time.time()), {}
        return None

    def _apply(
        self,
        watch: Watch,
        event: lifecycle.Event,
        members: dict[str, Any] | None = None,
        *,
        is_patient: bool = True,
    ) -> None:
        """Change the job's state durably, and queue the instructions that come with it."""
        instructions: tuple[Instruction, ...] = ()

        def change(resource: Resource) -> Resource:
            nonlocal instructions
            state, instructions = lifecycle.step(load(resource.state), event)
            document = watch.kind.describe({**resource.document, **(members or {})}, state, event.at)
            return replace(
                resource,
                status=jobs.status(state),
                document={name: value for name, value in document.items() if value is not None},
                state=dump(state),
                modified=event.at,
            )

        while True:
            with watch.lock:
                if self._kept(watch, change, is_patient=is_patient):
                    watch.inbox.extend(instructions)
                    return
            time.sleep(RETRY_S)

    def _kept(self, watch: Watch, change: Callable[[Resource], Resource], *, is_patient: bool) -> bool:
        """Put a change into the store; False if the disk refuses it and that is to be waited out."""
        try:
            self._store.change(watch.kind.kind, watch.name, change)
        except sqlite3.Error as error:
            told = storage.explained(error, self._context.root)
            if told is None or self._is_closing or not is_patient:
                raise
            log.warning("The job %s waits for the disk: %s", watch.name, told)
            return False
        return True

    def _resource(self, watch: Watch) -> Resource:
        resource = self._store.get(watch.kind.kind, watch.name)
        if resource is None:
            raise LookupError(f"The {watch.kind.kind} {watch.name} is no longer in the store.")
        return resource

    def _job(self, watch: Watch) -> Job:
        return jobs.find(self._context, self._images, watch.kind, self._resource(watch))

    def _state(self, watch: Watch) -> State:
        return load(self._resource(watch).state)

    def _phase(self, watch: Watch) -> Phase:
        return self._state(watch).phase


def dump(state: State) -> dict[str, Any]:
    """The lifecycle's state as the store keeps it."""
    return asdict(state)


def load(document: dict[str, Any]) -> State:
    """What `dump` made."""
    found = dict(document)
    for name, kind in (("phase", Phase), ("stop", Stop), ("outcome", lifecycle.Outcome)):
        if found.get(name) is not None:
            found[name] = kind(found[name])
    return State(**found)
