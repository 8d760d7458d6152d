"""The steps that decide whether the model is retrained, and ask for it: decide and request_retraining."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Asset, Context
from airflow.sdk.exceptions import AirflowSkipException

from flywheel.links import DecisionLink, absolute_page_url, cycle_page, object_url
from flywheel.operators.base import CycleOperator, Result
from include.core.cycle import Cycle
from include.core.documents.monitoring import RetrainingRequest
from include.core.exceptions import OutputMissing
from include.core.layout import EVIDENCE, MATURED, Interval, retrain_uri
from include.core.retraining.decisions import RetrainingDecisions
from include.core.retraining.requests import is_open
from include.core.retraining.rule import Json


def retrain_asset(cycle: Cycle) -> Asset:
    """Return the asset whose events ask `train_and_deploy` for a new model.

    For any scheme but `x-...` Airflow asks all providers how to write the URI, and with Amazon's comes boto3,
    which each task would pay for when it parses its DAG.
    """
    return Asset(name=retrain_uri(cycle.name), uri=f"x-{retrain_uri(cycle.name)}")


class RetrainingOperator(CycleOperator):
    """A step that reads and writes the records of monitoring."""

    operator_extra_links = (*CycleOperator.operator_extra_links, DecisionLink())

    def show(self, context: Context, window: Interval, decision_uri: str) -> None:
        """Show links to the window and to the record of its decision."""
        page = cycle_page(self.cycle.name, window=window)
        self.publish(context, page, {"Decision": object_url(self.hook, decision_uri)})

    def deciding(self, context: Context) -> RetrainingDecisions:
        """Return the cycle's records, on behalf of this run."""
        by = {"dag_id": context["ti"].dag_id, "run_id": context["ti"].run_id}
        return RetrainingDecisions(self.hook.s3, self.settings.bucket, self.cycle, by)


class DecideRetrainingOperator(RetrainingOperator):
    """Record what was found in the window, and by the cycle's rule whether the model is to be retrained.

    Decides again about later windows that were watched before this one, since the rule looks back; that asks
    for nothing.
    """

    step = "decide"

    def execute(self, context: Context) -> Result:
        """Record the evidence, and the decision that the rule draws from it."""
        window, monitored = self.interval(context), self.result_of(context, "monitor")
        deciding = self.deciding(context)
        record = deciding.record_window(window, self._found(context, monitored))
        is_backfill = context["dag_run"].run_type == "backfill"
        decided = deciding.decide(window, is_backfill=is_backfill)
        self._tell(decided.decision)
        again = list(deciding.decide_again(window))
        for each in again:
            self.log.info("Decided again about %s: %s", Interval.from_iso(each.decision["window"]), each.uri)
        self.show(context, window, decided.uri)
        return {
            "cycle": self.cycle.name,
            "step": self.step,
            "interval": window.iso,
            "key": monitored["key"],
            "uri": decided.uri,
            "record": record,
            "decision": decided.decision,
            "again": [each.uri for each in again],
        }

    def _found(self, context: Context, monitored: Result) -> Json:
        """Return what monitor found, and what mature found about earlier windows, if labels came late."""
        evidence_uri = f"{monitored['uri']}{EVIDENCE}"
        evidence = self.hook.read_json(evidence_uri)
        if evidence is None:
            raise OutputMissing(f"The job {monitored['job']} left no {evidence_uri}. Clear `monitor`.")
        return {
            "key": monitored["key"],
            "monitor_uri": monitored["uri"],
            "evidence": evidence,
            "matured": self._matured(context),
        }

    def _matured(self, context: Context) -> list[Json]:
        result = context["ti"].xcom_pull(task_ids="mature")
        if not isinstance(result, Mapping):
            return []  # it was skipped: no labels came late
        uri = f"{result['uri']}{MATURED}"
        matured = self.hook.read_json(uri)
        if matured is None:
            raise OutputMissing(f"The job {result['job']} left no {uri}. Clear `mature`.")
        return list(matured["quality"])

    def _tell(self, decision: Json) -> None:
        """Say in the task's log what was decided, and why."""
        alarms, asks = decision["alarms"], decision["emission"]
        self.log.info("Retraining is %s.", "due" if decision["due"] else "not due")
        self.log.info(
            "%d of %d windows alarmed, %d are needed of the last %d",
            *(alarms[name] for name in ("alarmed", "watched", "needed", "of")),
        )
        for missing in alarms["missing"]:
            self.log.warning("Nobody has watched %s: it counts as no alarm", missing)
        for reason in decision["reasons"]:
            self.log.info("For it: %s", reason)
        for reason in decision["against"]:
            self.log.info("Against it: %s", reason)
        self.log.info("%s: %s", "It is asked for" if asks["is_emitted"] else "Not asked for", asks["why"])


class RequestRetrainingOperator(RetrainingOperator):
    """Ask `train_and_deploy` for a new model, by a request in S3 and an event of the cycle's asset.

    Skipped, and so without an event, where the decision was not to ask, or somebody was faster.
    """

    step = "request_retraining"

    def __init__(self, *, cycle: Cycle, **kwargs: Any) -> None:  # noqa: ANN401 - BaseOperator's own
        super().__init__(cycle=cycle, outlets=[retrain_asset(cycle)], **kwargs)

    def execute(self, context: Context) -> Result:
        """Record the request; the event follows when the task has succeeded."""
        decided = self.result_of(context, "decide")
        decision, window = decided["decision"], Interval.from_iso(decided["interval"])
        self.show(context, window, decided["uri"])
        if not decision["emission"]["is_emitted"]:
            raise AirflowSkipException(f"Nothing is asked for: {decision['emission']['why']}")
        deciding = self.deciding(context)
        wanted = self._request(decided, deciding)
        past = deciding.past(window)
        if any(end >= wanted.data_end for end in past.trainings):
            raise AirflowSkipException(
                f"The training up to {wanted.data_end.isoformat()} has been decided meanwhile."
            )
        asked = deciding.requests.ask(wanted, lambda request: is_open(request, past, past.trainings))
        if not asked.is_ours:
            raise AirflowSkipException(f"Request {asked.request.number} is open already.")
        self._emit(context, asked.request)
        return {
            "cycle": self.cycle.name,
            "step": self.step,
            "interval": decided["interval"],
            "key": decided["key"],
            "uri": decided["uri"],
            "request": asked.request.number,
        }

    def _request(self, decided: Result, deciding: RetrainingDecisions) -> RetrainingRequest:
        decision = decided["decision"]
        train_interval = Interval.from_iso(decision["train_interval"])
        return RetrainingRequest(
            at=datetime.now(UTC),
            by=deciding.by,
            window=Interval.from_iso(decided["interval"]),
            decision_uri=decided["uri"],
            reasons=tuple(decision["reasons"]),
            train_interval=train_interval,
            data_end=train_interval.end,
        )

    def _emit(self, context: Context, request: RetrainingRequest) -> None:
        """Give the event what Airflow's page shows of it; who answers reads the log of requests."""
        self.log.info("Request %d: train for %s", request.number, request.train_interval)
        context["outlet_events"][retrain_asset(self.cycle)].extra = {
            "request": request.number,
            "window": str(request.window),
            "train_interval": str(request.train_interval),
            "reasons": " ".join(request.reasons),
            "decision_uri": request.decision_uri,
            "page": absolute_page_url(cycle_page(self.cycle.name, window=request.window)),
        }
