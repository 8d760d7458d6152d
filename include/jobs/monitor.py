"""monitor: the interval's rows against the champion's baseline, its predictions against known labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from include.jobs.contract import Step, run
from include.jobs.manifest import write_json, write_manifest
from include.jobs.tables import read_chunks, read_table
from include.ml import constraints, drift
from include.ml.quality import model_quality
from include.ml.refusal import Refused
from include.ml.statistics import Histograms, Profile, baseline_statistics

#: columns of the rows that identify them and are no features
IDENTITY = ("event_id", "event_time")


def monitor(step: Step) -> dict[str, float]:
    """Write statistics, constraints, violations and model quality."""
    drifted, n_rows = watch_data(step)
    quality = watch_quality(step)
    counts = {"rows_in": n_rows, "rows_out": n_rows, "rows_quarantined": 0, "rows_duplicate": 0}
    metrics = {**drifted, **quality}
    write_manifest(step, counts=counts, metrics=metrics)
    return {"rows_in": n_rows, **metrics}


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


def watch_quality(step: Step) -> dict[str, float]:
    """Judge the predictions by the labels known by the interval's end; metrics by name."""
    features, cycle = step.module("features"), step.description
    labels = read_table(step.required("prepared") / "labels/labels.parquet")
    scored = read_scored(step.required("scored"))
    known = labels[labels["known_time"] <= step.end].rename(columns={"label": "truth"})
    judged = scored.merge(known[["event_id", "truth"]], on="event_id", how="inner", validate="one_to_one")
    strange = sorted(set(judged["label"]) - set(features.CLASSES))
    if strange:
        raise Refused(f"The scored files predict {strange}, which are none of {list(features.CLASSES)}.")
    quality = model_quality(judged, features.CLASSES, cycle.task)
    quality["dataset"] |= {"start_time": step.start.isoformat(), "end_time": step.end.isoformat()}
    write_json(step.output / "model_quality.json", quality)
    values = quality[f"{cycle.task}_classification_metrics"]
    metrics = {name: found["value"] for name, found in values.items() if "value" in found}
    return {"scored": len(scored), "judged": len(judged), **metrics}


def read_scored(root: Path) -> pd.DataFrame:
    """Event id, label and score of every scored row, from the transform job's `*.out` files."""
    names, files = ["event_id", "label", "score"], sorted(root.rglob("*.out"))
    if not files:
        raise Refused(f"The scored data holds no *.out file ({root}). Run the batch transform again.")
    parts = []
    for path in files:
        part = pd.read_csv(path, header=None, dtype=str, keep_default_na=False)
        if part.shape[1] != len(names):
            raise Refused(
                f"{path.name} has {part.shape[1]} columns; a scored row is event id, label and score. "
                "Check the transform job's OutputFilter."
            )
        parts.append(part.set_axis(names, axis="columns"))
    scored = pd.concat(parts, ignore_index=True)
    score = pd.to_numeric(scored["score"], errors="coerce")
    if score.isna().any():
        row = scored[score.isna()].iloc[0]
        raise Refused(
            f"The score of {row['event_id']} is {row['score']!r}, no number. Run the transform again."
        )
    return scored.assign(score=score)


def main() -> None:
    """Run the step in its container."""
    run("monitor", monitor)
