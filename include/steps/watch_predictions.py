"""The part of `monitor` that compares the window's answers with those of the champion's evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from include.ml.evaluation import clusters
from include.ml.monitoring import drift
from include.ml.monitoring.binning import histogram
from include.ml.monitoring.drift import Side
from include.ml.monitoring.judging import once_each
from include.steps.contract import Step
from include.steps.tables import read_table

Found = tuple[dict[str, Any] | None, dict[str, Any] | None]


def watch_predictions(step: Step, baseline: Mapping[str, Any] | None) -> Found:
    """The `predictions` of evidence.json and of distributions.json; null if a side has no answers.

    :param baseline: the `predictions` of monitoring.json
    """
    answers = once_each(read_table(step.required("collected") / "predictions.parquet"))
    if baseline is None or answers.empty:
        return None, None
    is_number = baseline["kind"] == "number"
    bins, counts, spread = numbers(answers, baseline) if is_number else texts(answers, baseline)
    before = np.array(baseline["counts"])
    pair = (
        Side(before, baseline["design_effect"]),
        Side(counts, worth(step, answers, bins, baseline)),
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


def numbers(
    answers: pd.DataFrame, baseline: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """The scores' buckets, their counts, and what a figure needs besides."""
    edges = np.array(baseline["edges"])
    bins = clusters.bins_of(answers["score"], edges)
    counts = histogram(answers["score"].to_numpy(float), edges)
    return bins, counts, {"kind": "number", "edges": baseline["edges"]}


def texts(
    answers: pd.DataFrame, baseline: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """The labels' places, their counts, and what a figure needs besides."""
    values = list(baseline["values"])
    bins = pd.Categorical(answers["label"], categories=values).codes.astype(int)
    return bins, np.bincount(bins, minlength=len(values)), {"kind": "text", "values": values}


def worth(step: Step, answers: pd.DataFrame, bins: np.ndarray, baseline: Mapping[str, Any]) -> float:
    """By how many times the window's answers are worth less than independent ones."""
    block = step.description.promotion.block
    if block is None:
        return 1.0
    seconds = answers["event_time"].dt.as_unit("s").astype("int64").to_numpy()
    codes = pd.factorize(seconds // int(block.total_seconds()))[0]
    own = clusters.correlation(bins, codes, ordered=baseline["kind"] == "number")
    known = [each for each in (own, baseline["correlation"]) if each is not None]
    return clusters.design_effect(sum(known) / len(known) if known else 0.0, codes, len(bins))
