"""The steps that decide about a version: decide and register; approve, between them, is in approval.py."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context

from flywheel.links import ModelCardLink, ReportLink, cycle_page, object_url, version_page
from flywheel.operators.base import CycleOperator, Result
from include.core.documents.ledger import Entry
from include.core.documents.model import Verdict
from include.core.exceptions import OutputMissing
from include.core.layout import EVALUATION, MODEL_CARD, MODEL_CARD_PAGE, REPORT, Interval
from include.core.ledger import is_withdrawn
from include.core.sagemaker.registry import Approval, lineage, model_card, set_approval
from include.core.sagemaker.requests import model_package


class DecideOperator(CycleOperator):
    """Record in the ledger whether the challenger is to be promoted, and why."""

    step = "decide"

    def execute(self, context: Context) -> Result:
        """The verdict of the evaluation becomes a decision; the same decision is recorded once."""
        interval = self.interval(context)
        trained, evaluated = self.result_of(context, "train"), self.result_of(context, "evaluate")
        uri = f"{evaluated['uri']}verdict.json"
        found = self.hook.read_json(uri)
        if found is None:
            raise OutputMissing(f"The evaluation {evaluated['job']} left no {uri}. Clear `evaluate`.")
        verdict = Verdict.from_json(found)
        wanted = self._entry(context, interval, verdict)
        decision = self.ledger.decide(wanted)
        self.publish(context, cycle_page(self.cycle.name, entry=decision.number))
        word = "promote" if verdict.promote else "keep what there is"
        self.log.info("Decision %d: %s. %s", decision.number, word, " ".join(decision.reasons))
        return {
            "cycle": self.cycle.name,
            "step": self.step,
            "interval": interval.iso,
            "key": trained["key"],
            "uri": uri,
            "promote": verdict.promote,
            "decision": decision.as_json(),
            "evidence": evidence(decision, verdict),
        }

    def _entry(self, context: Context, interval: Interval, verdict: Verdict) -> Entry:
        trained = self.result_of(context, "train")
        return Entry(
            kind="decision",
            at=datetime.now(UTC).replace(microsecond=0),
            by={"dag_id": context["ti"].dag_id, "run_id": context["ti"].run_id},
            interval=interval,
            key=trained["key"],
            model_uri=trained["model_uri"],
            transform_uri=self.result_of(context, "transform")["uri"],
            evaluation_uri=self.result_of(context, "evaluate")["uri"],
            data_end=interval.end,
            verdict=verdict,
            reasons=verdict.reasons,
            needs_approval=bool(verdict.promote and context["params"].get("approval")),
        )


class RegisterOperator(CycleOperator):
    """Make the model a version of the cycle's group; promote it in the ledger if that was the decision."""

    step = "register"
    operator_extra_links = (*CycleOperator.operator_extra_links, ReportLink(), ModelCardLink())

    def execute(self, context: Context) -> Result:
        """A rejected challenger is registered too, as Rejected: the registry shows every attempt."""
        decided = self.result_of(context, "approve")
        decision = Entry.from_json(decided["decision"])
        version = self._version(context, decision, "Approved" if decided["promote"] else "Rejected")
        self._link(context, decision, version)
        number = self._promote(decided, decision, version) if decided["promote"] else None
        return {
            "cycle": self.cycle.name,
            "step": self.step,
            "interval": decided["interval"],
            "key": decided["key"],
            "uri": decision.model_uri,
            "version": version,
            "promotion": number,
        }

    def _promote(self, decided: Result, decision: Entry, version: str) -> int:
        """Write the promotion, or find it written; its number."""
        at = datetime.now(UTC).replace(microsecond=0)
        reasons = (*decision.reasons, *decided["approval"])
        wanted = replace(decision, kind="promotion", version=version, at=at, reasons=reasons)
        promotion = self.ledger.promote(wanted, decision)
        if is_withdrawn(self.ledger.entries(), promotion):
            self.log.warning("%s was rolled back: promoted once, it does not come back by itself", version)
            set_approval(self.hook.api, version, "Rejected")
        else:
            self.log.info("Promoted %s by entry %d of the ledger", version, promotion.number)
        return promotion.number

    def _link(self, context: Context, decision: Entry, version: str) -> None:
        pages = {"Report": REPORT, "Model card": MODEL_CARD_PAGE}
        links = {n: object_url(self.hook, f"{decision.evaluation_uri}{page}") for n, page in pages.items()}
        self.publish(context, version_page(self.cycle.name, version), links)

    def _card(self, decision: Entry, approval: Approval) -> dict[str, str] | None:
        uri = f"{decision.evaluation_uri}{MODEL_CARD}"
        content = self.hook.read_json(uri)
        if content is None:
            self.log.warning("There is no %s: the version gets no model card", uri)
            return None
        made = content["additional_information"]["custom_details"]
        made |= {
            "decided at": decision.at.isoformat(),
            "decided by": f"{decision.by['dag_id']}, {decision.by['run_id']}",
        }
        content["model_overview"]["model_artifact"] = [decision.model_uri]
        return model_card(content, approval)

    def _version(self, context: Context, decision: Entry, approval: Approval) -> str:
        """The ARN of the model's version, made unless there is one."""
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
        found = self._find(decision)
        if found is None:
            arn: str = self.hook.api.create_model_package(**wanted)["ModelPackageArn"]
            self.log.info("Registered %s as %s", arn, approval)
            return arn
        arn = found["ModelPackageArn"]
        set_approval(self.hook.api, arn, approval)
        self.log.info("%s is registered already, now as %s", arn, approval)
        return arn

    def _find(self, decision: Entry) -> dict[str, Any] | None:
        """The version of this very model, if there is one."""
        pages = self.hook.api.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=self.cycle.name
        )
        for summary in (item for page in pages for item in page["ModelPackageSummaryList"]):
            package: dict[str, Any] = self.hook.api.describe_model_package(
                ModelPackageName=summary["ModelPackageArn"]
            )
            if package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] == decision.model_uri:
                return package
        return None

    def _properties(self, context: Context, decision: Entry) -> dict[str, str]:
        """Where the version comes from: every key can be looked up below `keys/`; its digests are here."""
        start, end = decision.interval.iso
        told = {"interval_start": start, "interval_end": end, "run_id": decision.by["run_id"]}
        for step in ("transform", "train", "evaluate"):
            key = self.result_of(context, step)["key"]
            record = self.hook.read_json(self.places.key_record(key))
            told |= {f"{step}_key": key, **lineage(record, step)}
            if step == "transform" and record:
                told["known_until"] = record["parameters"].get("known-until", end)
        return told


def evidence(decision: Entry, verdict: Verdict) -> str:
    """What a person should see before approving, as a table in Markdown."""
    rows = {"challenger": verdict.challenger, "champion": verdict.champion}
    rows |= {f"baseline: {name}": bounds for name, bounds in verdict.baselines.items()}
    rows |= {"gain over the champion": verdict.gain}
    lines = [f"| model | {verdict.metric} | 95 % interval |", "|---|---|---|"]
    for name, bounds in rows.items():
        if bounds:
            middle, low, high = map(_number, (bounds.value, bounds.low, bounds.high))
            lines.append(f"| {name} | {middle} | {low} to {high} |")
    told = "\n".join(f"- {reason}" for reason in decision.reasons)
    return f"Data up to {decision.data_end:%Y-%m-%d}.\n\n{told}\n\n" + "\n".join(lines)


def _number(value: float | None) -> str:
    """A number for people; an undefined one is null in JSON."""
    return "undefined" if value is None else f"{value:.4f}"
