"""What every step of a cycle is in Airflow, whether it runs a job or not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, TypeVar

from airflow.sdk import BaseOperator, Context, ExceptionRetryPolicy, RetryAction, RetryRule

from flywheel.hooks.sagemaker import SageMakerHook
from flywheel.intervals import run_interval
from flywheel.links import PAGE, FlywheelLink, page_url
from include.core.cycle import Cycle
from include.core.documents.codec import D, Document
from include.core.documents.results import JobResult, StepResult
from include.core.exceptions import FlywheelError, OutputMissing
from include.core.layout import Interval
from include.core.ledger import Ledger
from include.core.places import Places
from include.core.retraining.records import RetrainingRequests
from include.core.sagemaker.inputs import read_output_document
from include.core.settings import Settings, settings

#: what a step hands to the next ones, the only thing that goes through XCom
Result = dict[str, Any]
R = TypeVar("R", bound=StepResult)

#: A bad interval, a failed job or a lost promotion fails again on a retry; a broken connection may not.
FAIL_ON_PERMANENT_ERRORS = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception="include.core.exceptions.PermanentError",
            action=RetryAction.FAIL,
            reason="A permanent error: another attempt would fail the same way.",
        )
    ]
)


class CycleOperator(BaseOperator):
    """One step of a cycle for the interval of its run.

    :param cycle: the cycle's description
    :param aws_conn_id: connection that decides where jobs run; by default the setting's
    :param schedule: cron expression of the run's intervals; by default the cycle's
    """

    #: the step's name in `STEPS`, and in keys, places and results
    step: str
    ui_color = "#eef4fb"
    operator_extra_links: tuple[FlywheelLink, ...] = (PAGE,)

    def __init__(
        self,
        *,
        cycle: Cycle,
        aws_conn_id: str | None = None,
        schedule: str | None = None,
        **kwargs: Any,  # noqa: ANN401 - BaseOperator's own
    ) -> None:
        kwargs.setdefault("retry_policy", FAIL_ON_PERMANENT_ERRORS)
        super().__init__(**kwargs)
        self.cycle = cycle
        self.aws_conn_id = aws_conn_id or settings().aws_conn_id
        self.schedule = schedule
        #: addresses for the page, by the name of the link; known once the step's outputs are
        self.links: dict[str, str] = {}

    @property
    def settings(self) -> Settings:
        """The settings of this process."""
        return settings()

    @cached_property
    def hook(self) -> SageMakerHook:
        """What the connection leads to."""
        return SageMakerHook(self.aws_conn_id)

    @property
    def places(self) -> Places:
        """Where everything of the cycle lies."""
        return Places(self.settings.bucket, self.cycle.name)

    @cached_property
    def ledger(self) -> Ledger:
        """The cycle's record of decisions and promotions."""
        return Ledger(self.hook.s3, self.settings.bucket, self.cycle.name)

    @cached_property
    def requests(self) -> RetrainingRequests:
        """The log of monitoring's requests for retraining."""
        return RetrainingRequests(self.hook.s3, self.settings.bucket, self.cycle.name)

    def polling(self, deadline: float | None = None) -> dict[str, Any]:
        """Return how a trigger of this step looks, and until when."""
        poll_interval_s = self.settings.poll_interval_s
        return {"aws_conn_id": self.aws_conn_id, "poll_interval_s": poll_interval_s, "deadline": deadline}

    def interval(self, context: Context) -> Interval:
        """Return the interval of this run."""
        return run_interval(context, self.cycle, schedule=self.schedule, requests=self.requests.entries)

    def result(self, kind: type[Document], **fields: Any) -> Result:  # noqa: ANN401 - of `kind`
        """Return what this step hands on, as XCom holds it."""
        return kind(**{**fields, "cycle": self.cycle.name, "step": self.step}).as_json()

    def result_of(self, context: Context, task: str, kind: type[R]) -> R:
        """Return what an earlier task of this run handed on.

        :raises FlywheelError: it has handed on nothing
        """
        result = context["ti"].xcom_pull(task_ids=task)
        if not isinstance(result, Mapping):
            raise FlywheelError(
                f"Step {self.step} needs the result of the task {task!r}, which has none in this run. "
                f"Clear {task!r}: marking it a success by hand makes no result."
            )
        return kind.from_json(result)

    def output_of(self, context: Context, task: str) -> JobResult:
        """Return what an earlier task of this run handed on, which ran a job."""
        return self.result_of(context, task, JobResult)

    def optional_output(self, context: Context, task: str) -> JobResult | None:
        """Return the same, or None if the task was skipped or its DAG has none."""
        return self.output_of(context, task) if context["ti"].xcom_pull(task_ids=task) else None

    def document_of(self, output: JobResult, name: str, kind: type[D]) -> D:
        """Return a document among the files of an earlier task's output.

        :raises OutputMissing: the job has left none
        :raises InputChanged: it is not what the job wrote
        """
        document = read_output_document(self.hook, f"{output.uri}{name}", kind, output.digest)
        if document is None:
            raise OutputMissing(f"The job {output.job} left no {output.uri}{name}. Clear `{output.step}`.")
        return document

    def publish(self, context: Context, path: str, links: Mapping[str, str] | None = None) -> None:
        """Show links on the task's page from now on; `path` is one of Flywheel's."""
        links = {PAGE.name: page_url(path), **(links or {})}
        self.links = {name: url for name, url in links.items() if url}
        for link in self.operator_extra_links:
            if link.name in self.links:
                context["ti"].xcom_push(key=link.xcom_key, value=self.links[link.name])


def run_identity(context: Context) -> dict[str, str]:
    """Return who a run is, as records name it."""
    return {"dag_id": context["ti"].dag_id, "run_id": context["ti"].run_id}


def forced_by(context: Context) -> str | None:
    """Return who forces a job to run again, as part of the job's key; None if the param `force` is off.

    A forced output gets a place of its own, and what was written under the ordinary key stays as it is.
    `max_tries` stays the same over retries and changes with every clearing. So a retry takes what the attempt
    before it made, and a cleared task makes it anew.
    """
    if not context["params"].get("force"):
        return None
    ti = context["ti"]
    return f"{ti.dag_id}/{ti.run_id}/{ti.max_tries}"


def task_digest(ti: Any) -> str:  # noqa: ANN401 - Airflow's task instance
    """Return the identity of a task over all its attempts, short enough for a tag's key."""
    return hashlib.sha256(f"{ti.dag_id}|{ti.run_id}|{ti.task_id}|{ti.map_index}".encode()).hexdigest()[:16]
