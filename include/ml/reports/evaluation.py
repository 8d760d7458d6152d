"""What people read of an evaluation: its report, and the model card as SageMaker's JSON and as HTML.

The card says what a version is, where it comes from and how good it is. Its JSON follows SageMaker's model
card schema, which limits the length of texts. Nothing here has the time of writing, so the same evaluation
gives the same report and card; the ledger knows when and by whom it was decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from markupsafe import Markup

from include.core.documents.card import CardInformation, ModelCard
from include.core.documents.model import Bounds, Evaluation, JudgedSlice, PromotionRule, Verdict
from include.ml.reports import charts, pages, phrases

Row = dict[str, object]
Curve = tuple[Sequence[float], Sequence[float]]


def render_evaluation(
    title: str, verdict: Verdict, evaluation: Evaluation, curves: Mapping[str, Curve]
) -> str:
    """Return the report as an HTML page.

    Parameters
    ----------
    title
        Heading of the page, text.
    verdict, evaluation
        What evaluate found.
    curves
        False and true positive rates of each model, 0 to 1; empty if there are more classes than two.
    """
    return pages.render_page(
        "evaluation.html.j2",
        title=title,
        outcome=outcome_of(verdict),
        reasons=verdict.reasons,
        method=_method(verdict.rule, evaluation.rows),
        gains=gain_rows(evaluation),
        metrics=metric_rows(evaluation),
        operating=operating_rows(evaluation),
        confusion=confusion_rows(verdict.confusion or {}),
        charts=_charts(verdict, evaluation, curves),
        slices=slice_rows(verdict, evaluation),
        calibrations={name: [asdict(row) for row in rows] for name, rows in evaluation.calibrations.items()},
        importance=[{"column": name, "loss": loss} for name, loss in evaluation.importance.items()],
    )


def _charts(verdict: Verdict, evaluation: Evaluation, curves: Mapping[str, Curve]) -> list[Markup]:
    drawn = [charts.gain_chart(verdict)]
    if verdict.slices:
        drawn.append(charts.slice_chart(verdict.slices, verdict.metric))
    if curves:
        drawn.append(charts.roc_chart(curves))
    return [*drawn, charts.calibration_chart(evaluation.calibrations)]


def outcome_of(verdict: Verdict) -> str:
    """Return the verdict in words."""
    if verdict.undecided:
        return "Not judged: keep what there is"
    return "Promote" if verdict.promote else "Keep what there is"


def _method(rule: PromotionRule | None, rows: int) -> str:
    """Say how the numbers were computed."""
    scored = f"All models were scored by the same code on the same {rows} holdout rows."
    if rule is None:
        return scored
    drawn = "rows"
    if rule.block_s:
        drawn = f"blocks of {rule.block_s / 3600:g} hours, because their rows share what no column tells,"
    return (
        f"{scored} Brackets hold 95 % intervals: of shares by counting, of others by a bootstrap of {drawn} "
        f"and of gains by a paired one: {rule.confidence:.0%}, {rule.repetitions} draws."
    )


def operating_rows(evaluation: Evaluation) -> list[Row]:
    """Return a row for the threshold and for each operating metric, with a column for every model."""
    rows: list[Row] = []
    point = evaluation.operating_point
    if evaluation.thresholds:
        rows.append(
            {
                "metric": "threshold",
                **{n: f"{threshold:.4f}" for n, threshold in evaluation.thresholds.items()},
            }
        )
    if point and point.threshold.low is not None and point.threshold.high is not None:
        low, high = point.threshold.low, point.threshold.high
        rows[0]["challenger"] = f"{rows[0]['challenger']} [{low:.4f}, {high:.4f}]"
    by_model = evaluation.operating or {}
    names = next(iter(by_model.values()), {})
    for name in names:
        cells = {model: phrases.estimate(estimates[name]) for model, estimates in by_model.items()}
        rows.append({"metric": name, **cells})
    return rows


def confusion_rows(confusion: Mapping[str, Mapping[str, int]]) -> list[Row]:
    """Return a row for each true class, with a column for every answer."""
    return [
        {"true class": true, **{f"answered {predicted}": rows for predicted, rows in answered.items()}}
        for true, answered in confusion.items()
    ]


def gain_rows(evaluation: Evaluation) -> list[Row]:
    """Return a row for each metric, with a column for every rival."""
    return [
        {"metric": metric, **{f"over {rival}": phrases.estimate(gain) for rival, gain in rivals.items()}}
        for metric, rivals in evaluation.gain.items()
    ]


def slice_rows(verdict: Verdict, evaluation: Evaluation) -> list[Row]:
    """Return the challenger's metric in each slice, with its gain over the champion if there is one."""
    judged = {(s.column, s.value): s for s in verdict.slices}
    return [
        {**row, **(_slice_gain(judged.get((row["column"], row["value"]))) if judged else {})}
        for row in evaluation.slices
    ]


def _slice_gain(judged: JudgedSlice | None) -> Row:
    if judged is None:
        return {"gain over champion": "too few rows", "floor": "", "judged": ""}
    return {
        "gain over champion": phrases.estimate(judged.gain),
        "floor": judged.floor,
        "judged": _outcome(judged),
    }


def _outcome(judged: JudgedSlice) -> str:
    return "under its floor" if judged.is_under_floor else "held"


