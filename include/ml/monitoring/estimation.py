"""What a model's answers would be worth, estimated from their scores alone while labels are missing.

An answer with a calibrated probability p of being right is right in p of such cases: means over the scores
give the expected accuracy and area under the ROC curve (confidence-based performance estimation: Guillory et
al. 2021, "Predicting with confidence on unseen distributions"; Kivimäki et al. 2024, "Confidence-based
estimators for predictive performance in model monitoring"). The estimate follows the mix of records as it
changes. It cannot see that the same record has come to mean something else: as long as the scores stay, so
does the estimate, however wrong they have become. It is no measurement, and alarms nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from include.core.documents.codec import narrow
from include.core.documents.model import Bounds, Calibration
from include.core.documents.monitoring import QualityEstimate
from include.core.tasks import METRICS, Metric
from include.ml.evaluation import metrics
from include.ml.evaluation.intervals import estimate
from include.ml.evaluation.resampling import Sample, bootstrap_interval, finite

#: maps fitted to resampled holdouts, behind an interval of the estimate
DRAWS = 100
#: draws behind the interval of the calibration error, and the bins of about equally many rows that it is of
ERROR_DRAWS, BINS = 500, 10
FOLDS = 5
SEED = 0
#: logits of scores that differ by less are taken for equal when a map is fitted
WIDTH = 0.02
#: the same, when an estimate is made
FINE_WIDTH = 0.001
#: a, b and c of the map that leaves scores as they are
IDENTITY = np.array([1.0, 1.0, 0.0])


def calibration_map(
    labels: np.ndarray, scores: np.ndarray, clusters: np.ndarray | None = None
) -> Calibration:
    """Fit what turns scores into probabilities, on rows that the model was not trained on.

    The map is beta calibration (Kull, Silva Filho and Flach 2017): logit p = a ln s - b ln(1 - s) + c, a and
    b not negative, so that it keeps the order of scores. Three numbers do not learn a short holdout by heart.

    Parameters
    ----------
    labels
        Whether what the score promises came true, shape (n,): the positive class, or of several classes the
        label that was said.
    scores
        Probabilities as the model gives them, shape (n,).
    clusters
        What rows that share an unseen cause have in common, shape (n,); None when rows are independent.
    """
    labels, scores = np.asarray(labels, dtype=float), np.asarray(scores, dtype=float)
    a, b, c = _fit_once(labels, scores).tolist()
    resampled = Sample(labels.astype(int), clusters, DRAWS, SEED).draws()
    return Calibration(
        kind="beta",
        a=a,
        b=b,
        c=c,
        draws=tuple(tuple(np.round(numbers, 6).tolist()) for numbers in _fit(labels, scores, resampled)),
        rows=len(labels),
        clusters=None if clusters is None else len(np.unique(clusters)),
        calibration_error=calibration_error(labels, scores, clusters),
    )


def _features(scores: np.ndarray) -> np.ndarray:
    inside = np.clip(scores, metrics.SMALLEST, 1 - metrics.SMALLEST)
    return np.column_stack([np.log(inside), -np.log1p(-inside), np.ones(len(inside))])


def _fit(labels: np.ndarray, scores: np.ndarray, draws: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the three numbers for each chunk's rows of weights.

    Scores that are all but equal are one row: a holdout of any length is some hundred rows then.
    """
    features = _features(scores)
    logit = features[:, 0] + features[:, 1]
    _, member, sizes = np.unique(np.round(logit / WIDTH), return_inverse=True, return_counts=True)
    means = np.column_stack([np.bincount(member, column) for column in features.T]) / sizes[:, None]
    for chunk in draws:
        for weights in chunk:
            total = np.bincount(member, weights)
            yield _likeliest(means, np.bincount(member, weights * labels), total)


