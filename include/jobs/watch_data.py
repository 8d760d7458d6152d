"""The part of `monitor` that compares the interval's rows with the champion's baseline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from include.jobs.contract import Step
from include.jobs.manifest import write_json
from include.jobs.tables import read_chunks
from include.ml import constraints, drift
from include.ml.refusal import Refused
from include.ml.statistics import Histograms, Profile, baseline_statistics

#: columns of the rows that identify them and are no features
IDENTITY = ("event_id", "event_time")


def watch_data(step: Step) -> tuple[dict[str, float], int]:
    """Compare the rows' statistics with the baseline's; metrics and the number of rows."""
    before, rules = read_baseline(step)
    edges = {
        feature["name"]: drift.bucket_edges(feature)
        for feature in before["features"]
        if feature.get("numerical_statistics", {}).get("distribution", {}).get("kll", {}).get("buckets")
    }
    now, in_buckets = describe(step, Histograms(edges))
    moved = drift.distances(before, now, in_buckets.counts)
    found = drift.violations(rules, now, moved)
    write_json(step.output / "statistics.json", now)
    write_json(step.output / "constraints.json", constraints.suggest(now))
    write_json(step.output / "constraint_violations.json", {"violations": found})
    n_drifted = sum(v["constraint_check_type"] == "baseline_drift_check" for v in found)
    metrics = {
        "violations": len(found),
        "drifted_features": n_drifted,
        "compared_features": len(moved),
        "largest_distance": max(moved.values(), default=0.0),
    }
    return metrics, now["dataset"]["item_count"]


def describe(step: Step, in_buckets: Histograms) -> tuple[dict[str, Any], Histograms]:
    """Statistics of the prepared rows, and their counts in the baseline's buckets, in two passes."""
    profile = Profile()
    for frame in _rows(step):
        profile.add(frame)
    fine = Histograms(profile.fine_edges())
    in_buckets.edges = {name: edge for name, edge in in_buckets.edges.items() if name in profile.numbers()}
    in_buckets.counts = {name: in_buckets.counts[name] for name in in_buckets.edges}
    for frame in _rows(step):
        fine.add(frame)
        in_buckets.add(frame)
    return baseline_statistics(profile, fine), in_buckets


def _rows(step: Step) -> Iterator[pd.DataFrame]:
    files = sorted((step.required("prepared") / "rows").glob("*.parquet"))
    if not files:
        raise Refused("The prepared data holds no rows/*.parquet. Run prepare for the interval.")
    for path in files:
        for frame in read_chunks(path):
            yield frame.drop(columns=[column for column in IDENTITY if column in frame])


def read_baseline(step: Step) -> tuple[dict[str, Any], dict[str, Any]]:
    """The champion's statistics.json and constraints.json."""
    root = step.required("baseline")
    try:
        contents = [json.loads((root / f"{name}.json").read_text()) for name in ("statistics", "constraints")]
    except (OSError, ValueError) as error:
        raise Refused(f"The champion's baseline cannot be read: {error}. Run its transform again.") from error
    return contents[0], contents[1]
