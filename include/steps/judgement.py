"""The part of `evaluate` that compares the models and judges the challenger: verdict.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from include.core.cycle import Promotion
from include.core.documents.model import Bounds, PromotionRule, Verdict
from include.core.tasks import TASKS
from include.ml.evaluation.comparison import (
    Answers,
    BootstrapPlan,
    Gain,
    Holdout,
    SliceGain,
    gains,
    slice_gains,
)
from include.ml.evaluation.metrics import Estimate
from include.ml.evaluation.promotion import decide_promotion
from include.steps.contract import Step
from include.steps.rows import Rows

BASELINES = ("constant", "linear")

Estimates = dict[str, dict[str, Estimate]]


@dataclass(frozen=True)
class Comparison:
    """What the verdict is made from."""

    #: by metric and rival
    gains: dict[str, dict[str, Gain]]
    #: over the champion, in the cycle's metric
    slices: tuple[SliceGain, ...]


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
    if champion is None:
        return Comparison(by_metric, ())
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
    return Comparison(by_metric, slices)


def judge_challenger(step: Step, estimates: Estimates, compared: Comparison) -> Verdict:
    """Return what verdict.json says."""
    cycle = step.description
    measured = {name: metrics[cycle.metric] for name, metrics in estimates.items()}
    over = compared.gains[cycle.metric]
    over_baselines = {name: over[name] for name in BASELINES}
    decision = decide_promotion(
        cycle.metric, cycle.promotion.minimum_gain, over.get("champion"), over_baselines, compared.slices
    )
    return Verdict(
        promote=decision.promote,
        reasons=decision.reasons,
        metric=cycle.metric,
        challenger=_bounds(measured["challenger"]),
        champion=_bounds(measured["champion"]) if "champion" in measured else None,
        baselines={name: _bounds(measured[name]) for name in BASELINES},
        gain=over.get("champion"),
        baseline_gains=over_baselines,
        slices=compared.slices,
        rule=describe_rule(cycle.promotion),
    )


def _bounds(estimate: Estimate) -> Bounds:
    return Bounds(estimate.value, estimate.low, estimate.high)


def describe_rule(rule: Promotion) -> PromotionRule:
    """Return the rule as the verdict keeps it."""
    return PromotionRule(
        minimum_gain=rule.minimum_gain,
        slice_floor=rule.slice_floor,
        slice_floors=dict(rule.slice_floors),
        confidence=rule.confidence,
        repetitions=rule.repetitions,
        seed=rule.seed,
        block_s=None if rule.block is None else int(rule.block.total_seconds()),
    )
