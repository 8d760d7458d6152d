"""The base of every step that runs as a SageMaker job: start or attach, wait, judge, hand on."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, replace
from itertools import count
from typing import Any, ClassVar

from airflow.sdk import Context, conf

from flywheel.links import JobLogLink, OutputsLink, cycle_page, folder_url, log_url, task_page
from flywheel.operators.base import CycleOperator, Result
from flywheel.triggers.job import JobEndedTrigger
from flywheel.work import forced_by, task_digest
from include.core.code import archive, archive_files, digest_of
from include.core.exceptions import JobTimedOut, OutputMissing
from include.core.history import check_output
from include.core.keys import KeyRecord, canonical, key_record
from include.core.layout import Interval, job_name
from include.core.sagemaker.client import OWNER_TAG
from include.core.sagemaker.kinds import PROCESSING, JobKind, judge
from include.core.sagemaker.requests import Job, Request, processing
from include.core.sagemaker.work import Attached, Work

#: first pause between two looks at a job; a local one is often done in a second
FIRST_POLL_S = 0.1
#: by how much the pause grows each time, up to the setting
POLL_GROWTH = 1.5


class JobOperator(CycleOperator):
    """A step that runs as one job, of which there is never more than one at a time for the same key.

    The job's name follows from the step's key. If the name is free, the job is started. If it is taken by a
    running job, the task attaches to it; by a completed one, its output is the result; by a failed or stopped
    one, the next generation is started. Ending the task stops the job unless another task waits for it too.

    :param deferrable: wait in the triggerer, holding no worker
    """

    kind: ClassVar[JobKind] = PROCESSING
    #: whether the step is about what becomes of a window, which Flywheel's page shows as a whole
    is_of_window: ClassVar[bool] = False
    operator_extra_links = (*CycleOperator.operator_extra_links, OutputsLink(), JobLogLink())

    def __init__(
        self,
        *,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,  # noqa: ANN401 - BaseOperator's own
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self._attached: Attached | None = None

    # What a step says about itself

    @abstractmethod
    def work(self, context: Context, interval: Interval) -> Work:
        """The step's inputs and parameters; reads, but changes nothing."""

    def request(self, job: Job, work: Work) -> Request:
        """The request that starts the step's job."""
        return processing(job, {name: i.source for name, i in work.inputs.items()}, work.parameters)

    def outcome(self, attached: Attached, description: Mapping[str, Any]) -> Result:  # noqa: ARG002 - for the kinds that need it
        """What a completed job adds to the step's result.

        :raises OutputMissing: its output is not, or no longer, there
        """
        manifest = check_output(self.hook, attached.uri, attached.key)
        return {name: manifest[name] for name in ("digest", "counts", "metrics")}

    def extra_links(self, attached: Attached) -> dict[str, str]:  # noqa: ARG002 - for the steps that have some
        """Links beside those to the outputs and the log."""
        return {}

    # The life of the task

    def execute(self, context: Context) -> Result:
        """Start the job or attach to it, wait for its end, and hand on what it made."""
        interval = self.interval(context)
        work = self.work(context, interval)
        record = self._record(context, interval, work)
        self._attached = self._attach(context, interval, work, record)
        self._show(context)
        if self.deferrable and self.kind.is_active(self._describe(self._attached)):
            self._defer(self._attached)
        return self._finish(context)

    def resume(self, context: Context, event: Mapping[str, Any], attached: Mapping[str, Any]) -> Result:
        """Go on after the trigger fired: what counts is what SageMaker says now, not what the event says."""
        self._attached = replace(Attached(**attached), tokens=dict(event["tokens"]))
        self._show(context)
        return self._finish(context)

    def on_kill(self) -> None:
        """Stop the job, if no other task waits for it."""
        if self._attached is not None:
            self.hook.forget_clients()
            self.hook.release(self.kind, self._attached.job, self._attached.task, self._attached.attempt)

    def _record(self, context: Context, interval: Interval, work: Work) -> KeyRecord:
        return key_record(
            step=self.step,
            cycle=self.cycle,
            interval=interval,
            inputs={name: i.digest for name, i in work.inputs.items()},
            parameters=work.parameters,
            settings=self.settings,
            forced_by=forced_by(context),
        )

    # Start or attach

    def _attach(self, context: Context, interval: Interval, work: Work, record: KeyRecord) -> Attached:
        """Find or start the generation of the job that this task waits for."""
        code_uri = self._put_code(record)
        ti, timeout = context["ti"], self.execution_timeout
        wanted = Attached(
            job="",
            key=record.key,
            uri=self.places.output(self.step, interval, record.key),
            interval=interval.iso,
            attempt=str(ti.id),
            task=task_digest(ti),
            deadline=time.time() + timeout.total_seconds() if timeout else None,
        )
        for generation in count(1):
            name = job_name(self.cycle.name, self.step, interval, record.key, generation)
            job = Job(
                name=name,
                step=self.step,
                cycle=self.cycle,
                interval=interval,
                key=record.key,
                code_uri=code_uri,
                output_uri=wanted.uri,
                settings=self.settings,
            )
            if found := self._try(replace(wanted, job=name), self.request(job, work)):
                return found
        raise AssertionError("unreachable: count() has no end")

    def _try(self, wanted: Attached, request: Request) -> Attached | None:
        """Start this generation, or attach to it; None if it is of no use."""
        self._attached = wanted
        tags = [{"Key": f"{OWNER_TAG}{wanted.task}", "Value": wanted.attempt}]
        if self.hook.create(self.kind, {**request, "Tags": tags}):
            self.log.info("Started %s %s", self.kind.name, wanted.job)
            return wanted
        description = self._describe(wanted)
        if self.kind.is_active(description) and self._join(wanted, description):
            return wanted
        if self.kind.is_ok(description) and self._will_do(wanted, description):
            return replace(wanted, reused=True)
        self.log.info("%s is %s: trying the next generation", wanted.job, self.kind.status(description))
        return None

    def _join(self, wanted: Attached, description: Mapping[str, Any]) -> bool:
        """Wait for a job that runs already; one that is being stopped is of no use, but must end first."""
        self.hook.own(description[self.kind.arn_field], wanted.task, wanted.attempt)
        if self.kind.status(description) != "Stopping":
            self.log.info("Attaching to %s, which runs already", wanted.job)
            return True
        self.log.info("%s is being stopped: waiting for its end", wanted.job)
        self._wait(wanted)
        return False

    def _will_do(self, wanted: Attached, description: Mapping[str, Any]) -> bool:
        """Whether a completed job's output is the result."""
        try:
            self.outcome(wanted, description)
        except OutputMissing as error:
            self.log.warning("%s has completed, but: %s", wanted.job, error)
            return False
        self.log.info(
            "Reusing %s: it has completed with the same code, inputs and settings (key %s)",
            wanted.job,
            wanted.key,
        )
        return True

    def _put_code(self, record: KeyRecord) -> str:
        """Make sure the code archive and the key's record are in S3."""
        files = archive_files(self.cycle.name)
        code_uri = self.places.code(digest_of(files))
        self.hook.put_once(code_uri, archive(files))
        self.hook.put_once(self.places.key_record(record.key), canonical(record.content).encode())
        return code_uri

    # Wait and judge

    def _describe(self, attached: Attached) -> dict[str, Any]:
        return self.hook.describe(self.kind, attached.job)

    def _show(self, context: Context) -> None:
        assert self._attached is not None  # noqa: S101 - both callers have just set it
        outputs, log = folder_url(self.hook, self._attached.uri), self._attached.job
        links = {"Outputs": outputs, "Job log": log_url(self.hook, self.kind.log_group, log)}
        window = str(Interval.from_iso(self._attached.interval))
        page = cycle_page(self.cycle.name, window=window) if self.is_of_window else task_page(context["ti"])
        self.publish(context, page, {**links, **self.extra_links(self._attached)})

    def _defer(self, attached: Attached) -> None:
        trigger = JobEndedTrigger(
            kind=self.kind.name,
            job=attached.job,
            task=attached.task,
            attempt=attached.attempt,
            aws_conn_id=self.aws_conn_id,
            poll_interval_s=self.settings.poll_interval_s,
            deadline=attached.deadline,
        )
        self.defer(trigger=trigger, method_name="resume", kwargs={"attached": asdict(attached)})

    def _finish(self, context: Context) -> Result:
        assert self._attached is not None  # noqa: S101 - both callers have just set it
        attached = self._attached
        try:
            description = self._describe(attached) if attached.reused else self._wait(attached)
        except Exception:
            # After a broken connection the next attempt attaches again; after the last one nobody would.
            if context["ti"].try_number > context["ti"].max_tries:
                self.on_kill()
            raise
        judge(self.kind, attached.job, description)
        return {
            "cycle": self.cycle.name,
            "step": self.step,
            "interval": attached.interval,
            "key": attached.key,
            "uri": attached.uri,
            "job": attached.job,
            "reused": attached.reused,
            "seconds": self.kind.seconds(description),
            **self.outcome(attached, description),
        }

    def _wait(self, attached: Attached) -> dict[str, Any]:
        """Look until the job has ended, showing its log; then its description."""
        pause = FIRST_POLL_S
        while True:
            # The state first: then no line that was logged before the end is missed.
            description = self._describe(attached)
            for line in self.hook.log_lines(self.kind, attached.job, attached.tokens):
                self.log.info("%s", line)
            if not self.kind.is_active(description):
                return description
            if attached.deadline is not None and time.time() > attached.deadline:
                self.on_kill()
                raise JobTimedOut(
                    f"{attached.job} had not ended within the task's execution_timeout of "
                    f"{self.execution_timeout}. Raise it, or look in the log for what takes so long."
                )
            time.sleep(pause)
            pause = min(pause * POLL_GROWTH, self.settings.poll_interval_s)
