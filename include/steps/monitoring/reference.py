"""What evaluate leaves for monitoring, and how monitor and mature read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from include.core.documents.codec import narrow
from include.core.documents.model import Bounds, Evaluation, Histogram, MonitoringBaseline
from include.core.layout import CALIBRATION, EVALUATION, REFERENCE
from include.ml.evaluation import clusters
from include.ml.evaluation.comparison import Holdout
from include.ml.exceptions import InvalidInput
from include.ml.monitoring.estimation import calibration_map
from include.ml.monitoring.judging import Standard
from include.ml.monitoring.summaries import half_open, histogram, quantile_edges
from include.steps.contract import Step, read_document
from include.steps.manifest import write_document
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
    step: Step, importance: Mapping[str, float | None], holdout: Holdout, probabilities: np.ndarray
) -> None:
    """Write the model's importances, the spread of its answers, and the calibration of its scores.

    :param importance: by how much the metric falls when a column is shuffled
    :param holdout: the rows that were scored
    :param probabilities: of the classes, shape (rows, classes)
    """
    is_true, scores = score_outcomes(holdout.labels, probabilities)
    # hundreds of fits of three numbers each: a second thread of BLAS costs many times what they do
    with threadpool_limits({"blas": 1}):
        calibration = calibration_map(is_true, scores, holdout.clusters) if len(holdout) else None
    baseline = MonitoringBaseline(
        version=1,
        rows=len(holdout),
        importance=importance,
        predictions=prediction_spread(step, probabilities, holdout.clusters),
        calibration=calibration,
    )
    write_document(step.output / CALIBRATION, baseline)


def score_outcomes(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each score came true, and the score: of the positive class, or of the answered label."""
    if probabilities.shape[1] == 2:  # noqa: PLR2004 - two classes
        return labels == 1, probabilities[:, 1]
    return probabilities.argmax(axis=1) == labels, probabilities.max(axis=1)


def prediction_spread(step: Step, probabilities: np.ndarray, blocks: np.ndarray | None) -> Histogram:
    """Return the answers' distribution: of a score in buckets, or of several classes."""
    classes = step.module("features").CLASSES
    if step.description.task == "binary":
        scores = probabilities[:, 1]
        edges = quantile_edges(scores) if len(scores) else np.array([0.0, 1.0])
        spread = Histogram(
            kind="number", edges=tuple(edges.tolist()), counts=tuple(histogram(scores, edges).tolist())
        )
        bins = clusters.bins_of(pd.Series(scores), half_open(edges))
    else:
        bins = probabilities.argmax(axis=1)
        counts = np.bincount(bins, minlength=len(classes))
        spread = Histogram(kind="text", values=tuple(classes), counts=tuple(counts.tolist()))
    if blocks is None or not len(bins):
        return replace(spread, design_effect=1.0)
    codes = pd.factorize(blocks)[0]
    shared = clusters.correlation(bins, codes, ordered=spread.kind == "number")
    effect = clusters.design_effect(shared or 0.0, codes, len(bins))
    return replace(spread, correlation=shared, design_effect=effect)


#: the model that an evaluation is about
OWN = "challenger"
EVALUATE_AGAIN = "It is the champion's. Run its evaluate again."


def read_standard(step: Step) -> Standard:
    """Return how the cycle judges its model, with the blocks by which models are compared."""
    cycle, features = step.description, step.module("features")
    return Standard(
        metric=cycle.metric,
        classes=tuple(features.CLASSES),
        matured_share=cycle.monitoring.matured_share,
        quality_drop=cycle.monitoring.quality_drop,
        operating_drop=cycle.monitoring.operating_drop,
        block=cycle.promotion.block,
        seed=cycle.promotion.seed,
    )


def read_reference(folder: Path, metric: str) -> Bounds:
    """Return the champion's metric on its own holdout, with its interval.

    :param folder: the output of the evaluate step that judged the champion
    """
    evaluation = read_document(folder / EVALUATION, Evaluation.from_text, EVALUATE_AGAIN)
    own = evaluation.models.get(OWN, {}).get(metric)
    if own is None:
        raise InvalidInput(
            f"The champion's evaluation in {folder} does not tell its {metric}. The cycle's metric may have "
            "changed since: train and evaluate again."
        )
    return narrow(Bounds, own)


def read_operating(folder: Path) -> dict[str, Bounds] | None:
    """Return how the champion's answers fared on its own holdout; None where that was not measured."""
    evaluation = read_document(folder / EVALUATION, Evaluation.from_text, EVALUATE_AGAIN)
    own = (evaluation.operating or {}).get(OWN)
    return {name: narrow(Bounds, number) for name, number in own.items()} if own else None


def read_monitoring(folder: Path) -> MonitoringBaseline | None:
    """Return what the champion's evaluate left; None for a model that was evaluated without it."""
    path = folder / CALIBRATION
    return read_document(path, MonitoringBaseline.from_text, EVALUATE_AGAIN) if path.is_file() else None
