"""What evaluate leaves for monitoring, and how monitor and mature read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from include.core.layout import CALIBRATION, EVALUATION, REFERENCE
from include.ml.evaluation import clusters
from include.ml.exceptions import InvalidInput
from include.ml.monitoring.estimation import calibration_map
from include.ml.monitoring.judging import Standard
from include.ml.monitoring.summaries import histogram, quantile_edges
from include.steps.contract import Step
from include.steps.manifest import write_json
from include.steps.tables import RowSample, count_rows, read_batches, write_table

#: training rows that stand for all of them
SAMPLE_ROWS = 5000
#: the time of a row, by which rows that share what no column tells are held together
TIME = "event_time"


def monitored_features(step: Step) -> list[str]:
    """Return the features that may leave the training data: all but private ones."""
    features, private = step.module("features"), step.description.monitoring.private
    return [name for name in (*features.SIGNATURE, *features.COMBINED) if name not in private]


def write_reference(step: Step) -> int:
    """Write a seeded sample of the training rows as the features see them; return its size."""
    files = sorted(step.required("train").rglob("*.parquet"))
    if not files:
        raise InvalidInput(
            "The input 'train' holds no Parquet file. Give evaluate the transform's train/ output."
        )
    columns = [*([] if TIME in step.description.monitoring.private else [TIME]), *monitored_features(step)]
    sample = RowSample(count_rows(files), SAMPLE_ROWS)
    for path in files:
        for batch in read_batches(path, columns):
            sample.add(batch)
    return write_table(step.output / REFERENCE, sample.frame()[columns])


def write_monitoring(
    step: Step,
    importance: Mapping[str, float],
    labels: np.ndarray,
    probabilities: np.ndarray,
    times_s: np.ndarray,
) -> None:
    """Write the model's importances, the spread of its answers, and the calibration of its scores.

    :param importance: by how much the metric falls when a column is shuffled
    :param labels: places of the holdout's true classes
    :param probabilities: of the classes, shape (rows, classes)
    :param times_s: of the events, in seconds
    """
    block = step.description.promotion.block
    groups = None if block is None else times_s // int(block.total_seconds())
    is_true, scores = score_outcomes(labels, probabilities)
    content = {
        "version": 1,
        "rows": len(labels),
        "importance": dict(importance),
        "predictions": prediction_spread(step, probabilities, groups),
        "calibration": calibration_map(is_true, scores, groups),
    }
    write_json(step.output / CALIBRATION, content)


def score_outcomes(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each score came true, and the score: of the positive class, or of the answered label."""
    if probabilities.shape[1] == 2:  # noqa: PLR2004 - two classes
        return labels == 1, probabilities[:, 1]
    return probabilities.argmax(axis=1) == labels, probabilities.max(axis=1)


def prediction_spread(step: Step, probabilities: np.ndarray, groups: np.ndarray | None) -> dict[str, Any]:
    """Return the answers' distribution: of a score in buckets, or of several classes."""
    classes = step.module("features").CLASSES
    if step.description.task == "binary":
        scores = pd.Series(probabilities[:, 1])
        edges = quantile_edges(scores.to_numpy(float))
        counts = histogram(scores.to_numpy(float), edges)
        found: dict[str, Any] = {"kind": "number", "edges": edges.tolist(), "counts": counts.tolist()}
        bins = clusters.bins_of(scores, edges)
    else:
        bins = probabilities.argmax(axis=1)
        counts = np.bincount(bins, minlength=len(classes))
        found = {"kind": "text", "values": list(classes), "counts": counts.tolist()}
    return found | correlated(bins, groups, ordered=found["kind"] == "number")


def correlated(bins: np.ndarray, groups: np.ndarray | None, *, ordered: bool) -> dict[str, float | None]:
    """Return the correlation of answers within a group, and the design effect that follows."""
    if groups is None:
        return {"correlation": None, "design_effect": 1.0}
    codes = pd.factorize(groups)[0]
    found = clusters.correlation(bins, codes, ordered=ordered)
    return {
        "correlation": found,
        "design_effect": clusters.design_effect(found or 0.0, codes, len(bins)),
    }


#: the model that an evaluation is about
OWN = "challenger"


def read_standard(step: Step) -> Standard:
    """Return how the cycle judges its model, with the blocks by which models are compared."""
    cycle, features = step.description, step.module("features")
    block = cycle.promotion.block
    return Standard(
        metric=cycle.metric,
        classes=tuple(features.CLASSES),
        matured_share=cycle.monitoring.matured_share,
        quality_drop=cycle.monitoring.quality_drop,
        block_s=None if block is None else int(block.total_seconds()),
        seed=cycle.promotion.seed,
    )


def read_reference(folder: Path, metric: str) -> dict[str, float | None]:
    """Return the champion's metric on its own holdout, with its interval.

    :param folder: the output of the evaluate step that judged the champion
    """
    own = _read(folder / EVALUATION).get("models", {}).get(OWN, {}).get(metric)
    if not isinstance(own, Mapping):
        raise InvalidInput(
            f"The champion's evaluation in {folder} does not tell its {metric}. The cycle's metric may have "
            "changed since: train and evaluate again."
        )
    return {name: own.get(name) for name in ("value", "low", "high")}


def read_calibration(folder: Path) -> dict[str, Any] | None:
    """Return what turns the champion's scores into probabilities; None for a model evaluated without it."""
    path = folder / CALIBRATION
    if not path.is_file():
        return None
    found = _read(path).get("calibration")
    return dict(found) if isinstance(found, Mapping) else None


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"The champion's {path.name} cannot be read: {error}. Run its evaluate again."
        ) from error
