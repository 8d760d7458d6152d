"""The part of `monitor` that compares a window's rows and answers with the champion's baseline."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from include.core.documents.codec import narrow
from include.core.documents.data import (
    ConstraintViolations,
    Distribution,
    Distributions,
    FeatureDistribution,
)
from include.core.documents.model import Bins, Histogram, MonitoringBaseline
from include.core.documents.monitoring import DataEvidence, PredictionDrift, Separability
from include.core.layout import (
    CONSTRAINTS,
    DISTRIBUTIONS,
    PREDICTIONS,
    REFERENCE,
    STATISTICS,
    VIOLATIONS,
)
from include.ml.evaluation import clusters
from include.ml.evaluation.clusters import ClusteredRows
from include.ml.monitoring import alarms, constraints, drift, violations
from include.ml.monitoring.drift import DriftRule, Side
from include.ml.monitoring.judging import once_each
from include.ml.monitoring.separability import measure_separability
from include.ml.monitoring.statistics import Profile
from include.ml.monitoring.summaries import half_open, histogram
from include.steps import tables
from include.steps.contract import Step, read_document
from include.steps.manifest import write_document, write_json
from include.steps.monitoring.reference import SAMPLE_ROWS, TIME, read_monitoring
from include.steps.tables import read_table

#: columns of the rows that identify them and are no features
IDENTITY = ("event_id", TIME)
TRANSFORM_AGAIN = "The champion's baseline cannot be used: run its transform again."


@dataclass(frozen=True)
class Baseline:
    """What the champion left of the rows that it was trained on."""

    statistics: dict[str, Any]
    constraints: dict[str, Any]
    #: None for a model that was evaluated before there was such a document
    monitoring: MonitoringBaseline | None
    #: reference.parquet; without it nothing is compared row by row
    reference: pd.DataFrame | None

    @property
    def features(self) -> dict[str, dict[str, Any]]:
        """The features that have a distribution, by name: private ones have none."""
        return {
            feature["name"]: feature
            for feature in self.statistics["features"]
            if any(part["buckets"] for part in constraints.statistics_of(feature)["distribution"].values())
        }

    @property
    def edges(self) -> dict[str, np.ndarray]:
        """The bounds of the numbers' buckets."""
        return {
            name: drift.bucket_edges(feature)
            for name, feature in self.features.items()
            if not drift.is_text(feature)
        }


@dataclass(frozen=True)
class Current:
    """What is kept of the window's rows."""

    profile: Profile
    sample: pd.DataFrame


def monitor_data(step: Step) -> tuple[DataEvidence, dict[str, float]]:
    """Write statistics, constraints, violations and distributions; return what they show.

    The second value are metrics for the manifest.
    """
    baseline, rule = read_baseline(step), drift_rule(step)
    current = read_rows(step, baseline)
    now = current.profile.statistics()
    sides = clustered_samples(step, baseline, current)
    broken = violations.faults(violations.violations(baseline.constraints, now, []))
    without = {fault.feature for fault in broken}
    moved = drift.movements(
        baseline.statistics,
        now,
        current.profile.counts(),
        rule,
        without=without,
        design_effects=design_effects(step, baseline, now, sides, without),
    )
    violated = violations.violations(baseline.constraints, now, moved)
    predictions, answers = monitor_predictions(step, baseline, rule)
    write_json(step.output / STATISTICS, now)
    suggested = constraints.suggest_constraints(now, rule.minimum_distance)
    write_json(step.output / CONSTRAINTS, suggested)
    write_document(step.output / VIOLATIONS, ConstraintViolations(violations=tuple(violated)))
    spread = Distributions(features=distributions(baseline, current), predictions=answers)
    write_document(step.output / DISTRIBUTIONS, spread)
    evidence = DataEvidence(
        rows=current.profile.rows,
        broken=broken,
        features=alarms.feature_drifts(moved, importance_shares(step, baseline)),
        separability=find_separability(step, sides, without),
        predictions=predictions,
    )
    return evidence, {
        "violations": len(violated),
        "broken_features": len(without),
        "compared_features": len(moved),
        "drifted_features": sum(movement.is_drifted for movement in moved),
        "largest_distance": max((movement.distance for movement in moved), default=0.0),
    }


