"""The life of a job: start it or attach to it, wait for its end, judge it by SageMaker's word, and stop it.

At most one job of a key runs at a time. A job's name follows from its key. If the name is free, the job is
started. If a running job has it, the caller attaches to that one. If a completed one has it, its output is
the result. After a failed or stopped one the next generation (`-g2`) is started.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import Any

from include.core.code import archive, archive_digest, archive_files
from include.core.cycle import Cycle
from include.core.documents.manifest import KeyRecord
from include.core.exceptions import JobTimedOut, OutputMissing
from include.core.objects import error_code
from include.core.places import Places
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.inputs import put_input_lists
from include.core.sagemaker.kinds import JobKind, judge_job
from include.core.sagemaker.requests import ApiRequest, JobSpec, StepInput
from include.core.settings import Settings

#: first pause between two looks at a job; a local one is often done in a second
FIRST_POLL_S = 0.1
#: by how much the pause grows each time, up to the setting
POLL_GROWTH = 1.5
#: tag of a job that names a task which waits for it: `flywheel:owner:<task>` = id of the attempt
OWNER_TAG = "flywheel:owner:"
#: value of an owner's tag after the owner went away; AddTags can overwrite, and needs no further permission
NOBODY = "-"


@dataclass(frozen=True)
class JobOwner:
    """Who waits for a job: one attempt of a task."""

    #: digest of the task's identity: the same for all its attempts
    task: str
    attempt: str


@dataclass(frozen=True, kw_only=True)
class AttachedJob:
    """The job a task waits for; JSON can hold all of it, for the time of a deferral."""

    job: str
    key: str
    uri: str
    interval: list[str]
    #: see `JobOwner`; empty: nobody that could go away
    attempt: str = ""
    task: str = ""
    #: whether the job had completed before this task came
    reused: bool = False
    #: seconds after which waiting is given up
    timeout_s: float | None = None
    #: seconds since 1970 at which that is
    deadline: float | None = None
    #: how far the job's log streams were read
    tokens: dict[str, str] = field(default_factory=dict)


#: raises OutputMissing if the output of a completed job is not, or no longer, there
OutputCheck = Callable[[AttachedJob, Mapping[str, Any]], object]


class JobRunner:
    """Runs jobs of one kind on behalf of one owner.

    :param sagemaker: clients of the account or service
    :param kind: kind of the jobs
    :param poll_interval_s: longest pause between two looks at a job
    :param owner: who waits; without one a job that is attached to is never stopped
    :param on_line: gets each line that a job logs; without it no log is read
    :param on_look: gets the last description of a running job before each further look
    :param log: gets what happens to the job
    """

    def __init__(
        self,
        sagemaker: SageMaker,
        kind: JobKind,
        *,
        poll_interval_s: float,
        owner: JobOwner | None = None,
        on_line: Callable[[str], None] | None = None,
        on_look: Callable[[Mapping[str, Any]], None] | None = None,
        log: Any = logging.getLogger(__name__),  # noqa: ANN401, B008 - a logger, or Airflow's own of a task
    ) -> None:
        self.sagemaker, self.kind, self.owner = sagemaker, kind, owner
        self._poll_interval_s, self._log = poll_interval_s, log
        self._on_line, self._on_look = on_line, on_look
        #: name of the job that this runner started, or tried to, last
        self.job: str | None = None

    # Start or attach

    def start(
        self,
        spec: JobSpec,
        request_of: Callable[[JobSpec], ApiRequest],
        *,
        check: OutputCheck | None = None,
        timeout_s: float | None = None,
    ) -> AttachedJob:
        """Start the job of `spec.key`, or attach to one that was started before.

        :param request_of: makes the request that starts the job
        :param check: decides whether a completed job's output is the result
        :param timeout_s: after which waiting is given up and the job stopped
        """
        owner = self.owner or JobOwner("", "")
        for generation in count(1):
            named = spec.generation(generation)
            self.job = named.name
            wanted = AttachedJob(
                job=named.name,
                key=named.key,
                uri=named.output_uri,
                interval=named.interval.iso,
                task=owner.task,
                attempt=owner.attempt,
                timeout_s=timeout_s,
                deadline=None if timeout_s is None else time.time() + timeout_s,
            )
            if attached := self._try(wanted, request_of(named), check):
                return attached
        raise AssertionError("unreachable: count() has no end")

    def _try(self, wanted: AttachedJob, request: ApiRequest, check: OutputCheck | None) -> AttachedJob | None:
        """Start this generation, or attach to it; return None if it is of no use."""
        if self.create(request):
            return wanted
        description = self.sagemaker.describe(self.kind, wanted.job)
        if self.kind.is_active(description) and self._join(wanted, description):
            return wanted
        if self.kind.is_ok(description) and self._is_reusable(wanted, description, check):
            return replace(wanted, reused=True)
        self._log.info("%s is %s: trying the next generation", wanted.job, self.kind.status(description))
        return None

    def create(self, request: ApiRequest) -> bool:
        """Start a job that belongs to the owner; return False if its name is taken."""
        tags = [_owner_tag(self.owner.task, self.owner.attempt)] if self.owner else []
        is_new = self.sagemaker.create(self.kind, {**request, **({"Tags": tags} if tags else {})})
        if is_new:
            self._log.info("Started %s %s", self.kind.name, request[self.kind.name_field])
        return is_new

    def _join(self, wanted: AttachedJob, description: Mapping[str, Any]) -> bool:
        """Wait for a job that runs already; one that is being stopped is of no use, but must end first."""
        if self.owner:
            self._own(description[self.kind.arn_field], self.owner.task, self.owner.attempt)
        if self.kind.status(description) != "Stopping":
            self._log.info("Attaching to %s, which runs already", wanted.job)
            return True
        self._log.info("%s is being stopped: waiting for its end", wanted.job)
        self.wait(wanted)
        return False

    def _is_reusable(
        self, wanted: AttachedJob, description: Mapping[str, Any], check: OutputCheck | None
    ) -> bool:
        try:
            if check:
                check(wanted, description)
        except OutputMissing as error:
            self._log.warning("%s has completed, but: %s", wanted.job, error)
            return False
        text = "Reusing %s: it has completed with the same code, inputs and settings (key %s)"
        self._log.info(text, wanted.job, wanted.key)
        return True

    # Wait and judge

    def look(self, attached: AttachedJob) -> dict[str, Any]:
        """Return what SageMaker says of the job, after handing on what the job has logged since."""
        # The state first: then no line that was logged before the end is missed.
        description = self.sagemaker.describe(self.kind, attached.job)
        if self._on_line and self.kind.log_group:
            for line in self.sagemaker.log_lines(self.kind, attached.job, attached.tokens):
                self._on_line(line)
        return description

    def wait(self, attached: AttachedJob) -> dict[str, Any]:
        """Return the job's description once it has ended.

        :raises JobTimedOut: the deadline has passed; the job was stopped if nobody else waits for it
        """
        self.job, pause_s = attached.job, FIRST_POLL_S
        while True:
            description = self.look(attached)
            if not self.kind.is_active(description):
                return description
            if attached.deadline is not None and time.time() > attached.deadline:
                self.stop()
                raise JobTimedOut(
                    f"{attached.job} had not ended within the task's execution_timeout of "
                    f"{timedelta(seconds=attached.timeout_s or 0)}. Raise it, or look in the log for "
                    "what takes so long."
                )
            time.sleep(pause_s)
            if self._on_look:
                self._on_look(description)
            pause_s = min(pause_s * POLL_GROWTH, self._poll_interval_s)

    def finish(self, attached: AttachedJob) -> dict[str, Any]:
        """Return the description of a job that did what it was asked, once it has ended.

        :raises JobFailed, JobStopped, JobLost: see `judge_job`
        """
        if attached.reused:
            description = self.sagemaker.describe(self.kind, attached.job)
        else:
            description = self.wait(attached)
        judge_job(self.kind, attached.job, description)
        return description

    # Stop

    def stop(self) -> bool:
        """Stop the last job if the owner and nobody else waits for it; return whether it was told to stop.

        Safe from a signal handler: the clients that the signal interrupted are not used again.
        """
        if self.job is None or self.owner is None:
            return False
        self.sagemaker.forget_clients()
        return self.release(self.job)

    def release(self, name: str) -> bool:
        """Stop a job on behalf of the owner, if that attempt and nobody else waits for it."""
        description = self.sagemaker.find_description(self.kind, name)
        if (
            self.owner is None
            or self.kind.stop is None
            or description is None
            or not self.kind.is_active(description)
        ):
            return False
        arn, task = description[self.kind.arn_field], self.owner.task
        owners = self._owners(arn)
        if owners.get(task) != self.owner.attempt:
            self._log.info("Not stopping %s: a newer attempt of this task waits for it", name)
            return False
        self._own(arn, task, NOBODY)
        if others := {t: a for t, a in owners.items() if t != task and a != NOBODY}:
            self._log.info("Not stopping %s: %d other tasks wait for it", name, len(others))
            return False
        self._log.info("Stopping %s: nobody else waits for it", name)
        return self._stop(name)

    def _stop(self, name: str) -> bool:
        api = self.sagemaker.api
        try:
            getattr(api, str(self.kind.stop))(**{self.kind.name_field: name})
        except api.exceptions.ClientError as error:
            if error_code(error) != "ValidationException":
                raise
            self._log.info("%s ended by itself before it could be stopped: %s", name, error)
            return False
        return True

    def _own(self, arn: str, task: str, attempt: str) -> None:
        self.sagemaker.api.add_tags(ResourceArn=arn, Tags=[_owner_tag(task, attempt)])

    def _owners(self, arn: str) -> dict[str, str]:
        pages = self.sagemaker.api.get_paginator("list_tags").paginate(ResourceArn=arn)
        tags = {tag["Key"]: tag["Value"] for answer in pages for tag in answer["Tags"]}
        return {k.removeprefix(OWNER_TAG): v for k, v in tags.items() if k.startswith(OWNER_TAG)}


def _owner_tag(task: str, attempt: str) -> dict[str, str]:
    return {"Key": f"{OWNER_TAG}{task}", "Value": attempt}


def put_code(sagemaker: SageMaker, bucket: str, cycle: str) -> str:
    """Make sure that the code archive of a cycle is in S3, and return its URI."""
    files = archive_files(cycle)
    uri = Places(bucket, cycle).code(archive_digest(files))
    sagemaker.put_once(uri, archive(files))
    return uri


def prepare_job(
    sagemaker: SageMaker, cycle: Cycle, record: KeyRecord, settings: Settings, inputs: Mapping[str, StepInput]
) -> JobSpec:
    """Put a job's code, key record and list of files into S3; return what its request is made from."""
    places = Places(settings.bucket, cycle.name)
    sagemaker.put_document(places.key_record(record.key), record)
    return JobSpec(
        step=record.step,
        cycle=cycle,
        interval=record.interval,
        key=record.key,
        code_uri=put_code(sagemaker, settings.bucket, cycle.name),
        output_uri=places.output(record.step, record.interval, record.key),
        settings=settings,
        inputs_uri=put_input_lists(sagemaker, places, inputs),
    )
