"""The bases of the steps that run as a SageMaker job: all, those with tables, those that wait their turn."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from airflow.sdk import Context, conf

from flywheel.intervals import BY_ASSET
from flywheel.links import (
    JOB_LOG,
    OUTPUTS,
    TABLE_PROFILE,
    cycle_page,
    file_url,
    folder_url,
    log_url,
    task_page,
)
from flywheel.operators.base import CycleOperator, Result, forced_by, task_digest
from flywheel.triggers.interval_ready import IntervalReadyTrigger
from flywheel.triggers.job import JobEndedTrigger
from include.core.dependencies import PATIENCE, IntervalDependencies, Need
from include.core.documents.manifest import KeyRecord
from include.core.documents.results import JobResult
from include.core.exceptions import HistoryIncomplete, OutputMissing
from include.core.history import check_output
from include.core.keys import key_record
from include.core.layout import PROFILE, Interval
from include.core.sagemaker.kinds import JobKind, kind_of
from include.core.sagemaker.requests import ApiRequest, JobSpec, Source, StepInput, StepInputs, step_request
from include.core.sagemaker.runner import AttachedJob, JobOwner, JobRunner, prepare_job


class JobOperator(CycleOperator):
    """A step that runs as one job; its row in `STEPS` says of which kind.

    `JobRunner` starts the job or attaches to it. Ending the task stops the job unless another task waits for
    it too.

    :param deferrable: wait in the triggerer, holding no worker
    """

    #: whether the step is about what becomes of a window, which Flywheel's page shows as a whole
    is_of_window: ClassVar[bool] = False
    #: what the step hands on
    result_type: ClassVar[type[JobResult]] = JobResult
    operator_extra_links = (*CycleOperator.operator_extra_links, OUTPUTS, JOB_LOG)

    def __init__(
        self,
        *,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,  # noqa: ANN401 - BaseOperator's own
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self._runner: JobRunner | None = None

    # What a step says about itself

    @abstractmethod
    def step_inputs(self, context: Context, interval: Interval) -> StepInputs:
        """Return the step's inputs and parameters; read, but change nothing."""

    def request(self, spec: JobSpec, given: StepInputs) -> ApiRequest:
        """Return the request that starts the step's job."""
        return step_request(spec, given)

    def outcome(self, attached: AttachedJob, description: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - for the kinds that need it
        """Return the fields that a completed job adds to the step's result.

        :raises OutputMissing: its output is not, or no longer, there
        """
        manifest = check_output(self.hook, attached.uri, attached.key)
        return {"digest": manifest.digest, "counts": manifest.counts, "metrics": manifest.metrics}

    def extra_links(self, attached: AttachedJob) -> dict[str, str]:  # noqa: ARG002 - for the steps that have some
        """Return links beside those to the outputs and the log."""
        return {}

    def key_record(self, attached: AttachedJob) -> KeyRecord:
        """Return the record of what went into the job's key."""
        uri = self.places.key_record(attached.key)
        record = self.hook.read_document(uri, KeyRecord)
        if record is None:
            raise OutputMissing(f"There is no {uri}, which says what {attached.job} is. Clear the task.")
        return record

    def spec(self, context: Context, interval: Interval, given: StepInputs) -> JobSpec:
        """Return what the job is made from; its code and its key's record are in S3 then."""
        record = key_record(
            step=self.step,
            cycle=self.cycle,
            interval=interval,
            inputs={name: i.digest for name, i in given.inputs.items()},
            parameters=given.parameters,
            settings=self.settings,
            forced_by=forced_by(context),
        )
        return prepare_job(self.hook, self.cycle, record, self.settings, given.inputs)

    # The life of the task

    @property
    def kind(self) -> JobKind:
        """The kind of the step's job."""
        return kind_of(self.step)

    def execute(self, context: Context) -> Result:
        """Start the job or attach to it, wait for its end, and hand on what it made."""
        interval = self.interval(context)
        given = self.step_inputs(context, interval)
        runner = self._runner_for(JobOwner(task_digest(context["ti"]), str(context["ti"].id)))
        timeout = self.execution_timeout
        attached = runner.start(
            self.spec(context, interval, given),
            partial(self.request, given=given),
            check=self.outcome,
            timeout_s=timeout.total_seconds() if timeout else None,
        )
        self._show(context, attached)
        if self.deferrable and self.kind.is_active(self.hook.describe(self.kind, attached.job)):
            trigger = JobEndedTrigger(
                kind=self.kind.name,
                job=attached.job,
                task=attached.task,
                attempt=attached.attempt,
                **self.polling(attached.deadline),
            )
            self.defer(trigger=trigger, method_name="resume", kwargs={"attached": asdict(attached)})
        return self._finish(context, runner, attached)

    def resume(self, context: Context, event: Mapping[str, Any], attached: Mapping[str, Any]) -> Result:
        """Go on after the trigger fired: what counts is what SageMaker says now, not what the event says."""
        job = replace(AttachedJob(**attached), tokens=dict(event["tokens"]))
        runner = self._runner_for(JobOwner(job.task, job.attempt))
        self._show(context, job)
        return self._finish(context, runner, job)

    def on_kill(self) -> None:
        """Stop the job, if no other task waits for it."""
        if self._runner is not None:
            self._runner.stop()

    def _runner_for(self, owner: JobOwner) -> JobRunner:
        self._runner = JobRunner(
            self.hook,
            self.kind,
            poll_interval_s=self.settings.poll_interval_s,
            owner=owner,
            on_line=partial(self.log.info, "%s"),
            log=self.log,
        )
        return self._runner

    def _show(self, context: Context, attached: AttachedJob) -> None:
        outputs = folder_url(self.hook, attached.uri)
        links = {"Outputs": outputs, "Job log": log_url(self.hook, self.kind.log_group, attached.job)}
        window = Interval.from_iso(attached.interval)
        path = cycle_page(self.cycle.name, window=window) if self.is_of_window else task_page(context["ti"])
        self.publish(context, path, {**links, **self.extra_links(attached)})

    def _finish(self, context: Context, runner: JobRunner, attached: AttachedJob) -> Result:
        try:
            description = runner.finish(attached)
        except Exception:
            # After a broken connection the next attempt attaches again; after the last one nobody would.
            if context["ti"].try_number > context["ti"].max_tries:
                self.on_kill()
            raise
        return self.result(
            self.result_type,
            interval=Interval.from_iso(attached.interval),
            key=attached.key,
            uri=attached.uri,
            job=attached.job,
            reused=attached.reused,
            seconds=self.kind.seconds(description),
            **self.outcome(attached, description),
        )


def input_of(output: JobResult, below: str = "") -> StepInput:
    """Return an earlier output, or what lies below it, as a step's input."""
    return StepInput(Source(f"{output.uri}{below}"), output.digest)


class StepOperator(JobOperator):
    """A step of the table whose inputs are whole outputs of earlier tasks: it needs no class of its own.

    :param step: name of its row in `STEPS`
    :param inputs: the task whose output each input is, by the input's name
    :param parameters: what the job is given besides its interval and its key
    """

    def __init__(
        self,
        *,
        step: str,
        inputs: Mapping[str, str],
        parameters: Mapping[str, str] | None = None,
        **kwargs: Any,  # noqa: ANN401 - BaseOperator's own
    ) -> None:
        super().__init__(**kwargs)
        self.step, self.inputs, self.parameters = step, dict(inputs), dict(parameters or {})

    def step_inputs(self, context: Context, interval: Interval) -> StepInputs:  # noqa: ARG002 - the results know it
        """Return the outputs of the earlier tasks."""
        given = {name: input_of(self.output_of(context, task)) for name, task in self.inputs.items()}
        return StepInputs(given, self.parameters)


class TableOperator(JobOperator):
    """A step whose job leaves tables, and beside them a page that shows what is in them."""

    operator_extra_links = (*JobOperator.operator_extra_links, TABLE_PROFILE)

    def extra_links(self, attached: AttachedJob) -> dict[str, str]:
        """Return the link to the page."""
        return {"Profile": file_url(self.cycle.name, f"{attached.uri}{PROFILE}")}


#: the same for a run that monitoring asked for, which goes on where a hole is only undecided
PATIENCE_OF_ASKED = timedelta(seconds=30)


class OrderedOperator(JobOperator):
    """A step that waits its turn, in the triggerer, so that it holds no worker the others may need.

    A run that monitoring asked for waits for those before it that somebody works on, but not for the others:
    where a cycle is trained when it has to be, intervals between two trainings are never decided about.

    :param patience: how long nothing may happen to a missing interval before it counts as a hole
    """

    need: ClassVar[Need]

    def __init__(self, *, patience: timedelta = PATIENCE, **kwargs: Any) -> None:  # noqa: ANN401 - BaseOperator's own
        super().__init__(**kwargs)
        self.patience = patience

    def execute(self, context: Context) -> Result:
        """Wait for the intervals before, then do the step's job."""
        return self.proceed(context, {}, time.time())

    def proceed(self, context: Context, event: Any, since: float) -> Result:  # noqa: ANN401, ARG002 - its word does not count
        """Do the step's job if it is its turn; else wait on."""
        interval, is_asked = self.interval(context), context["dag_run"].run_type == BY_ASSET
        patience = min(self.patience, PATIENCE_OF_ASKED) if is_asked else self.patience
        try:
            awaited = IntervalDependencies(self.hook, self.cycle, self.settings, patience).awaited(
                self.need, interval, since
            )
        except HistoryIncomplete as error:
            if not is_asked or self.need != "decided":
                raise
            self.log.info("Going on without the decisions that are missing: %s", error)
            awaited = None
        if awaited is not None:
            self.log.info("Waiting until %s is %s; a hole if nothing happens to it", awaited, self.need)
            trigger = IntervalReadyTrigger(
                cycle=self.cycle.name,
                interval=interval.iso,
                need=self.need,
                since=since,
                patience_s=patience.total_seconds(),
                **self.polling(),
            )
            self.defer(trigger=trigger, method_name="proceed", kwargs={"since": since})
        return super().execute(context)
