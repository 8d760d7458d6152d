"""The part of `monitor` that compares a window's rows and answers with the champion's baseline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from include.core.layout import (
    CALIBRATION,
    CONSTRAINTS,
    DISTRIBUTIONS,
    PREDICTIONS,
    REFERENCE,
    STATISTICS,
    VIOLATIONS,
)
from include.ml.evaluation import clusters
from include.ml.evaluation.clusters import ClusteredRows
from include.ml.exceptions import InvalidInput
from include.ml.monitoring import alarms, constraints, drift, violations
from include.ml.monitoring.drift import Side
from include.ml.monitoring.judging import once_each
from include.ml.monitoring.separability import measure_separability
from include.ml.monitoring.statistics import Profile
from include.ml.monitoring.summaries import histogram
from include.steps import tables
from include.steps.contract import Step
from include.steps.manifest import write_json
from include.steps.monitoring.reference import SAMPLE_ROWS, TIME
from include.steps.tables import read_table

#: columns of the rows that identify them and are no features
IDENTITY = ("event_id", TIME)


@dataclass(frozen=True)
class Baseline:
    """What the champion left of the rows that it was trained on."""

    statistics: dict[str, Any]
    constraints: dict[str, Any]
    #: monitoring.json; empty of a model evaluated before there was one
    monitoring: dict[str, Any]
    #: reference.parquet; without it nothing is compared row by row
    reference: pd.DataFrame | None

    @property
    def features(self) -> dict[str, dict[str, Any]]:
        """The features that have a distribution, by name: private ones have none."""
        found = {feature["name"]: feature for feature in self.statistics["features"]}
        return {name: each for name, each in found.items() if _spread(each)}

    @property
    def edges(self) -> dict[str, np.ndarray]:
        """The bounds of the numbers' buckets."""
        return {
            name: drift.bucket_edges(each) for name, each in self.features.items() if not drift.is_text(each)
        }


@dataclass(frozen=True)
class Current:
    """What is kept of the window's rows."""

    profile: Profile
    sample: pd.DataFrame


def monitor_data(step: Step) -> dict[str, Any]:
    """Write statistics, constraints, violations and distributions; return the data's part of evidence.json.

    Returns `rows`, `broken`, `features`, `separability`, `predictions`, and `metrics` for the manifest.
    """
    baseline = read_baseline(step)
    current = read_rows(step, baseline)
    now = current.profile.statistics()
    sides = clustered_samples(step, baseline, current)
    broken = violations.faults(violations.violations(baseline.constraints, now, []))
    without = {each["feature"] for each in broken}
    moved = movements(step, baseline, current, sides, without)
    found = violations.violations(baseline.constraints, now, moved)
    predictions, answers = monitor_predictions(step, baseline.monitoring.get("predictions"))
    write_json(step.output / STATISTICS, now)
    rule = step.description.monitoring
    write_json(step.output / CONSTRAINTS, constraints.suggest_constraints(now, rule.minimum_distance))
    write_json(step.output / VIOLATIONS, {"violations": found})
    spread = {"features": distributions(baseline, current), "predictions": answers}
    write_json(step.output / DISTRIBUTIONS, spread)
    return {
        "rows": current.profile.rows,
        "broken": broken,
        "features": alarms.feature_entries(moved, importance_shares(step, baseline)),
        "separability": separability_entry(step, sides, without),
        "predictions": predictions,
        "metrics": {
            "violations": len(found),
            "broken_features": len(without),
            "compared_features": len(moved),
            "drifted_features": sum(each.is_drifted for each in moved),
            "largest_distance": max((each.distance for each in moved), default=0.0),
        },
    }


def read_baseline(step: Step) -> Baseline:
    """Return the champion's statistics and constraints, and what its evaluation left."""
    root, evaluated = step.required("baseline"), step.input("evaluated")
    try:
        statistics, rules = (
            json.loads((root / f"{name}.json").read_text()) for name in ("statistics", "constraints")
        )
        left = evaluated / CALIBRATION
        monitoring = json.loads(left.read_text()) if left.is_file() else {}
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"The champion's baseline cannot be read: {error}. Run its transform again."
        ) from error
    reference = evaluated / REFERENCE
    return Baseline(statistics, rules, monitoring, read_table(reference) if reference.is_file() else None)


