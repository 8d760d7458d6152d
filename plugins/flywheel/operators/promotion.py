"""The steps that decide about a version: decide, approve, register, and roll_back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Context

from flywheel.links import CARD, REPORT_PAGE, cycle_page, evaluation_links, version_page
from flywheel.operators.base import CycleOperator, Result, run_identity
from include.core.documents.card import ModelCard
from include.core.documents.ledger import Entry
from include.core.documents.manifest import KeyRecord
from include.core.documents.model import Verdict
from include.core.documents.results import (
    ApproveResult,
    DecideResult,
    RegisterResult,
    RollBackResult,
    TrainResult,
)
from include.core.layout import EVALUATION, MODEL_CARD, VERDICT
from include.core.ledger import is_concluded, is_withdrawn, now, promotion_of, rejection_of, rollback
from include.core.sagemaker.inputs import read_output_document
from include.core.sagemaker.registry import Approval, find_version, lineage, model_card, set_approval
from include.core.sagemaker.requests import model_package


class DecidePromotionOperator(CycleOperator):
    """Record in the ledger whether the challenger is to be promoted, and why."""

    step = "decide"

    def execute(self, context: Context) -> Result:
        """Record the evaluation's verdict as a decision, once."""
        interval = self.interval(context)
        trained = self.result_of(context, "train", TrainResult)
        evaluated = self.output_of(context, "evaluate")
        verdict = self.document_of(evaluated, VERDICT, Verdict)
        transformed = self.output_of(context, "transform")
        wanted = Entry(
            kind="decision",
            at=now(),
            by=run_identity(context),
            interval=interval,
            key=trained.key,
            model_uri=trained.model_uri,
            transform_uri=transformed.uri,
            transform_digest=transformed.digest,
            evaluation_uri=evaluated.uri,
            evaluation_digest=evaluated.digest,
            data_end=interval.end,
            verdict=verdict,
            reasons=verdict.reasons,
            needs_approval=bool(verdict.promote and context["params"].get("approval")),
        )
        decision = self.ledger.decide(wanted)
        self.publish(context, cycle_page(self.cycle.name, entry=decision.number))
        word = "promote" if verdict.promote else "keep what there is"
        if verdict.undecided:
            word = f"not judged ({verdict.undecided})"
        self.log.info("Decision %d: %s. %s", decision.number, word, " ".join(decision.reasons))
        return self.result(
            DecideResult,
            interval=interval,
            key=trained.key,
            uri=f"{evaluated.uri}{VERDICT}",
            promote=verdict.promote,
            decision=decision,
            evidence=evidence(decision, verdict),
        )


