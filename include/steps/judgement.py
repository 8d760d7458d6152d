"""The part of `evaluate` that compares the models and judges the challenger: verdict.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from include.core.cycle import Promotion
from include.core.documents.model import Bounds, JudgedSlice, PromotionRule, Verdict
from include.ml.evaluation.comparison import (
    BINARY_METRICS,
    MULTICLASS_METRICS,
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
    slices: list[SliceGain]


def read_holdout(step: Step, rows: Rows) -> Holdout:
    """Return the rows to compare on, clustered by blocks of event time if the cycle says so."""
    block = step.description.promotion.block
    if block is None:
        return Holdout(rows.labels, rows.event_ids)
    clusters = event_seconds(step.required("holdout")) // int(block.total_seconds())
    return Holdout(rows.labels, rows.event_ids, clusters)


def event_seconds(folder: Path) -> np.ndarray:
    """Return event times in seconds since 1970, in the order of `read_rows`."""
    parts = [pd.read_parquet(part, columns=["event_time"]) for part in sorted(folder.rglob("*.parquet"))]
    times = pd.concat(parts, ignore_index=True)["event_time"].dt.as_unit("s")
    seconds: np.ndarray = times.astype("int64").to_numpy()
    return seconds


def plan(rule: Promotion) -> BootstrapPlan:
    """Return how the rule's intervals are computed."""
    return BootstrapPlan(rule.confidence, rule.repetitions, rule.seed)


def compare_models(step: Step, rows: Rows, holdout: Holdout, answers: Mapping[str, Answers]) -> Comparison:
    """Return the challenger's gains over every rival, and over the champion in every slice."""
    cycle = step.description
    challenger, champion = answers["challenger"], answers.get("champion")
    rivals = {name: found for name, found in answers.items() if name != "challenger"}
    known = BINARY_METRICS if cycle.task == "binary" else MULTICLASS_METRICS
    how = plan(cycle.promotion)
    found = {metric: gains(metric, holdout, challenger, rivals, how) for metric in known}
    if champion is None:
        return Comparison(found, [])
    groups = {name: rows.columns[name] for name in step.module("estimator").SLICES}
    judged = slice_gains(
        cycle.metric,
        holdout,
        challenger=challenger,
        champion=champion,
        groups=groups,
        floor=cycle.promotion.floor,
        plan=how,
    )
    return Comparison(found, judged)


def judge_challenger(step: Step, estimates: Estimates, compared: Comparison) -> Verdict:
    """Return what verdict.json says."""
    cycle = step.description
    found = {name: each[cycle.metric] for name, each in estimates.items()}
    over = compared.gains[cycle.metric]
    over_baselines = {name: over[name] for name in BASELINES}
    decision = decide_promotion(
        cycle.metric, cycle.promotion.minimum_gain, over.get("champion"), over_baselines, compared.slices
    )
    return Verdict(
        promote=decision.promote,
        reasons=decision.reasons,
        metric=cycle.metric,
        challenger=_bounds(found["challenger"]),
        champion=_bounds(found["champion"]) if "champion" in found else None,
        baselines={name: _bounds(found[name]) for name in BASELINES},
        gain=_bounds(over["champion"]) if "champion" in over else None,
        baseline_gains={name: _bounds(each) for name, each in over_baselines.items()},
        slices=tuple(_judged(each) for each in compared.slices),
        rule=_kept(cycle.promotion),
    )


def _bounds(found: Estimate | Gain) -> Bounds:
    return Bounds(found.value, found.low, found.high)


def _judged(found: SliceGain) -> JudgedSlice:
    return JudgedSlice(
        column=found.column,
        value=found.value,
        rows=found.rows,
        gain=_bounds(found.gain),
        floor=found.floor,
        is_under_floor=found.is_under_floor,
    )


def _kept(rule: Promotion) -> PromotionRule:
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
