"""The step that asks a person before a version is promoted: approve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Context

from flywheel.links import cycle_page
from flywheel.operators.base import CycleOperator, Result
from include.core.documents.ledger import Entry
from include.core.ledger import is_concluded, rejection_of

APPROVE, REJECT = "Approve", "Reject"
#: without an answer by then the version is rejected
RESPONSE_TIMEOUT = timedelta(days=1)


class ApproveOperator(CycleOperator, HITLOperator):
    """Ask a person, in Airflow's page and with the evidence, whether what was decided is to be carried out.

    Passes the decision on unasked where the param `approval` is off, where nothing is to be promoted, and
    where the decision was carried out before. What was rejected before stays so, unless it is asked for
    again. A rejection is an entry of the ledger and skips nothing: the version is registered, as Rejected.

    :param response_timeout: without an answer by then the version is rejected
    :param params: the form's fields; `reason` is kept in the ledger
    """

    step = "approve"

    def __init__(self, *, response_timeout: timedelta = RESPONSE_TIMEOUT, **kwargs: Any) -> None:  # noqa: ANN401 - BaseOperator's own
        super().__init__(
            subject="Promote the new model of {{ task.cycle.name }}?",
            body="{{ ti.xcom_pull(task_ids='decide')['evidence'] }}",
            options=[APPROVE, REJECT],
            defaults=REJECT,
            response_timeout=response_timeout,
            **kwargs,
        )

    def execute(self, context: Context) -> Result:
        """Pass the decision on, or park the task until somebody answers."""
        decided = self.result_of(context, "decide")
        decision, entries = Entry.from_json(decided["decision"]), self.ledger.entries()
        self.publish(context, cycle_page(self.cycle.name, entry=decision.number))
        rejection = rejection_of(entries, decision)
        is_done = is_concluded(entries, decision) and rejection is None
        is_asked = bool(context["params"].get("approval"))
        if not decided["promote"] or is_done or not (is_asked or rejection):
            self.log.info("Nobody is asked: the decision is passed on")
            return self._result(decided, [])
        if rejection and (not is_asked or rejection.by == _by(context)):
            self.log.info("Rejected before: %s", " ".join(rejection.reasons))
            return {**self._result(decided, list(rejection.reasons)), "promote": False}
        return dict(HITLOperator.execute(self, context))  # parks the task by an exception

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Result:
        """Record a rejection, and hand the answer on."""
        answer = super().execute_complete(context, event)
        decided = self.result_of(context, "decide")
        told = [_told(answer)]
        self.publish(context, cycle_page(self.cycle.name, entry=decided["decision"]["number"]))
        self.log.info("%s", told[0])
        if answer["chosen_options"] == [APPROVE]:
            return self._result(decided, told)
        self._reject(context, Entry.from_json(decided["decision"]), told)
        return {**self._result(decided, told), "promote": False}

    def _reject(self, context: Context, decision: Entry, told: list[str]) -> None:
        at = datetime.now(UTC).replace(microsecond=0)
        wanted = replace(decision, kind="rejection", at=at, by=_by(context), reasons=tuple(told), number=0)
        entry = self.ledger.reject(wanted, decision)
        self.log.info("Entry %d of the ledger: rejected", entry.number)

    def _result(self, decided: Result, told: list[str]) -> Result:
        return {**decided, "step": self.step, "approval": told}


def _by(context: Context) -> dict[str, str]:
    """Who asked. A retry is the same, so that it does not ask again; a cleared task is not."""
    ti = context["ti"]
    return {"dag_id": ti.dag_id, "run_id": ti.run_id, "clearing": str(ti.max_tries)}


def _told(answer: Mapping[str, Any]) -> str:
    """Who answered what, and why, in one sentence."""
    user = answer["responded_by_user"]
    word = "Approved" if answer["chosen_options"] == [APPROVE] else "Rejected"
    reason = (answer["params_input"] or {}).get("reason")
    who = f"by {user['name']}" if user else "since nobody answered in time"
    return f"{word} {who}{f': {reason}' if reason else ''}."