def metric_rows(evaluation: Evaluation) -> list[Row]:
    """Return a row for each metric, with the interval of every model."""
    return [
        {
            "metric": metric,
            **{name: phrases.estimate(values[metric]) for name, values in evaluation.models.items()},
        }
        for metric in next(iter(evaluation.models.values()))
    ]


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
    verdict: Verdict
    evaluation: Evaluation


def card_document(facts: CardFacts) -> ModelCard:
    """Return the card in SageMaker's model card schema."""
    details = {**facts.lineage, "features": ", ".join(facts.features)}
    return ModelCard(
        model_overview={
            "model_name": facts.cycle,
            "model_description": facts.purpose[:SHORT],
            "problem_type": f"{facts.task} classification",
        },
        intended_uses={
            "purpose_of_model": facts.purpose[:LONG],
            "intended_uses": facts.intended_uses[:LONG],
            "risk_rating": "Unknown",
        },
        training_details={
            "training_observations": _listed(facts.hyperparameters, "Hyperparameters: ")[:SHORT],
            "training_job_details": {"user_provided_training_metrics": _training(facts.training)},
        },
        evaluation_details=(_evaluated(facts),),
        business_details={"business_problem": facts.purpose[:LONG]},
        additional_information=CardInformation(
            caveats_and_recommendations=facts.limits[:LONG],
            custom_details={name: text[:SHORT] for name, text in details.items()},
        ),
    )


def render_card(facts: CardFacts) -> str:
    """Return the card as an HTML page."""
    return pages.render_page(
        "card.html.j2",
        title=f"Model card: {facts.cycle}, {facts.lineage['data interval'].replace('T00:00:00+00:00', '')}",
        facts=facts,
        outcome=outcome_of(facts.verdict),
        lineage=_pairs(facts.lineage),
        hyperparameters=_pairs(facts.hyperparameters) or [{"name": "the cycle's defaults"}],
        training=_pairs(facts.training),
        metrics=metric_rows(facts.evaluation),
        gains=gain_rows(facts.evaluation),
        slices=slice_rows(facts.verdict, facts.evaluation),
    )


def _pairs(values: Mapping[str, object]) -> list[dict[str, object]]:
    return [{"name": key, "value": "undefined" if value is None else value} for key, value in values.items()]


def _listed(values: Mapping[str, str], before: str) -> str:
    return before + (", ".join(f"{name}={value}" for name, value in values.items()) or "the cycle's defaults")


def _training(measured: Mapping[str, float | None]) -> list[dict[str, Any]]:
    """Return the metrics of training; the schema cannot hold an undefined one."""
    return [{"name": name, "value": value} for name, value in measured.items() if value is not None]


def _evaluated(facts: CardFacts) -> dict[str, Any]:
    evaluation, verdict = facts.evaluation, facts.verdict
    groups = [
        {"name": name, "metric_data": [_metric(metric, bounds) for metric, bounds in measured.items()]}
        for name, measured in evaluation.models.items()
    ]
    for name, rates in (evaluation.operating or {}).items():
        metric_data = [_metric(rate, bounds) for rate, bounds in rates.items()]
        groups.append({"name": f"answers of {name} at its threshold", "metric_data": metric_data})
    for rival in [name for name in evaluation.models if name != "challenger"]:
        over = [_metric(metric, rivals[rival]) for metric, rivals in evaluation.gain.items()]
        groups.append({"name": f"gain over {rival}", "metric_data": over})
    groups.append({"name": "slices", "metric_data": [_slice(judged) for judged in verdict.slices]})
    if len(facts.classes) <= MATRIX_CLASSES:
        groups.append({"name": "confusion matrix", "metric_data": [_matrix(evaluation, facts.classes)]})
    return {
        "name": "holdout",
        "evaluation_observation": f"{outcome_of(verdict)}. {' '.join(verdict.reasons)}"[:LONG],
        "metadata": {"rows": str(evaluation.rows), "metric": verdict.metric},
        "metric_groups": groups,
    }


def _metric(name: str, bounds: Bounds) -> dict[str, Any]:
    """Return one number with its interval; an undefined one is a text."""
    notes = f"interval {bounds.low} to {bounds.high}" + (f", {bounds.reason}" if bounds.reason else "")
    if bounds.value is None:
        return {"name": name, "type": "string", "value": "undefined", "notes": notes}
    return {"name": name, "type": "number", "value": bounds.value, "notes": notes}


def _slice(judged: JudgedSlice) -> dict[str, Any]:
    named = _metric(f"gain where {judged.column} is {judged.value}"[:255], judged.gain)
    outcome = f"floor {judged.floor}, {_outcome(judged)}; {judged.rows} rows"
    return {**named, "notes": f"{named['notes']}; {outcome}"}


def _matrix(evaluation: Evaluation, classes: Sequence[str]) -> dict[str, Any]:
    """Return the confusion matrix: rows are true classes, columns are the challenger's answers."""
    matrix = evaluation.registered["confusion_matrix"]
    return {
        "name": "confusion matrix",
        "type": "matrix",
        "value": [[matrix[true][predicted] for predicted in classes] for true in classes],
        "x_axis_name": list(classes),
        "y_axis_name": list(classes),
    }
