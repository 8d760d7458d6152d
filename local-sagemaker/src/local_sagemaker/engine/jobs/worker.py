"""The job worker: carries out the lifecycle's instructions for one job, on files and processes.

Every state is in the store before its instructions are carried out, and every instruction may be carried
out twice.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from local_sagemaker.base import Service
from local_sagemaker.domain import lifecycle
from local_sagemaker.domain.lifecycle import Instruction, State
from local_sagemaker.engine.jobs import jobs
from local_sagemaker.engine.jobs.jobs import JobError, JobKind, JobRecord
from local_sagemaker.engine.processes.forks import Forks
from local_sagemaker.engine.processes.image import Images, UnknownImageError
from local_sagemaker.engine.processes.process import LaunchError, Process, adopt, start
from local_sagemaker.storage import disk
from local_sagemaker.storage.store import Resource, Store

log = logging.getLogger(__name__)

#: how often a change of a job's state, or its upload, is tried again where the disk refuses it
RETRY_S = 1.0


@dataclass(eq=False)
class Watch:
    """One job that is under way."""

    kind: JobKind
    name: str
    #: whose place in the pool it takes, see domain/fair_queue.py
    owner: str = ""
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


class JobWorker:
    """Moves the jobs of one service from state to state; each job has one thread at a time."""

    def __init__(self, service: Service, forks: Forks | None, closing: threading.Event) -> None:
        """Know the service.

        :param forks: forks processes whose imports are done already.
        :param closing: set when nothing more is to be begun.
        """
        self._service, self._forks = service, forks
        self._store: Store = service.store
        self._images = Images(service.images)
        self._closing = closing

    def advance(self, watch: Watch) -> None:
        """Carry out the next instruction, or wait for the container."""
        event = self._carry(watch, watch.inbox.popleft()) if watch.inbox else self._wait(watch)
        if event is not None:
            self.apply(watch, *event)

    def _carry(
        self, watch: Watch, instruction: Instruction
    ) -> tuple[lifecycle.JobEvent, dict[str, Any]] | None:
        job, state = self.job(watch), self.state(watch)
        members: dict[str, Any] = {}
        try:
            match instruction:
                case Instruction.PREPARE:
                    watch.kind.prepare(job)
                    return lifecycle.WorkspacePrepared(at=time.time()), members
                case Instruction.LAUNCH:
                    watch.process = adopt(job.workspace) or start(watch.kind.spec(job), self._forks)
                case Instruction.TERMINATE if watch.process is not None:
                    watch.process.terminate()
                    watch.kill_at = time.monotonic() + watch.kind.spec(job).stop_grace_s
                case Instruction.KILL if watch.process is not None:
                    watch.process.kill()
                case Instruction.UPLOAD:
                    members = watch.kind.upload(job, state)
                    return lifecycle.Uploaded(at=time.time()), members
        except Exception as error:  # noqa: BLE001 (it is the job's failure, and logged)
            reason = self._reason(watch, instruction, error)
            if reason is not None:
                return lifecycle.StepFailed(at=time.time(), reason=jobs.shorten(reason)), members
        return None

    def _reason(self, watch: Watch, instruction: Instruction, error: Exception) -> str | None:
        """Return why a step failed; None if it is an upload that waits for the disk.

        Till then the outputs stay in the workspace, which alone holds them.
        """
        if isinstance(error, JobError):
            return str(error)
        if isinstance(error, LaunchError | UnknownImageError):
            return f"ClientError: {error}"
        if instruction is Instruction.UPLOAD and disk.is_curable(error):
            advice = disk.explained(error, self._service.root)
            log.warning("The upload of the job %s waits for the disk: %s", watch.name, advice)
            watch.inbox.appendleft(instruction)
            self._closing.wait(RETRY_S)
            return None
        log.error("The step %s of the job %s failed", instruction.value, watch.name, exc_info=error)
        return f"InternalServerError: {type(error).__name__}: {error}"

    def _wait(self, watch: Watch) -> tuple[lifecycle.JobEvent, dict[str, Any]] | None:
        """Return the container's next event; None when the inbox has something new."""
        process, state, job = watch.process, self.state(watch), self.job(watch)
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
            is_lost = process.is_lost()
            why = jobs.describe_exit(status, watch.kind.read_message(job), job.log, is_lost=is_lost)
            # the one failure of a container that is this service's fault, or the machine's
            limit = job.document.get("RetryStrategy", {}).get("MaximumRetryAttempts", 0)
            may_retry = is_lost and state.retries < limit
            return lifecycle.Exited(at=time.time(), status=status, reason=why, may_retry=may_retry), {}
        if watch.inbox or self._closing.is_set():
            return None
        if state.stop is None and limit_s is not None and time.time() >= (state.started or 0) + limit_s:
            return lifecycle.RuntimeExceeded(at=time.time()), {}
        if watch.kill_at is not None and time.monotonic() >= watch.kill_at:
            watch.kill_at = None
            return lifecycle.GraceExpired(at=time.time()), {}
        return None

    def apply(
        self,
        watch: Watch,
        event: lifecycle.JobEvent,
        members: dict[str, Any] | None = None,
        *,
        is_patient: bool = True,
    ) -> None:
        """Change the job's state durably, and queue the instructions that come with it."""
        instructions: tuple[Instruction, ...] = ()

        def change(resource: Resource) -> Resource:
            nonlocal instructions
            state, instructions = lifecycle.transition(jobs.load(resource.state), event)
            document = watch.kind.describe({**resource.document, **(members or {})}, state, event.at)
            return replace(
                resource,
                status=jobs.status(state),
                document={name: value for name, value in document.items() if value is not None},
                state={**resource.state, **asdict(state)},
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
            advice = disk.explained(error, self._service.root)
            if advice is None or self._closing.is_set() or not is_patient:
                raise
            log.warning("The job %s waits for the disk: %s", watch.name, advice)
            return False
        return True

    def _resource(self, watch: Watch) -> Resource:
        resource = self._store.get(watch.kind.kind, watch.name)
        if resource is None:
            raise LookupError(f"The {watch.kind.kind} {watch.name} is no longer in the store.")
        return resource

    def job(self, watch: Watch) -> JobRecord:
        """Return the job as its kind sees it."""
        return jobs.record_of(self._service, self._images, watch.kind, self._resource(watch))

    def state(self, watch: Watch) -> State:
        """Return the state of the job's lifecycle."""
        return jobs.load(self._resource(watch).state)