class RegisterOperator(CycleOperator):
    """Make the model a version of the cycle's group; promote it in the ledger if that was the decision."""

    step = "register"
    operator_extra_links = (*CycleOperator.operator_extra_links, REPORT_PAGE, CARD)

    def execute(self, context: Context) -> Result:
        """Register the version, a rejected one as Rejected, so that the registry shows every attempt."""
        approved = self.result_of(context, "approve", ApproveResult)
        decision = approved.decision
        version = self._version(context, decision, "Approved" if approved.promote else "Rejected")
        path = version_page(self.cycle.name, version)
        self.publish(context, path, evaluation_links(self.cycle.name, decision.evaluation_uri))
        return self.result(
            RegisterResult,
            interval=approved.interval,
            key=approved.key,
            uri=decision.model_uri,
            evaluation_uri=decision.evaluation_uri,
            evaluation_digest=decision.evaluation_digest,
            version=version,
            promotion=self._promote(approved, decision, version) if approved.promote else None,
        )

    def _promote(self, approved: ApproveResult, decision: Entry, version: str) -> int:
        """Write the promotion, or find it written; its number."""
        reasons = (*decision.reasons, *approved.approval)
        wanted = replace(decision, kind="promotion", version=version, at=now(), reasons=reasons)
        promotion = self.ledger.promote(wanted, decision)
        if is_withdrawn(self.ledger.entries(), promotion):
            self.log.warning("%s was rolled back: promoted once, it does not come back by itself", version)
            set_approval(self.hook.api, version, "Rejected")
        else:
            self.log.info("Promoted %s by entry %d of the ledger", version, promotion.number)
        return promotion.number

    def _card(self, decision: Entry, approval: Approval) -> dict[str, str] | None:
        uri = f"{decision.evaluation_uri}{MODEL_CARD}"
        card = read_output_document(self.hook, uri, ModelCard, decision.evaluation_digest or "")
        if card is None:
            self.log.warning("There is no %s: the version gets no model card", uri)
            return None
        return model_card(card.decided(decision), approval)

    def _version(self, context: Context, decision: Entry, approval: Approval) -> str:
        """Return the ARN of the model's version, and create it unless it exists."""
        wanted = model_package(
            self.cycle,
            model_uri=decision.model_uri,
            evaluation_uri=f"{decision.evaluation_uri}{EVALUATION}",
            approval=approval,
            properties=self._properties(context, decision),
            card=self._card(decision, approval),
            settings=self.settings,
        )
        group = {
            "ModelPackageGroupName": self.cycle.name,
            "ModelPackageGroupDescription": self.cycle.description,
        }
        self.hook.create_once("create_model_package_group", group)
        own = [entry.at for entry in self.ledger.entries() if entry.model_uri == decision.model_uri]
        version = find_version(self.hook.api, self.cycle.name, decision.model_uri, min([decision.at, *own]))
        if version is None:
            arn: str = self.hook.api.create_model_package(**wanted)["ModelPackageArn"]
            self.log.info("Registered %s as %s", arn, approval)
            return arn
        set_approval(self.hook.api, version, approval)
        self.log.info("%s is registered already, now as %s", version, approval)
        return version

    def _properties(self, context: Context, decision: Entry) -> dict[str, str]:
        """Where the version comes from: every key can be looked up below `keys/`; its digests are here."""
        start, end = decision.interval.iso
        properties = {"interval_start": start, "interval_end": end, "run_id": decision.by["run_id"]}
        for step in ("transform", "train", "evaluate"):
            key = self.output_of(context, step).key
            record = self.hook.read_document(self.places.key_record(key), KeyRecord)
            properties |= {f"{step}_key": key, **lineage(record, step)}
            if step == "transform" and record:
                properties["known_until"] = record.parameters.get("known-until", end)
        return properties


def evidence(decision: Entry, verdict: Verdict) -> str:
    """Return what a person should see before approving, as a table in Markdown."""
    rows = {"challenger": verdict.challenger, "champion": verdict.champion}
    rows |= {f"baseline: {name}": bounds for name, bounds in verdict.baselines.items()}
    rows |= {"gain over the champion": verdict.gain}
    lines = [f"| model | {verdict.metric} | 95 % interval |", "|---|---|---|"]
    for name, bounds in rows.items():
        if bounds:
            middle, low, high = map(_number, (bounds.value, bounds.low, bounds.high))
            lines.append(f"| {name} | {middle} | {low} to {high} |")
    if verdict.confusion:
        answers = list(verdict.confusion)
        lines += [
            "",
            f"| true class | {' | '.join(f'answered {name}' for name in answers)} |",
            "|---" * (len(answers) + 1) + "|",
        ]
        lines += [
            f"| {true} | {' | '.join(str(row.get(name, 0)) for name in answers)} |"
            for true, row in verdict.confusion.items()
        ]
    reasons = "\n".join(f"- {reason}" for reason in decision.reasons)
    return f"Data up to {decision.data_end:%Y-%m-%d}.\n\n{reasons}\n\n" + "\n".join(lines)


