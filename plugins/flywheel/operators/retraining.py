"""The steps that decide whether the model is retrained, and ask for it: decide and request_retraining."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Asset, Context
from airflow.sdk.exceptions import AirflowSkipException

from flywheel.links import DECISION, absolute_page_url, cycle_page, file_url
from flywheel.operators.base import CycleOperator, Result, run_identity
from include.core.cycle import Cycle
from include.core.documents.monitoring import Evidence, Matured
from include.core.documents.results import DecideRetrainingResult, RequestRetrainingResult
from include.core.documents.retraining import RetrainingDecision, RetrainingRequest
from include.core.layout import EVIDENCE, MATURED, Interval, retrain_uri
from include.core.retraining.decisions import RetrainingDecisions
from include.core.retraining.requests import is_open


def retrain_asset(cycle: Cycle) -> Asset:
    """Return the asset whose events ask `train_and_deploy` for a new model.

    For any scheme but `x-...` Airflow asks all providers how to write the URI, and with Amazon's comes boto3,
    which each task would pay for when it parses its DAG.
    """
    return Asset(name=retrain_uri(cycle.name), uri=f"x-{retrain_uri(cycle.name)}")


class RetrainingOperator(CycleOperator):
    """A step that reads and writes the records of monitoring."""

    operator_extra_links = (*CycleOperator.operator_extra_links, DECISION)

    def show(self, context: Context, window: Interval, decision_uri: str) -> None:
        """Show links to the window and to the record of its decision."""
        path = cycle_page(self.cycle.name, window=window)
        self.publish(context, path, {"Decision": file_url(self.cycle.name, decision_uri)})

    def deciding(self, context: Context) -> RetrainingDecisions:
        """Return the cycle's records, on behalf of this run."""
        return RetrainingDecisions(self.hook.s3, self.settings.bucket, self.cycle, run_identity(context))


class DecideRetrainingOperator(RetrainingOperator):
    """Record what was found in the window, and by the cycle's rule whether the model is to be retrained.

    Decides again about later windows that were monitored before this one, since the rule looks back; that
    asks for nothing.
    """

    step = "decide"

    def execute(self, context: Context) -> Result:
        """Record the evidence, and the decision that the rule draws from it."""
        window, monitored = self.interval(context), self.output_of(context, "monitor")
        deciding, matured = self.deciding(context), self.optional_output(context, "mature")
        record = deciding.record_window(
            monitored.key,
            monitored.uri,
            self.document_of(monitored, EVIDENCE, Evidence),
            # skipped where no labels came late
            self.document_of(matured, MATURED, Matured).quality if matured else (),
        )
        decided = deciding.decide(window, is_backfill=context["dag_run"].run_type == "backfill")
        self._log_decision(decided.decision)
        again = list(deciding.decide_again(window))
        for later in again:
            self.log.info("Decided again about %s: %s", later.decision.window, later.uri)
        self.show(context, window, decided.uri)
        return self.result(
            DecideRetrainingResult,
            interval=window,
            key=monitored.key,
            uri=decided.uri,
            record=record,
            decision=decided.decision,
            again=tuple(later.uri for later in again),
        )

    def _log_decision(self, decision: RetrainingDecision) -> None:
        """Say in the task's log what was decided, and why."""
        alarms, emission = decision.alarms, decision.emission
        self.log.info("Retraining is %s.", "due" if decision.due else "not due")
        self.log.info(
            "%d of %d windows alarmed, %d are needed of the last %d",
            *(alarms.alarmed, alarms.watched, alarms.needed, alarms.of),
        )
        for missing in alarms.missing:
            self.log.warning("%s was not monitored: it counts as no alarm", missing)
        for reason in decision.reasons:
            self.log.info("For it: %s", reason)
        for reason in decision.against:
            self.log.info("Against it: %s", reason)
        self.log.info("%s: %s", "It is asked for" if emission.is_emitted else "Not asked for", emission.why)


class RequestRetrainingOperator(RetrainingOperator):
    """Ask `train_and_deploy` for a new model, by a request in S3 and an event of the cycle's asset.

    Skipped, and so without an event, where the decision was not to ask, or somebody was faster.
    """

    step = "request_retraining"

    def __init__(self, *, cycle: Cycle, **kwargs: Any) -> None:  # noqa: ANN401 - BaseOperator's own
        super().__init__(cycle=cycle, outlets=[retrain_asset(cycle)], **kwargs)

    def execute(self, context: Context) -> Result:
        """Record the request; the event follows when the task has succeeded."""
        decided = self.result_of(context, "decide", DecideRetrainingResult)
        decision, window = decided.decision, decided.interval
        self.show(context, window, decided.uri)
        if not decision.emission.is_emitted or decision.train_interval is None:
            raise AirflowSkipException(f"Nothing is asked for: {decision.emission.why}")
        deciding = self.deciding(context)
        wanted = RetrainingRequest(
            at=datetime.now(UTC),
            by=deciding.by,
            window=window,
            decision_uri=decided.uri,
            reasons=decision.reasons,
            train_interval=decision.train_interval,
            data_end=decision.train_interval.end,
        )
        past = deciding.past(window)
        if any(end >= wanted.data_end for end in past.trainings):
            raise AirflowSkipException(
                f"The training up to {wanted.data_end.isoformat()} has been decided meanwhile."
            )
        asked = deciding.requests.ask(wanted, lambda request: is_open(request, past, past.trainings))
        if not asked.is_ours:
            raise AirflowSkipException(f"Request {asked.request.number} is open already.")
        self._emit(context, asked.request)
        return self.result(
            RequestRetrainingResult,
            interval=window,
            key=decided.key,
            uri=decided.uri,
            request=asked.request.number,
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
