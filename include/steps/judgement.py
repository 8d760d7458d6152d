"""The part of `evaluate` that compares the models and judges the challenger: verdict.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from include.core.cycle import Promotion
from include.core.documents.codec import narrow
from include.core.documents.model import Bounds, MeasuredMetric, PromotionRule, Verdict
from include.core.tasks import TASKS, task_of_classes
from include.ml.evaluation import metrics
from include.ml.evaluation.comparison import (
    Answers,
    BootstrapPlan,
    Gain,
    Holdout,
    SliceGain,
    answered_classes,
    gains,
    slice_gains,
)
from include.ml.evaluation.operating import operating_gains
from include.ml.evaluation.promotion import PromotionDecision, decide_promotion, remark, why_undecided
from include.ml.evaluation.resampling import Sample
from include.steps.contract import Step
from include.steps.rows import Rows

BASELINES = ("constant", "linear")

Estimates = dict[str, dict[str, MeasuredMetric]]


@dataclass(frozen=True)
class Comparison:
    """What the verdict is made from."""

    #: by metric and rival
    gains: dict[str, dict[str, Gain]]
    #: over the champion, in the cycle's metric
    slices: tuple[SliceGain, ...]
    #: over the champion, in how answers fare
    operating: dict[str, Gain]
    #: the challenger's answers at its threshold, by true class and answered class
    confusion: dict[str, dict[str, int]]


def compare_models(step: Step, rows: Rows, holdout: Holdout, answers: Mapping[str, Answers]) -> Comparison:
    """Return the challenger's gains over every rival, and over the champion in every slice."""
    cycle = step.description
    challenger, champion = answers["challenger"], answers.get("champion")
    rivals = {name: theirs for name, theirs in answers.items() if name != "challenger"}
    rule = cycle.promotion
    plan = BootstrapPlan(rule.confidence, rule.repetitions, rule.seed)
    by_metric = {
        metric: gains(metric, holdout, challenger, rivals, plan) for metric in TASKS[cycle.task].compared
    }
    confusion = confusion_by_class(rows.labels, challenger, step.module("features").CLASSES)
    if champion is None:
        return Comparison(by_metric, (), {}, confusion)
    groups = {name: rows.columns[name] for name in step.module("estimator").SLICES}
    slices = slice_gains(
        cycle.metric,
        holdout,
        challenger=challenger,
        champion=champion,
        groups=groups,
        floor=rule.floor,
        plan=plan,
    )
    operating = operating_gains(cycle.task, holdout, challenger, champion, plan)
    return Comparison(by_metric, slices, operating, confusion)


def judge_challenger(step: Step, holdout: Holdout, estimates: Estimates, compared: Comparison) -> Verdict:
    """Return what verdict.json says."""
    cycle = step.description
    measured = {name: narrow(Bounds, estimated[cycle.metric]) for name, estimated in estimates.items()}
    over = compared.gains[cycle.metric]
    over_baselines = {name: over[name] for name in BASELINES}
    decision = _decide(step, holdout, compared)
    return Verdict(
        promote=decision.promote,
        reasons=decision.reasons,
        undecided=decision.undecided,
        metric=cycle.metric,
        challenger=measured["challenger"],
        champion=measured.get("champion"),
        baselines={name: measured[name] for name in BASELINES},
        gain=over.get("champion"),
        baseline_gains=over_baselines,
        slices=compared.slices,
        operating=compared.operating or None,
        confusion=compared.confusion,
        rule=describe_rule(cycle.promotion),
    )


def _decide(step: Step, holdout: Holdout, compared: Comparison) -> PromotionDecision:
    """Return the decision by the cycle's metric, if the holdout has enough rows of each kind for one."""
    cycle, sample = step.description, Sample(holdout.labels, holdout.clusters)
    undecided = why_undecided(sample)
    if undecided:
        return undecided
    over = compared.gains[cycle.metric]
    baselines = {name: over[name] for name in BASELINES}
    decision = decide_promotion(
        cycle.metric,
        cycle.promotion.minimum_gain,
        over.get("champion"),
        baselines,
        compared.slices,
        operating=compared.operating,
        operating_slack=cycle.promotion.operating_slack,
    )
    return replace(decision, reasons=(*decision.reasons, *remark(sample)))


def describe_rule(rule: Promotion) -> PromotionRule:
    """Return the rule as the verdict keeps it."""
    return PromotionRule(
        minimum_gain=rule.minimum_gain,
        slice_floor=rule.slice_floor,
        slice_floors=dict(rule.slice_floors),
        operating_slack=rule.operating_slack,
        confidence=rule.confidence,
        repetitions=rule.repetitions,
        seed=rule.seed,
        block_s=None if rule.block is None else int(rule.block.total_seconds()),
    )


def confusion_by_class(
    labels: np.ndarray, answers: Answers, classes: tuple[str, ...]
) -> dict[str, dict[str, int]]:
    """Return counts of rows by true class and answered class."""
    matrix = metrics.confusion(labels, answered_classes(answers), len(classes)).tolist()
    return {name: dict(zip(classes, row, strict=True)) for name, row in zip(classes, matrix, strict=True)}


def registry_metrics(
    rows: Rows,
    answers: Answers,
    estimates: Mapping[str, MeasuredMetric],
    classes: tuple[str, ...],
) -> dict[str, Any]:
    """Return metrics in the registry's schema, with confusion matrix and, for two classes, ROC curve."""
    metric = task_of_classes(len(classes)).metric
    registered: dict[str, Any] = {
        metric(name).registry_name: {
            "value": estimate.value,
            "standard_deviation": estimate.standard_deviation,
            **({"reason": estimate.reason} if estimate.value is None else {}),
        }
        for name, estimate in estimates.items()
    }
    registered["confusion_matrix"] = confusion_by_class(rows.labels, answers, classes)
    if len(classes) == 2:  # noqa: PLR2004 - two classes
        false, true = metrics.roc_curve(rows.labels, answers.probabilities[:, 1])
        registered["receiver_operating_characteristic_curve"] = {
            "false_positive_rates": false.tolist(),
            "true_positive_rates": true.tolist(),
        }
    return registered