def read_rows(step: Step, baseline: Baseline) -> Current:
    """Count the window's rows in the baseline's buckets, in one pass."""
    files = sorted((step.required("prepared") / "rows").glob("*.parquet"))
    known = {n: list(drift.categories(each)) for n, each in baseline.features.items() if drift.is_text(each)}
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
    if block is None:
        return np.arange(len(rows))
    seconds = rows[TIME].dt.as_unit("s").astype("int64").to_numpy()
    codes: np.ndarray = pd.factorize(seconds // int(block.total_seconds()))[0]
    return codes


def movements(
    step: Step,
    baseline: Baseline,
    current: Current,
    sides: tuple[ClusteredRows, ClusteredRows] | None,
    without: set[str],
) -> list[drift.Movement]:
    """Return how far each feature has moved; clustered rows count less."""
    rule, now = step.description.monitoring, current.profile.statistics()
    present = {feature["name"]: drift.count_present(feature) for feature in now["features"]}
    effects = {}
    if sides and step.description.promotion.block is not None:
        effects = {
            name: clusters.pair_of_effects(
                name, baseline.edges.get(name), sides, (drift.count_present(each), present[name])
            )
            for name, each in baseline.features.items()
            if name not in without and all(name in side.rows for side in sides)
        }
    return drift.movements(
        baseline.statistics,
        now,
        current.profile.counts(),
        drift.DriftRule(
            minimum_distance=rule.minimum_distance,
            significance=rule.significance,
            minimum_rows=rule.minimum_rows,
        ),
        without=without,
        design_effects=effects,
    )


def importance_shares(step: Step, baseline: Baseline) -> dict[str, float]:
    """Return each column's share of the model's importance; equal shares if its evaluation left none."""
    signature = dict.fromkeys(step.module("features").SIGNATURE, 0.0)
    return alarms.importance_shares(baseline.monitoring.get("importance") or signature)


def separability_entry(
    step: Step, sides: tuple[ClusteredRows, ClusteredRows] | None, without: set[str]
) -> dict[str, Any] | None:
    """Return the `separability` of evidence.json; None if it is not asked for or cannot be measured."""
    rule = step.description.monitoring
    if sides is None or rule.separability_limit is None:
        return None
    if min(len(side.rows) for side in sides) < rule.minimum_rows:
        return None
    dropped = [TIME, *without]
    found = measure_separability(
        *(ClusteredRows(side.rows.drop(columns=dropped, errors="ignore"), side.clusters) for side in sides)
    )
    if found is None:
        return None
    limit = rule.separability_limit
    return {**asdict(found), "limit": limit, "is_drifted": found.low > limit}


def distributions(baseline: Baseline, current: Current) -> list[dict[str, Any]]:
    """Return the `features` of distributions.json: shares of both sides in common bins."""
    counts, now = current.profile.counts(), current.profile.statistics()
    texts = {each["name"]: each for each in now["features"] if drift.is_text(each)}
    found: list[dict[str, Any]] = []
    for name, before in baseline.features.items():
        if drift.is_text(before) and name in texts:
            sides = drift.categories(before), drift.categories(texts[name])
            values = sorted(sides[0].keys() | sides[1].keys())
            shares = [shares_of([side.get(value, 0) for value in values]) for side in sides]
            entry: dict[str, Any] = {"kind": "text", "values": values}
        elif not drift.is_text(before) and name in counts:
            shares = [shares_of(drift.bucket_counts(before).tolist()), shares_of(counts[name].tolist())]
            entry = {"kind": "number", "edges": baseline.edges[name].tolist()}
        else:
            continue
        found.append({"name": name, **entry, "baseline": shares[0], "current": shares[1]})
    return found


def shares_of(counts: list[int]) -> list[float]:
    """Return counts over their sum."""
    total = sum(counts)
    return [count / total for count in counts] if total else [0.0] * len(counts)


def _spread(feature: dict[str, Any]) -> bool:
    told = constraints.statistics_of(feature)["distribution"]
    return bool((told.get("kll") or told.get("categorical"))["buckets"])


Found = tuple[dict[str, Any] | None, dict[str, Any] | None]


def monitor_predictions(step: Step, baseline: Mapping[str, Any] | None) -> Found:
    """Return the `predictions` of evidence.json and of distributions.json; None if a side has no answers.

    :param baseline: the `predictions` of monitoring.json
    """
    answers = once_each(read_table(step.required("collected") / PREDICTIONS))
    if baseline is None or answers.empty:
        return None, None
    is_number = baseline["kind"] == "number"
    bins, counts, spread = bin_scores(answers, baseline) if is_number else bin_labels(answers, baseline)
    before = np.array(baseline["counts"])
    pair = (
        Side(before, baseline["design_effect"]),
        Side(counts, answers_design_effect(step, answers, bins, baseline)),
    )
    moved = _moved(is_number, pair)
    rule = step.description.monitoring
    is_judged = min(before.sum(), counts.sum()) >= rule.minimum_rows
    is_large = moved.distance - moved.by_chance >= rule.minimum_distance
    moved = replace(moved, is_drifted=bool(is_judged and is_large and moved.p_value < rule.significance))
    told = {name: asdict(moved)[name] for name in ("test", "distance", "p_value", "is_drifted")}
    return told, {
        **spread,
        "baseline": (before / before.sum()).tolist(),
        "current": (counts / counts.sum()).tolist(),
    }


def _moved(is_number: bool, pair: tuple[Side, Side]) -> drift.Movement:  # noqa: FBT001 - one of two tests
    if is_number:
        return drift.of_numbers("predictions", *pair)
    values = [str(place) for place in range(len(pair[0].counts))]
    before, now = (dict(zip(values, side.counts.tolist(), strict=True)) for side in pair)
    return drift.of_texts("predictions", before, now, (pair[0].design_effect, pair[1].design_effect))


def bin_scores(
    answers: pd.DataFrame, baseline: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Return the scores' buckets, their counts, and the axis of a drawing."""
    edges = np.array(baseline["edges"])
    bins = clusters.bins_of(answers["score"], edges)
    counts = histogram(answers["score"].to_numpy(float), edges)
    return bins, counts, {"kind": "number", "edges": baseline["edges"]}


def bin_labels(
    answers: pd.DataFrame, baseline: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Return the labels' places, their counts, and the axis of a drawing."""
    values = list(baseline["values"])
    bins = pd.Categorical(answers["label"], categories=values).codes.astype(int)
    return bins, np.bincount(bins, minlength=len(values)), {"kind": "text", "values": values}


def answers_design_effect(
    step: Step, answers: pd.DataFrame, bins: np.ndarray, baseline: Mapping[str, Any]
) -> float:
    """Return the design effect of the window's answers, 1 or more."""
    block = step.description.promotion.block
    if block is None:
        return 1.0
    seconds = answers["event_time"].dt.as_unit("s").astype("int64").to_numpy()
    codes = pd.factorize(seconds // int(block.total_seconds()))[0]
    own = clusters.correlation(bins, codes, ordered=baseline["kind"] == "number")
    known = [each for each in (own, baseline["correlation"]) if each is not None]
    return clusters.design_effect(sum(known) / len(known) if known else 0.0, codes, len(bins))