def _likeliest(features: np.ndarray, positives: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Maximum likelihood, drawn to the identity by as much as a row or two: few rows change little."""

    def loss(numbers: np.ndarray) -> tuple[float, np.ndarray]:
        logits = features @ numbers
        off = numbers - IDENTITY
        value = totals @ np.logaddexp(0, logits) - positives @ logits + off @ off / 2
        return float(value), features.T @ (totals * special.expit(logits) - positives) + off

    bounds = [(0, None), (0, None), (None, None)]
    fitted: np.ndarray = optimize.minimize(loss, IDENTITY, jac=True, method="L-BFGS-B", bounds=bounds).x
    return fitted


def _fit_once(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return next(_fit(labels, scores, [np.ones((1, len(scores)))]))


def calibrated(numbers: Sequence[float] | np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the probabilities that a map's a, b and c make of scores.

    >>> calibrated([1, 1, 0], np.array([0.25, 0.5])).round(6).tolist()
    [0.25, 0.5]
    """
    logits = _features(np.asarray(scores, dtype=float)) @ np.asarray(numbers)
    probabilities: np.ndarray = special.expit(logits)
    return probabilities


def calibration_error(labels: np.ndarray, scores: np.ndarray, clusters: np.ndarray | None = None) -> Bounds:
    """Return the expected calibration error of calibrated scores, with its 95 % interval; None without rows.

    The mean, over bins of about equally many rows, of the distance between mean probability and observed
    share (Naeini, Cooper and Hauskrecht 2015). Each row's probability is of a map that was fitted without the
    row's fold, and no cluster is parted: it tells how far off a map is on days that it has not seen. Chance
    alone makes it positive, and resampling adds chance: the interval errs to the high side.
    """
    if not len(labels):
        return Bounds(None, None, None, reason="empty")
    labels, scores = np.asarray(labels, dtype=float), np.asarray(scores, dtype=float)
    gaps = _unseen(labels, scores, clusters) - labels
    order = np.argsort(scores, kind="stable")
    bins = np.empty(len(scores), dtype=int)
    bins[order] = np.arange(len(scores)) * BINS // len(scores)
    parts = np.eye(BINS)[bins] * gaps[:, None]

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        return {"error": np.abs(weights @ parts).sum(axis=1) / weights.sum(axis=1)}

    sample = Sample(labels.astype(int), clusters, ERROR_DRAWS, SEED)
    error = estimate(measure, sample, {"error": Metric(name="error", needs=frozenset())})["error"]
    if error.value is None or error.low is None or error.high is None:
        return narrow(Bounds, error)
    return Bounds(error.value, min(error.low, error.value), max(error.high, error.value))


def _unseen(labels: np.ndarray, scores: np.ndarray, clusters: np.ndarray | None) -> np.ndarray:
    """Return each row's probability by a map fitted to the other folds."""
    groups = np.arange(len(labels)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    folds = groups % FOLDS
    probabilities = np.empty(len(labels))
    for fold in np.unique(folds):
        out = folds == fold
        probabilities[out] = calibrated(_fit_once(labels[~out], scores[~out]), scores[out])
    return probabilities


def estimate_quality(
    calibration: Calibration, scores: np.ndarray, is_positive: np.ndarray | None, metric: str
) -> QualityEstimate | None:
    """Return the expected metric and the expected accuracy of unlabelled answers.

    Parameters
    ----------
    calibration
        What `calibration_map` returned.
    scores
        Probabilities as the model gave them, shape (n,).
    is_positive
        Whether the answer was the positive class, shape (n,); None when there are several classes, and the
        score is that of the label that was said.
    metric
        The cycle's metric; a name of ESTIMATED can be estimated.

    Returns
    -------
    None without rows, and for a metric that no estimate is known of. The interval holds what the shortness of
    the holdout leaves open, and no drift.
    """
    if not len(scores) or metric not in ESTIMATED:
        return None
    numbers = [calibration.a, calibration.b, calibration.c]
    answers = _Answers.of(np.asarray(scores, dtype=float), is_positive)
    chosen = ESTIMATED[metric]
    value = chosen(calibrated(numbers, answers.scores), answers)
    drawn = np.array([chosen(calibrated(draw, answers.scores), answers) for draw in calibration.draws])
    low, high = bootstrap_interval(value, drawn, 0.95, calibration.clusters)
    if low is not None and high is not None:
        low, high = METRICS[metric].cut(low, high)
    error, probabilities = calibration.calibration_error, calibrated(numbers, answers.scores)
    return QualityEstimate(
        method="confidence",
        metric=metric,
        value=finite(value),
        low=low,
        high=high,
        reason="one_block" if low is None else None,
        accuracy=finite(_accuracy(probabilities, answers)),
        positive_share=None if is_positive is None else float(answers.rows @ probabilities / len(scores)),
        rows=len(scores),
        calibration_error=error.value,
        calibration_error_low=error.low,
        calibration_error_high=error.high,
    )


@dataclass(frozen=True)
class _Answers:
    """The answers by their scores, which ascend: all but equal ones are one, so that many cost no more."""

    scores: np.ndarray
    #: how many answers have each score
    rows: np.ndarray
    #: how many of those say what the score is the probability of; the others say the opposite
    positive: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, is_positive: np.ndarray | None) -> _Answers:
        inside = np.clip(scores, metrics.SMALLEST, 1 - metrics.SMALLEST)
        steps = np.round(special.logit(inside) / FINE_WIDTH)
        _, member, rows = np.unique(steps, return_inverse=True, return_counts=True)
        positive = rows if is_positive is None else np.bincount(member, is_positive.astype(float))
        return cls(np.bincount(member, scores) / rows, rows.astype(float), positive.astype(float))


def _accuracy(probabilities: np.ndarray, answers: _Answers) -> float:
    """Return the mean probability that the answer is right."""
    right = answers.positive @ probabilities + (answers.rows - answers.positive) @ (1 - probabilities)
    return float(right / answers.rows.sum())


def _area(probabilities: np.ndarray, answers: _Answers) -> float:
    """Return the expected share of pairs in order: each row is positive by its probability, else negative.

    Equal scores count half, and no row makes a pair with itself.
    """
    positive, negative = answers.rows * probabilities, answers.rows * (1 - probabilities)
    below = np.cumsum(negative) - negative
    alone = positive @ (1 - probabilities)
    pairs = positive.sum() * negative.sum() - alone
    if pairs <= 0:
        return float("nan")
    return float((positive @ (below + negative / 2) - alone / 2) / pairs)


#: the metrics that can be estimated, each from probabilities and answers
ESTIMATED = {"accuracy": _accuracy, "roc_auc": _area}