def drift_rule(step: Step) -> DriftRule:
    """Return when a feature of the cycle has drifted."""
    rule = step.description.monitoring
    return DriftRule(
        minimum_distance=rule.minimum_distance,
        significance=rule.significance,
        minimum_rows=rule.minimum_rows,
    )


def read_baseline(step: Step) -> Baseline:
    """Return the champion's statistics and constraints, and what its evaluation left."""
    root, evaluated = step.required("baseline"), step.input("evaluated")
    reference = evaluated / REFERENCE
    return Baseline(
        statistics=read_document(root / STATISTICS, json.loads, TRANSFORM_AGAIN),
        constraints=read_document(root / CONSTRAINTS, json.loads, TRANSFORM_AGAIN),
        monitoring=read_monitoring(evaluated),
        reference=read_table(reference) if reference.is_file() else None,
    )


def read_rows(step: Step, baseline: Baseline) -> Current:
    """Count the window's rows in the baseline's buckets, in one pass."""
    files = sorted((step.required("prepared") / "rows").glob("*.parquet"))
    texts = {name: entry for name, entry in baseline.features.items() if drift.is_text(entry)}
    known = {name: list(drift.categories(entry)) for name, entry in texts.items()}
    profile = Profile(baseline.edges, known, step.description.monitoring.private)
    sample = tables.RowSample(tables.count_rows(files), SAMPLE_ROWS)
    for path in files:
        for batch in tables.read_batches(path):
            names = [name for name in batch.schema.names if name not in IDENTITY]
            profile.add(tables.columns_of(batch, names), batch.num_rows)
            sample.add(batch)
    return Current(profile, sample.frame())


def clustered_samples(
    step: Step, baseline: Baseline, current: Current
) -> tuple[ClusteredRows, ClusteredRows] | None:
    """Return a sample of both sides; None if a side has no row, or no time that names its clusters."""
    block, reference = step.description.promotion.block, baseline.reference
    if reference is None or reference.empty or current.sample.empty:
        return None
    if block is not None and TIME not in reference:
        return None
    before, now = (ClusteredRows(rows, cluster_codes(rows, block)) for rows in (reference, current.sample))
    return before, now


def cluster_codes(rows: pd.DataFrame, block: timedelta | None) -> np.ndarray:
    """Return the block of time of each row, counted from 0; each row is its own if rows are independent."""
    blocks = clusters.time_blocks(rows[TIME], block) if block else None
    return np.arange(len(rows)) if blocks is None else pd.factorize(blocks)[0]


def design_effects(
    step: Step,
    baseline: Baseline,
    now: dict[str, Any],
    sides: tuple[ClusteredRows, ClusteredRows] | None,
    without: set[str],
) -> dict[str, tuple[float, float]]:
    """Return by how much clustered rows count less, by feature; nothing where rows are independent."""
    if sides is None or step.description.promotion.block is None:
        return {}
    present = {feature["name"]: drift.count_present(feature) for feature in now["features"]}
    bounds = {name: half_open(edges) for name, edges in baseline.edges.items()}
    return {
        name: clusters.pair_of_effects(
            name, bounds.get(name), sides, (drift.count_present(feature), present[name])
        )
        for name, feature in baseline.features.items()
        if name not in without and all(name in side.rows for side in sides)
    }


def importance_shares(step: Step, baseline: Baseline) -> dict[str, float]:
    """Return each column's share of the model's importance; equal shares if its evaluation left none."""
    left = baseline.monitoring.importance if baseline.monitoring else {}
    return alarms.importance_shares(left or dict.fromkeys(step.module("features").SIGNATURE, 0.0))


