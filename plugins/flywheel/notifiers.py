"""Alerts to people: a failed task, a failed deployment, drift. Off until `FLYWHEEL_ALERT_TO` says where to.

Given to tasks as Airflow's callbacks. An alert that cannot be sent is a warning in the task's log and never
changes what becomes of the task.
"""

from __future__ import annotations

import json
import urllib.request
from dataclasses import asdict, dataclass

from airflow.sdk import BaseNotifier, Context

from flywheel.hooks.sagemaker import SageMakerHook
from include.core.documents.results import DecideRetrainingResult
from include.core.settings import Settings, settings

#: a webhook that is slower is given up, in seconds
SEND_TIMEOUT_S = 10.0
#: steps whose failure means that production is not what it should be
DEPLOYING = frozenset({"deploy", "verify"})
#: SNS's limit of a subject
SUBJECT_LENGTH = 100


@dataclass(frozen=True, kw_only=True)
class Alert:
    """What people are told. As JSON it is the body of the webhook; chat programs show its `text`."""

    #: "failed task", "failed deployment" or "drift"
    kind: str
    #: one line
    text: str
    dag_id: str
    run_id: str
    task_id: str
    #: why, in the words of the step
    reason: str
    #: the task's log in the UI
    url: str


class AlertNotifier(BaseNotifier):
    """Sends what `alert` makes of a task's context, if there is somewhere to send it."""

    def notify(self, context: Context) -> None:
        """Send the alert; a failure to do so is logged and goes no further."""
        if not settings().alert_to or (alert := self.alert(context)) is None:
            return
        try:
            send(alert, settings())
        except Exception as error:  # noqa: BLE001 - the alert must not decide about the task
            self.log.warning(
                "The alert %r could not be sent to FLYWHEEL_ALERT_TO: %r. Check the address.",
                alert.text,
                error,
            )

    def alert(self, context: Context) -> Alert | None:
        """Return the alert about the task, or None."""
        raise NotImplementedError


class FailureNotifier(AlertNotifier):
    """Tells of a task that has failed for good: a callback for `on_failure_callback`."""

    def alert(self, context: Context) -> Alert:
        """Return the failure, as one of deployment where it is."""
        kind = "failed deployment" if context["ti"].task_id in DEPLOYING else "failed task"
        error = context.get("exception")
        return _alert(context, kind, "has failed", str(error) if error else "Airflow gives no reason.")


class DriftNotifier(AlertNotifier):
    """Tells of a window that gave an alarm, or was broken upstream: for the step that decides about it.

    A backfill looks at the past, and is silent.
    """

    def alert(self, context: Context) -> Alert | None:
        """Return the alarm of the window, if it gave one."""
        result = context["ti"].xcom_pull(task_ids=context["ti"].task_id)
        if context["dag_run"].run_type == "backfill" or not isinstance(result, dict):
            return None
        decision = DecideRetrainingResult.from_json(result).decision
        finding = decision.evidence.get(str(decision.window))
        if finding is None or not (finding.is_alarm or finding.why.startswith("held back")):
            return None
        due = "retraining is due" if decision.due else "retraining is not due"
        return _alert(context, "drift", f"alarms for {decision.window}; {due}", finding.why)


def send(alert: Alert, to: Settings) -> None:
    """Send an alert to a webhook, or to an SNS topic by the jobs' connection."""
    if to.alert_to.startswith("arn:"):
        sns = SageMakerHook(to.aws_conn_id).client("sns")
        body = json.dumps(asdict(alert), indent=2)
        sns.publish(TopicArn=to.alert_to, Subject=alert.text[:SUBJECT_LENGTH], Message=body)
        return
    request = urllib.request.Request(  # noqa: S310 - the settings allow http and https alone
        to.alert_to,
        data=json.dumps(asdict(alert)).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    urllib.request.urlopen(request, timeout=SEND_TIMEOUT_S).close()  # noqa: S310 - the same


def _alert(context: Context, kind: str, what: str, reason: str) -> Alert:
    ti = context["ti"]
    return Alert(
        kind=kind,
        text=f"Flywheel, {kind}: {ti.task_id} of {ti.dag_id} {what}. {reason}"[:1000],
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        task_id=ti.task_id,
        reason=reason,
        url=str(getattr(ti, "log_url", "")),
    )