def _number(value: float | None) -> str:
    """Return a number for people; an undefined one is null in JSON."""
    return "undefined" if value is None else f"{value:.4f}"


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
        decided = self.result_of(context, "decide", DecideResult)
        decision, entries = decided.decision, self.ledger.entries()
        self.publish(context, cycle_page(self.cycle.name, entry=decision.number))
        rejection = rejection_of(entries, decision)
        is_done = is_concluded(entries, decision) and rejection is None
        is_asked = bool(context["params"].get("approval"))
        if not decided.promote or is_done or not (is_asked or rejection):
            self.log.info("Nobody is asked: the decision is passed on")
            return self._result(decided, (), promote=decided.promote)
        if rejection and (not is_asked or rejection.by == _by(context)):
            self.log.info("Rejected before: %s", " ".join(rejection.reasons))
            return self._result(decided, rejection.reasons, promote=False)
        return dict(HITLOperator.execute(self, context))  # parks the task by an exception

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Result:
        """Record a rejection, and hand the answer on."""
        answer = super().execute_complete(context, event)
        decided = self.result_of(context, "decide", DecideResult)
        is_approved, sentence = answer["chosen_options"] == [APPROVE], _answer_sentence(answer)
        self.publish(context, cycle_page(self.cycle.name, entry=decided.decision.number))
        self.log.info("%s", sentence)
        if not is_approved:
            decision, by = decided.decision, _by(context)
            wanted = replace(decision, kind="rejection", at=now(), by=by, reasons=(sentence,), number=0)
            entry = self.ledger.reject(wanted, decision)
            self.log.info("Entry %d of the ledger: rejected", entry.number)
        return self._result(decided, (sentence,), promote=is_approved and decided.promote)

    def _result(self, decided: DecideResult, approval: tuple[str, ...], *, promote: bool) -> Result:
        return self.result(ApproveResult, **{**vars(decided), "approval": approval, "promote": promote})


def _by(context: Context) -> dict[str, str]:
    """Return who asked. A retry is the same, so that it does not ask again; a cleared task is not."""
    return {**run_identity(context), "clearing": str(context["ti"].max_tries)}


def _answer_sentence(answer: Mapping[str, Any]) -> str:
    """Return who answered what, and why, in one sentence."""
    user = answer["responded_by_user"]
    word = "Approved" if answer["chosen_options"] == [APPROVE] else "Rejected"
    reason = (answer["params_input"] or {}).get("reason")
    who = f"by {user['name']}" if user else "since nobody answered in time"
    return f"{word} {who}{f': {reason}' if reason else ''}."


class RollBackOperator(CycleOperator):
    """Record in the ledger that production goes back, to which version, by whom and why.

    It hands on the earlier version as `register` hands on a new one: deploy and verify treat both alike.
    """

    step = "roll_back"

    def execute(self, context: Context) -> Result:
        """Append the entry once for a run, and reject in the registry what is withdrawn."""
        # a run that was deleted and triggered again under its id is another one
        params, triggered = context["params"], context["dag_run"].run_after.isoformat()
        by = {**run_identity(context), "triggered_at": triggered}
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
        # the version gone back to, as `register` hands on a new one
        return self.result(
            RollBackResult,
            interval=entry.interval,
            key=entry.key,
            uri=entry.model_uri,
            evaluation_uri=entry.evaluation_uri,
            evaluation_digest=entry.evaluation_digest,
            version=entry.version,
            promotion=promotion_of(self.ledger.entries(), entry).number,
            replaces=entry.replaces,
            entry=entry.number,
        )

    def _follow(self, entry: Entry) -> None:
        """Make the registry say what the ledger does of what is withdrawn, and of what production is."""
        entries, why = self.ledger.entries(), f"Rolled back: {entry.reasons[0]}"
        promoted = [promotion for promotion in entries if promotion.kind == "promotion" and promotion.version]
        standing = {promotion.version for promotion in promoted if not is_withdrawn(entries, promotion)}
        for version in sorted(
            {promotion.version for promotion in promoted if promotion.version} - standing - {entry.version}
        ):
            set_approval(self.hook.api, version, "Rejected", why)
        set_approval(self.hook.api, str(entry.version), "Approved")
