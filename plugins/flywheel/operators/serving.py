"""The step that brings a version into service: deploy."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from airflow.sdk import Context, conf
from airflow.sdk.exceptions import AirflowSkipException

from flywheel.exceptions import DeploymentFailed, JobTimedOut
from flywheel.jobs import ENDPOINT
from flywheel.keys import digest
from flywheel.ledger import Entry, production
from flywheel.names import Interval, job_name
from flywheel.operators.base import CycleOperator, Result
from flywheel.operators.job import FIRST_POLL_S, POLL_GROWTH
from flywheel.requests import endpoint_config, model
from flywheel.triggers.job import JobEndedTrigger
from flywheel.work import task_digest


class ServingOperator(CycleOperator):
    """A step that needs a SageMaker model."""

    def put_model(self, model_uri: str, interval: Interval) -> str:
        """The name of the model made from an archive; it follows from what the model is."""
        identity = digest(model("", model_uri, self.settings))
        name = job_name(self.cycle.name, "model", interval, identity)
        self.hook.create_once("create_model", model(name, model_uri, self.settings))
        return name


class DeployOperator(ServingOperator):
    """Bring the promoted version into service on the cycle's endpoint.

    Skipped unless this run's version is the ledger's newest: production only moves forward, whichever kind of
    run this is and in whichever order runs come.

    :param deferrable: wait in the triggerer, holding no worker
    """

    step = "deploy"

    def __init__(
        self,
        *,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,  # noqa: ANN401 - BaseOperator's own
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable

    def execute(self, context: Context) -> Result:
        """Make model and configuration, let the endpoint have them, and wait until it serves them."""
        interval, registered = self.interval(context), self.result_of(context, "register")
        self._check_gate(context, registered)
        model_name = self.put_model(registered["uri"], interval)
        config = self._put_config(model_name, interval)
        self._turn_to(config)
        timeout = self.execution_timeout
        deadline = time.time() + timeout.total_seconds() if timeout else None
        if self.deferrable and ENDPOINT.is_active(self._describe()):
            self._defer(context, config, deadline)
        return self._finish(context, config, deadline)

    def resume(self, context: Context, event: Mapping[str, Any], config: str) -> Result:  # noqa: ARG002 - its word does not count
        """Go on after the trigger fired: the endpoint is asked again."""
        return self._finish(context, config, time.time())

    def _check_gate(self, context: Context, registered: Result) -> None:
        """Skip the deployment of what is not, or no longer, to be in production."""
        if registered["promotion"] is None:
            raise AirflowSkipException("Not deployed: the challenger was not promoted, see `decide`.")
        if not context["params"].get("deploy", True):
            raise AirflowSkipException("Not deployed: this run was told deploy=false.")
        champion = production(self.ledger.entries())
        if champion is None or champion.number != registered["promotion"]:
            raise AirflowSkipException(f"Not deployed: production is {_told(champion)}, which is newer.")

    def _put_config(self, model_name: str, interval: Interval) -> str:
        identity = digest(endpoint_config("", self.cycle, model_name, self.settings))
        name = job_name(self.cycle.name, "endpoint", interval, identity)
        request = endpoint_config(name, self.cycle, model_name, self.settings)
        self.hook.create_once("create_endpoint_config", request)
        return name

    def _turn_to(self, config: str) -> None:
        """Create the endpoint or update it; nothing if it serves this configuration already."""
        name = self.cycle.name
        found = self._settled(None)
        if found is not None and found["EndpointStatus"] == "Failed":
            # An endpoint that never came into service cannot be updated.
            self.log.info("Deleting the endpoint %s, which has failed: %s", name, found.get("FailureReason"))
            self.hook.api.delete_endpoint(EndpointName=name)
            found = self._settled(None)
        if found is None:
            self.hook.create_once("create_endpoint", {"EndpointName": name, "EndpointConfigName": config})
            self.log.info("Creating the endpoint %s with %s", name, config)
        elif found["EndpointConfigName"] == config:
            self.log.info("The endpoint %s serves %s already", name, config)
        else:
            self.hook.api.update_endpoint(EndpointName=name, EndpointConfigName=config)
            self.log.info("Updating the endpoint %s from %s to %s", name, found["EndpointConfigName"], config)

    def _settled(self, deadline: float | None) -> dict[str, Any] | None:
        """The endpoint's description once nothing is under way there; None if there is no endpoint."""
        pause = FIRST_POLL_S
        while (found := self.hook.find(ENDPOINT, self.cycle.name)) and ENDPOINT.is_active(found):
            if deadline is not None and time.time() > deadline:
                raise JobTimedOut(
                    f"The endpoint {self.cycle.name} is still {found['EndpointStatus']} after the task's "
                    f"execution_timeout of {self.execution_timeout}. A retry waits on."
                )
            time.sleep(pause)
            pause = min(pause * POLL_GROWTH, self.settings.poll_interval_s)
        return found

    def _describe(self) -> dict[str, Any]:
        return self.hook.describe(ENDPOINT, self.cycle.name)

    def _defer(self, context: Context, config: str, deadline: float | None) -> None:
        trigger = JobEndedTrigger(
            kind=ENDPOINT.name,
            job=self.cycle.name,
            task=task_digest(context["ti"]),
            attempt=str(context["ti"].id),
            aws_conn_id=self.aws_conn_id,
            poll_interval_s=self.settings.poll_interval_s,
            deadline=deadline,
        )
        self.defer(trigger=trigger, method_name="resume", kwargs={"config": config})

    def _finish(self, context: Context, config: str, deadline: float | None) -> Result:
        """Judge the endpoint by what it serves: a rollback leaves it in service, with the old model."""
        registered = self.result_of(context, "register")
        found = self._settled(deadline)
        if found is None or not ENDPOINT.is_ok(found) or found["EndpointConfigName"] != config:
            raise DeploymentFailed(_failed(self.cycle.name, config, found))
        champion = production(self.ledger.entries())
        if champion is not None and champion.number != registered["promotion"]:
            raise DeploymentFailed(
                f"While this ran, {_told(champion)} became production. Clear `deploy` of its run "
                f"{champion.by.get('run_id')}, in case its deployment came before this one."
            )
        self.log.info("The endpoint %s is in service with %s", self.cycle.name, config)
        return {**registered, "step": self.step, "endpoint": self.cycle.name, "config": config}


def _told(champion: Entry | None) -> str:
    if champion is None:
        return "nothing"
    return f"{champion.version} (data up to {champion.data_end}, entry {champion.number} of the ledger)"


def _failed(endpoint: str, config: str, found: Mapping[str, Any] | None) -> str:
    if found is None:
        return f"The endpoint {endpoint} was deleted meanwhile. Clear the task to make it again."
    return (
        f"The endpoint {endpoint} should serve {config}, but is {found['EndpointStatus']} with "
        f"{found['EndpointConfigName']}: {found.get('FailureReason', 'SageMaker gives no reason')}. "
        f"The containers' logs are in the group /aws/sagemaker/Endpoints/{endpoint}."
    )
