"""The tasks of the DAG `explore`: open a notebook instance, keep it, stop it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from airflow.sdk import BaseOperator, Context, conf
from airflow.sdk.exceptions import AirflowSkipException

from flywheel.hooks.sagemaker import SageMakerHook
from flywheel.links import NOTEBOOK, FlywheelLink
from flywheel.operators.base import FAIL_ON_PERMANENT_ERRORS
from flywheel.triggers.notebook import NotebookTrigger
from include.core.exceptions import NotebookFailed
from include.core.sagemaker.notebooks import PASSING, Notebook
from include.core.sagemaker.runner import FIRST_POLL_S, POLL_GROWTH
from include.core.settings import settings

Event = Mapping[str, Any]


class NotebookOperator(BaseOperator):
    """A task about one notebook instance.

    :param instance: the instance's name
    :param aws_conn_id: connection that decides where the instance is; by default the setting's
    :param deferrable: wait in the triggerer, holding no worker
    """

    step: ClassVar[str]
    ui_color = "#fbf6e9"

    def __init__(
        self,
        *,
        instance: str = "flywheel-explore",
        aws_conn_id: str | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,  # noqa: ANN401 - BaseOperator's own
    ) -> None:
        kwargs.setdefault("retry_policy", FAIL_ON_PERMANENT_ERRORS)
        super().__init__(**kwargs)
        self.instance = instance
        self.aws_conn_id = aws_conn_id or settings().aws_conn_id
        self.deferrable = deferrable
        self.links: dict[str, str] = {}
        self._run: str | None = None

    @cached_property
    def notebook(self) -> Notebook:
        """The instance."""
        return Notebook(SageMakerHook(self.aws_conn_id), self.instance)

    def run_of(self, context: Context) -> str:
        """Who starts the instance in this run; fit for a tag."""
        ti = context["ti"]
        self._run = f"{ti.dag_id}/{ti.run_id}"[:256]
        return self._run

    def on_kill(self) -> None:
        """Stop the instance, if this run started it."""
        if self._run is not None:
            self.notebook.hook.forget_clients()
            self.notebook.stop(self._run)

    def trigger(self, run: str, statuses: tuple[str, ...], deadline: float | None = None) -> NotebookTrigger:
        """Return what wakes the task when the instance has left `statuses`."""
        return NotebookTrigger(
            instance=self.instance,
            statuses=list(statuses),
            run=run,
            aws_conn_id=self.aws_conn_id,
            poll_interval_s=settings().poll_interval_s,
            deadline=deadline,
        )

    def wait(self, run: str, pause_s: float, **kwargs: Any) -> float:  # noqa: ANN401 - of `resume`
        """Wait a little, or in the triggerer until the instance has come to rest; the next pause."""
        if self.deferrable:
            self.defer(trigger=self.trigger(run, PASSING), method_name="resume", kwargs=kwargs)
        time.sleep(pause_s)
        return min(pause_s * POLL_GROWTH, settings().poll_interval_s)


class OpenNotebookOperator(NotebookOperator):
    """Create or start the instance if need be, and hand out an address that logs in."""

    step = "open"
    operator_extra_links: tuple[FlywheelLink, ...] = (NOTEBOOK,)

    def execute(self, context: Context) -> dict[str, Any]:
        """Bring the instance into service."""
        if context["params"]["stop"]:
            raise AirflowSkipException(f"This run was told to stop {self.instance}.")
        return self.resume(context, {}, is_begun=False)

    def resume(self, context: Context, event: Event, is_begun: bool) -> dict[str, Any]:  # noqa: ARG002, FBT001 - its word does not count; Airflow's way to pass it
        """Go on, at first and whenever the trigger fired."""
        run, pause_s = self.run_of(context), FIRST_POLL_S
        while True:
            description = self.notebook.look()
            status = None if description is None else description["NotebookInstanceStatus"]
            if status == "InService":
                return self._opened(context, run)
            if status in PASSING:
                pause_s = self.wait(run, pause_s, is_begun=is_begun)
                continue
            if description is not None and is_begun:
                raise NotebookFailed(
                    f"The notebook instance {self.instance} is {status} after its start: "
                    f"{description.get('FailureReason', 'SageMaker gives no reason')}"
                )
            if description is None:
                self.notebook.create(run, settings())
            else:
                self.notebook.start(run)
            is_begun = True

    def _opened(self, context: Context, run: str) -> dict[str, Any]:
        url = self.notebook.url(context["params"]["hours"] * 3600)
        self.links = {NOTEBOOK.name: url}
        context["ti"].xcom_push(key=NOTEBOOK.xcom_key, value=url)
        self.log.info("Open within five minutes, once: %s", url)
        self.log.info(
            "For another address trigger this DAG again, or: aws sagemaker "
            "create-presigned-notebook-instance-url --notebook-instance-name %s",
            self.instance,
        )
        return {"instance": self.instance, "url": url, "started": self.notebook.is_of(run)}


class KeepNotebookOperator(NotebookOperator):
    """Wait until the hours are over, or somebody stops the instance; always deferred, since it is long.

    Skipped where another run started the instance: that one keeps it.
    """

    step = "keep"

    def execute(self, context: Context) -> None:
        """Wait in the triggerer."""
        run, hours = self.run_of(context), context["params"]["hours"]
        if not self.notebook.is_of(run):
            raise AirflowSkipException(
                f"{self.instance} is not this run's to keep: another run started it, or it was stopped."
            )
        self.log.info(
            "Keeping %s for %g hours. To end earlier, mark this task a success.", self.instance, hours
        )
        deadline = time.time() + hours * 3600
        self.defer(trigger=self.trigger(run, ("InService",), deadline), method_name="resume")

    def resume(self, context: Context, event: Event) -> None:  # noqa: ARG002 - its word does not count
        """Say how it ended."""
        status = self.notebook.status()
        self.log.info("The hours are over." if status == "InService" else f"{self.instance} is {status}.")


class StopNotebookOperator(NotebookOperator):
    """Stop the instance, if this run started it or was told to; its files stay."""

    step = "stop"

    def execute(self, context: Context) -> None:
        """Stop it, and wait until it is stopped."""
        self.resume(context, {})

    def resume(self, context: Context, event: Event) -> None:  # noqa: ARG002 - its word does not count
        """Go on, at first and whenever the trigger fired."""
        run, pause_s = self.run_of(context), FIRST_POLL_S
        while (status := self.notebook.status()) in {*PASSING, "InService"}:
            if status == "InService" and not self.notebook.stop(None if context["params"]["stop"] else run):
                raise AirflowSkipException(f"{self.instance} was started by another run, which will stop it.")
            pause_s = self.wait(run, pause_s)
        self.log.info("The notebook instance %s is %s", self.instance, status or "not there")
