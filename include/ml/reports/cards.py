"""The model card: what a version is, where it comes from and how good it is, as SageMaker's JSON and as HTML.

The JSON follows SageMaker's model card schema, which limits the length of texts. Neither form has the time of
writing, so the same evaluation gives the same card; the ledger knows when and by whom it was decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.ml.reports import pages
from include.ml.reports.evaluation import gain_rows, metric_rows, outcome_of, slice_rows

#: the schema's limits of a text
SHORT, LONG = 1024, 2048
#: the schema's limit of a matrix
MATRIX_CLASSES = 20


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """What a card shows."""

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


def card_document(facts: CardFacts) -> dict[str, Any]:
    """Return the card in SageMaker's model card schema."""
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
            "training_observations": _listed(facts.hyperparameters, "Hyperparameters: ")[:SHORT],
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


def render_card(facts: CardFacts) -> str:
    """Return the card as an HTML page."""
    evaluation = facts.evaluation
    return pages.render_page(
        "card.html.j2",
        title=f"Model card: {facts.cycle}, {facts.lineage['data interval'].replace('T00:00:00+00:00', '')}",
        facts=facts,
        outcome=outcome_of(facts.verdict),
        lineage=_pairs(facts.lineage),
        hyperparameters=_pairs(facts.hyperparameters) or [{"name": "the cycle's defaults"}],
        training=_pairs(facts.training),
        metrics=metric_rows(evaluation["models"]),
        gains=gain_rows(evaluation["gain"]),
        slices=slice_rows(facts.verdict, evaluation["slices"]),
    )


def _pairs(values: Mapping[str, object]) -> list[dict[str, object]]:
    return [{"name": name, "value": "undefined" if each is None else each} for name, each in values.items()]


def _listed(values: Mapping[str, str], before: str) -> str:
    return before + (", ".join(f"{name}={value}" for name, value in values.items()) or "the cycle's defaults")


def _training(measured: Mapping[str, float | None]) -> list[dict[str, Any]]:
    """Return the metrics of training; the schema cannot hold an undefined one."""
    return [{"name": name, "value": value} for name, value in measured.items() if value is not None]


def _evaluated(facts: CardFacts) -> dict[str, Any]:
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
        "evaluation_observation": f"{outcome_of(verdict)}. {' '.join(verdict['reasons'])}"[:LONG],
        "metadata": {"rows": str(evaluation["rows"]), "metric": verdict["metric"]},
        "metric_groups": groups,
    }


def _metric(name: str, found: Mapping[str, float | None]) -> dict[str, Any]:
    """Return one number with its interval; an undefined one is a text."""
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
    """Return the confusion matrix: rows are true classes, columns are the challenger's answers."""
    return {
        "name": "confusion matrix",
        "type": "matrix",
        "value": [[matrix[true][said] for said in classes] for true in classes],
        "x_axis_name": list(classes),
        "y_axis_name": list(classes),
    }
