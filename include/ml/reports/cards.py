"""The model card: what a version is, how it came about and how good it is, as SageMaker's JSON and as HTML.

The JSON keeps SageMaker's model card schema, whose texts have limits. What one evaluation says is the same
whenever it is said, so neither has the time of writing; the ledger knows when and by whom it was decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from include.ml.reports import evaluation as reports

#: the schema's limits of a text
SHORT, LONG = 1024, 2048
#: the schema's limit of a matrix
MATRIX_CLASSES = 20


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a card is made from."""

    cycle: str
    purpose: str
    intended_uses: str
    limits: str
    task: str
    classes: Sequence[str]
    #: "data interval", "event cut-off" and so on: where the version comes from
    lineage: Mapping[str, str]
    hyperparameters: Mapping[str, str]
    features: Sequence[str]
    #: what training counted and measured
    training: Mapping[str, float | None]
    #: the content of verdict.json and evaluation.json
    verdict: Mapping[str, Any]
    evaluation: Mapping[str, Any]


def document(facts: Facts) -> dict[str, Any]:
    """The card in SageMaker's model card schema."""
    return {
        "model_overview": {
            "model_name": facts.cycle,
            "model_description": facts.purpose[:SHORT],
            "problem_type": f"{facts.task} classification",
        },
        "intended_uses": {
            "purpose_of_model": facts.purpose[:LONG],
            "intended_uses": facts.intended_uses[:LONG],
            "risk_rating": "Unknown",
        },
        "training_details": {
            "training_observations": _words(facts.hyperparameters, "Hyperparameters: ")[:SHORT],
            "training_job_details": {"user_provided_training_metrics": _training(facts.training)},
        },
        "evaluation_details": [_evaluated(facts)],
        "business_details": {"business_problem": facts.purpose[:LONG]},
        "additional_information": {
            "caveats_and_recommendations": facts.limits[:LONG],
            "custom_details": {
                **{name: text[:SHORT] for name, text in facts.lineage.items()},
                "features": ", ".join(facts.features)[:SHORT],
            },
        },
    }


def page(facts: Facts) -> str:
    """The same for people, as one HTML page that needs nothing else."""
    evaluation, verdict = facts.evaluation, facts.verdict
    title = f"Model card: {facts.cycle}, {facts.lineage['data interval'].replace('T00:00:00+00:00', '')}"
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in verdict["reasons"])
    features = f"<p><strong>{len(facts.features)} features:</strong> {escape(', '.join(facts.features))}.</p>"
    parts = [
        f"<p>{escape(facts.purpose)}</p>",
        f'<div class="verdict"><strong>{_outcome(verdict)}.</strong><ul>{reasons}</ul></div>',
        f"<h2>Intended uses</h2><p>{escape(facts.intended_uses)}</p>",
        f"<h2>Limits</h2><p>{escape(facts.limits)}</p>",
        "<h2>Where it comes from</h2>",
        reports.table("Lineage", _pairs(facts.lineage)),
        reports.table("Hyperparameters", _pairs(facts.hyperparameters) or [{"name": "the cycle's defaults"}]),
        reports.table("Training", _pairs(facts.training)),
        features,
        f"<h2>Quality on {evaluation['rows']} holdout rows</h2>",
        reports.metrics(evaluation["models"]),
        reports.table("Gain of the challenger over each rival", reports.gains(evaluation["gain"])),
        reports.slices(verdict, evaluation["slices"]),
    ]
    return reports.whole(title, parts)


def _outcome(verdict: Mapping[str, Any]) -> str:
    return "Promote" if verdict["promote"] else "Keep what there is"


def _pairs(values: Mapping[str, object]) -> list[dict[str, object]]:
    return [{"name": name, "value": "undefined" if each is None else each} for name, each in values.items()]


def _words(values: Mapping[str, str], before: str) -> str:
    return before + (", ".join(f"{name}={value}" for name, value in values.items()) or "the cycle's defaults")


def _training(measured: Mapping[str, float | None]) -> list[dict[str, Any]]:
    """Training's metrics; the schema has no word for one that is undefined."""
    return [{"name": name, "value": value} for name, value in measured.items() if value is not None]


def _evaluated(facts: Facts) -> dict[str, Any]:
    evaluation, verdict = facts.evaluation, facts.verdict
    groups = [
        {"name": name, "metric_data": [_metric(metric, each) for metric, each in found.items()]}
        for name, found in evaluation["models"].items()
    ]
    for rival in [name for name in evaluation["models"] if name != "challenger"]:
        over = [_metric(metric, rivals[rival]) for metric, rivals in evaluation["gain"].items()]
        groups.append({"name": f"gain over {rival}", "metric_data": over})
    groups.append({"name": "slices", "metric_data": [_slice(each) for each in verdict["slices"]]})
    matrix = evaluation[f"{facts.task}_classification_metrics"]["confusion_matrix"]
    if len(facts.classes) <= MATRIX_CLASSES:
        groups.append({"name": "confusion matrix", "metric_data": [_matrix(matrix, facts.classes)]})
    return {
        "name": "holdout",
        "evaluation_observation": f"{_outcome(verdict)}. {' '.join(verdict['reasons'])}"[:LONG],
        "metadata": {"rows": str(evaluation["rows"]), "metric": verdict["metric"]},
        "metric_groups": groups,
    }


def _metric(name: str, found: Mapping[str, float | None]) -> dict[str, Any]:
    """One number with its interval; an undefined one is told in words."""
    value = found["value"]
    notes = f"interval {found['low']} to {found['high']}"
    if value is None:
        return {"name": name, "type": "string", "value": "undefined", "notes": notes}
    return {"name": name, "type": "number", "value": value, "notes": notes}


def _slice(found: Mapping[str, Any]) -> dict[str, Any]:
    named = _metric(f"gain where {found['column']} is {found['value']}"[:255], found["gain"])
    judged = "under its floor" if found["is_under_floor"] else "held"
    return {**named, "notes": f"{named['notes']}; floor {found['floor']}, {judged}; {found['rows']} rows"}


def _matrix(matrix: Mapping[str, Mapping[str, int]], classes: Sequence[str]) -> dict[str, Any]:
    """Rows are true classes, columns are what the challenger said."""
    return {
        "name": "confusion matrix",
        "type": "matrix",
        "value": [[matrix[true][said] for said in classes] for true in classes],
        "x_axis_name": list(classes),
        "y_axis_name": list(classes),
    }