def find_separability(
    step: Step, sides: tuple[ClusteredRows, ClusteredRows] | None, without: set[str]
) -> Separability | None:
    """Return whether a classifier tells the sides; None if it is not asked for or cannot be measured."""
    rule = step.description.monitoring
    if sides is None or rule.separability_limit is None:
        return None
    if min(len(side.rows) for side in sides) < rule.minimum_rows:
        return None
    dropped = [TIME, *without]
    before, now = (
        ClusteredRows(side.rows.drop(columns=dropped, errors="ignore"), side.clusters) for side in sides
    )
    return measure_separability(before, now, limit=rule.separability_limit)


def distributions(baseline: Baseline, current: Current) -> tuple[FeatureDistribution, ...]:
    """Return the `features` of distributions.json: shares of both sides in common bins."""
    counts, now = current.profile.counts(), current.profile.statistics()
    texts = {feature["name"]: feature for feature in now["features"] if drift.is_text(feature)}
    spreads: list[FeatureDistribution] = []
    for name, before in baseline.features.items():
        if drift.is_text(before) and name in texts:
            values, aligned = drift.align_categories(drift.categories(before), drift.categories(texts[name]))
            bins = Bins(kind="text", values=tuple(values))
            shares = [shares_of(side) for side in aligned.tolist()]
        elif not drift.is_text(before) and name in counts:
            shares = [shares_of(drift.bucket_counts(before).tolist()), shares_of(counts[name].tolist())]
            bins = Bins(kind="number", edges=tuple(baseline.edges[name].tolist()))
        else:
            continue
        spreads.append(FeatureDistribution(name=name, **vars(bins), baseline=shares[0], current=shares[1]))
    return tuple(spreads)


def shares_of(counts: list[int]) -> tuple[float, ...]:
    """Return counts over their sum."""
    total = sum(counts) or 1
    return tuple(count / total for count in counts)


def monitor_predictions(
    step: Step, baseline: Baseline, rule: DriftRule
) -> tuple[PredictionDrift | None, Distribution | None]:
    """Return how far the answers have moved, and their distributions; None if a side has no answers."""
    answers = once_each(read_table(step.required("collected") / PREDICTIONS))
    if baseline.monitoring is None or answers.empty:
        return None, None
    spread = baseline.monitoring.predictions
    bins, counts = bin_answers(answers, spread)
    before = Side(np.array(spread.counts), spread.design_effect or 1.0)
    now = Side(counts, answers_design_effect(step, answers, bins, spread))
    moved = (drift.of_numbers if spread.kind == "number" else drift.of_texts)("predictions", before, now)
    if min(before.counts.sum(), counts.sum()) >= rule.minimum_rows:
        (moved,) = drift.mark_drifted([moved], rule)
    shares = [tuple(side.shares.tolist()) for side in (before, now)]
    distribution = Distribution(**vars(narrow(Bins, spread)), baseline=shares[0], current=shares[1])
    return narrow(PredictionDrift, moved), distribution


def bin_answers(answers: pd.DataFrame, spread: Histogram) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the answers in the baseline's bins, and how many there are in each bin."""
    if spread.edges is not None:
        edges = np.array(spread.edges)
        bins = clusters.bins_of(answers["score"], half_open(edges))
        return bins, histogram(answers["score"].to_numpy(float), edges)
    labels = pd.Categorical(answers["label"], categories=spread.values)
    bins = labels.codes.astype(int)
    return bins, np.bincount(bins, minlength=len(labels.categories))


def answers_design_effect(step: Step, answers: pd.DataFrame, bins: np.ndarray, spread: Histogram) -> float:
    """Return the design effect of the window's answers, 1 or more."""
    block = step.description.promotion.block
    if block is None:
        return 1.0
    codes = cluster_codes(answers, block)
    own = clusters.correlation(bins, codes, ordered=spread.kind == "number")
    known = [correlation for correlation in (own, spread.correlation) if correlation is not None]
    return clusters.design_effect(sum(known) / len(known) if known else 0.0, codes, len(bins))
