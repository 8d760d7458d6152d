"""The step that takes production back to an earlier version: roll_back."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from flywheel.links import cycle_page
from flywheel.operators.base import CycleOperator, Result
from include.core.documents.ledger import Entry
from include.core.ledger import is_withdrawn
from include.core.rollback import promotion_of, rollback
from include.core.sagemaker.registry import set_approval


class RollBackOperator(CycleOperator):
    """Record in the ledger that production goes back, to which version, by whom and why.

    Its result stands for those of `register` and `evaluate`, so that deploy and verify do with the earlier
    version what they did when it was new.
    """

    step = "roll_back"

    def execute(self, context: Context) -> Result:
        """Append the entry once for a run, and reject in the registry what is withdrawn."""
        params, ti = context["params"], context["ti"]
        by = {"dag_id": ti.dag_id, "run_id": ti.run_id}
        user = getattr(context["dag_run"], "triggering_user_name", None)
        if user:
            by["user"] = user

        def propose(entries: list[Entry]) -> Entry:
            return rollback(entries, params["to_version"], params["reason"], by)

        entry = self.ledger.append(propose)
        self.publish(context, cycle_page(self.cycle.name, entry=entry.number))
        self.log.info(
            "Entry %d: back from %s to %s. %s", entry.number, entry.replaces, entry.version, entry.reasons[0]
        )
        self._follow(entry)
        return self._result(entry)

    def _follow(self, entry: Entry) -> None:
        """Make the registry say what the ledger does of what is withdrawn, and of what production is."""
        entries, why = self.ledger.entries(), f"Rolled back: {entry.reasons[0]}"
        promoted = [each for each in entries if each.kind == "promotion" and each.version]
        standing = {each.version for each in promoted if not is_withdrawn(entries, each)}
        for version in sorted(
            {each.version for each in promoted if each.version} - standing - {entry.version}
        ):
            set_approval(self.hook.api, version, "Rejected", why)
        set_approval(self.hook.api, str(entry.version), "Approved")

    def _result(self, entry: Entry) -> Result:
        promotion = promotion_of(self.ledger.entries(), entry)
        told: dict[str, Any] = {"cycle": self.cycle.name, "interval": entry.interval.iso, "key": entry.key}
        return {
            **told,
            "step": self.step,
            "version": entry.version,
            "replaces": entry.replaces,
            "entry": entry.number,
            "register": {
                **told,
                "step": "register",
                "uri": entry.model_uri,
                "version": entry.version,
                "promotion": promotion.number,
            },
            "evaluate": {**told, "step": "evaluate", "uri": entry.evaluation_uri},
        }
