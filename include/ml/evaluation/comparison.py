"""By how much one model is better than another on the same rows and in every slice, with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from include.core.documents.codec import narrow
from include.core.documents.model import Bounds, JudgedSlice
from include.core.tasks import METRICS, task_of_classes
from include.ml.evaluation.intervals import Difference, estimate
from include.ml.evaluation.metrics import SMALLEST, is_positive
from include.ml.evaluation.resampling import Sample

BINARY_CLASSES = 2

#: values of a metric, shape (draws,), from counts of rows, shape (draws, n)
Statistic = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Holdout:
    """The rows that models are compared on."""

    #: places of the true classes, shape (n,)
    labels: np.ndarray
    #: what tells rows apart, shape (n,): rows are drawn in this order, so that the order of files is all one
    event_ids: np.ndarray
    #: what rows that share an unseen cause have in common, shape (n,); None when rows are independent
    clusters: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def only(self, chosen: np.ndarray) -> Holdout:
        """Return the rows that are chosen, by a mask or by their places."""
        clusters = None if self.clusters is None else self.clusters[chosen]
        return Holdout(self.labels[chosen], self.event_ids[chosen], clusters)


@dataclass(frozen=True)
class Answers:
    """What a model said about the rows."""

    #: shape (n, classes)
    probabilities: np.ndarray
    #: from which probability on a binary answer is positive
    threshold: float = 0.5

    def only(self, chosen: np.ndarray) -> Answers:
        """Return the answers about the rows that are chosen."""
        return replace(self, probabilities=self.probabilities[chosen])


@dataclass(frozen=True)
class BootstrapPlan:
    """How an interval is computed."""

    #: share of repeated holdouts whose interval would hold the true gain
    confidence: float = 0.95
    repetitions: int = 2000
    seed: int = 0


@dataclass(frozen=True)
class Gain(Bounds):
    """How much better, in the metric's unit, with the bounds of its interval; None where it is undefined."""


def gains(
    metric: str, holdout: Holdout, challenger: Answers, rivals: Mapping[str, Answers], plan: BootstrapPlan
) -> dict[str, Gain]:
    """Return the gain of the challenger over each rival, by a paired bootstrap over the same rows.

    Pairing is what makes it sharp: a hard day is hard for both, and cancels. A gain is positive when the
    challenger is better, whichever the metric's direction.

    >>> holdout = Holdout(np.array([0, 0, 1, 1]), np.arange(4))
    >>> right = Answers(np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9]]))
    >>> gains("accuracy", holdout, right, {"itself": right}, BootstrapPlan(repetitions=10))["itself"]
    Gain(value=0.0, low=None, high=None, reason='few_events')
    """
    order = np.argsort(holdout.event_ids, kind="stable")
    rows, ours = holdout.only(order), challenger.only(order)
    theirs = {name: answers.only(order) for name, answers in rivals.items()}
    known = METRICS[metric]
    our_metric = metric_statistic(metric, rows.labels, ours)
    their_metric = {name: metric_statistic(metric, rows.labels, answers) for name, answers in theirs.items()}

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        our_values = known.sign * our_metric(weights)
        return {name: our_values - known.sign * their(weights) for name, their in their_metric.items()}

    sample = Sample(
        rows.labels,
        rows.clusters,
        plan.repetitions,
        plan.seed,
        plan.confidence,
        is_stratified="both classes" in known.needs,
    )
    kinds = {name: Difference(_signs(metric, rows.labels, ours, answers)) for name, answers in theirs.items()}
    unbounded = replace(known, low=-math.inf, high=math.inf)
    measured = estimate(measure, sample, dict.fromkeys(theirs, unbounded), kinds)
    return {name: narrow(Gain, gain) for name, gain in measured.items()}


def _signs(metric: str, labels: np.ndarray, ours: Answers, theirs: Answers) -> np.ndarray | None:
    """Return who is right where one alone is, if that is what the metric counts."""
    if metric != "accuracy":
        return None
    return np.asarray(METRICS[metric].sign * (_is_right(labels, ours) - _is_right(labels, theirs)))


def metric_statistic(metric: str, labels: np.ndarray, answers: Answers) -> Statistic:
    """Return the metric of these answers as a function of how often each row counts."""
    classes = answers.probabilities.shape[1]
    known = task_of_classes(classes).compared
    if metric not in known:
        raise ValueError(
            f"Models of {classes} classes cannot be compared by {metric!r}; they can by {', '.join(known)}. "
            "Change `metric` in cycle.py."
        )
    if metric in ROW_VALUES:
        values = ROW_VALUES[metric](labels, answers)
        return lambda weights: np.asarray(weights @ values / weights.sum(axis=1))
    return _ranking(metric, labels, answers.probabilities[:, 1])


def answered_classes(answers: Answers) -> np.ndarray:
    """Return the place of each row's answered class, shape (n,)."""
    if answers.probabilities.shape[1] == BINARY_CLASSES:
        return is_positive(answers.probabilities[:, 1], answers.threshold).astype(int)
    return np.asarray(answers.probabilities.argmax(axis=1))


def _is_right(labels: np.ndarray, answers: Answers) -> np.ndarray:
    return np.asarray(answered_classes(answers) == labels, dtype=float)


def _log_losses(labels: np.ndarray, answers: Answers) -> np.ndarray:
    right = answers.probabilities[np.arange(len(labels)), labels]
    return np.asarray(-np.log(np.clip(right, SMALLEST, 1.0)))


#: metrics that are means over the rows, each with its value of every row, shape (n,); others rank the rows
ROW_VALUES = {"accuracy": _is_right, "log_loss": _log_losses}


def _ranking(metric: str, labels: np.ndarray, scores: np.ndarray) -> Statistic:
    """Return what depends on the order of the scores alone; rows of equal scores are one step.

    The area under the ROC curve is the share of pairs in order, ties counting half (Mann and Whitney 1947);
    average precision is the mean, over positives, of the precision at their score. Scores are sorted once; a
    draw costs running sums over both classes and one look-up per positive.
    """
    positive, negative = np.flatnonzero(labels == 1), np.flatnonzero(labels != 1)
    positive = positive[np.argsort(scores[positive], kind="stable")]
    negative = negative[np.argsort(scores[negative], kind="stable")]
    below, up_to = (np.searchsorted(scores[negative], scores[positive], side) for side in ("left", "right"))
    first = np.searchsorted(scores[positive], scores[positive], "left")

    def area(weights: np.ndarray) -> np.ndarray:
        drawn, passed = np.take(weights, positive, axis=1), _sums(weights, negative)
        won = np.take(passed, below, axis=1)
        if (below != up_to).any():
            won = (won + np.take(passed, up_to, axis=1)) / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.einsum("ij,ij->i", drawn, won) / (drawn.sum(axis=1) * passed[:, -1]))

    def precision(weights: np.ndarray) -> np.ndarray:
        drawn, passed, hits = (
            np.take(weights, positive, axis=1),
            _sums(weights, negative),
            _sums(weights, positive),
        )
        true = hits[:, -1:] - np.take(hits, first, axis=1)
        false = passed[:, -1:] - np.take(passed, below, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = np.nan_to_num(true / (true + false))
            return np.asarray(np.einsum("ij,ij->i", drawn, shares) / hits[:, -1])

    return area if metric == "roc_auc" else precision


def _sums(weights: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return running sums in this order, from 0 on, shape (draws, len(order) + 1)."""
    sums = np.zeros((len(weights), len(order) + 1))
    np.cumsum(np.take(weights, order, axis=1), axis=1, out=sums[:, 1:])
    return sums


#: a slice of fewer rows tells nothing
LEAST_ROWS = 50


@dataclass(frozen=True, kw_only=True)
class SliceGain(JudgedSlice):
    """How much better the challenger is on the rows with one value of one column."""

    gain: Gain


def slice_gains(
    metric: str,
    holdout: Holdout,
    *,
    challenger: Answers,
    champion: Answers,
    groups: Mapping[str, np.ndarray],
    floor: Callable[[str], float],
    plan: BootstrapPlan,
) -> tuple[SliceGain, ...]:
    """Return the gain over the champion in each slice that is big enough to tell, the worst first.

    With twenty slices, one 95 % interval misses the truth by chance: the confidence is raised so that it
    holds for all of them together (Bonferroni). A slice is under its floor if even the upper bound is: chance
    alone does not explain the loss then.
    """
    parts = list(_slices(metric, holdout, groups))
    shared = replace(plan, confidence=1 - (1 - plan.confidence) / max(len(parts), 1))
    judged = []
    for column, value, chosen in parts:
        rivals = {"champion": champion.only(chosen)}
        gain = gains(metric, holdout.only(chosen), challenger.only(chosen), rivals, shared)["champion"]
        least = floor(column)
        judged.append(
            SliceGain(
                column=column,
                value=value,
                rows=int(chosen.sum()),
                gain=gain,
                floor=least,
                is_under_floor=gain.high is not None and gain.high < least,
            )
        )
    return tuple(sorted(judged, key=above_floor))


def above_floor(judged: JudgedSlice) -> float:
    """Return by how much a slice's gain is above its floor; an undefined one is above all."""
    return math.inf if judged.gain.value is None else judged.gain.value - judged.floor


def _slices(
    metric: str, holdout: Holdout, groups: Mapping[str, np.ndarray]
) -> Iterator[tuple[str, str, np.ndarray]]:
    for column, values in groups.items():
        for value in np.unique(values):
            chosen = values == value
            rows = holdout.only(chosen)
            is_told = Sample(rows.labels, rows.clusters).missing(METRICS[metric].needs) is None
            if len(rows) >= LEAST_ROWS and is_told:
                yield column, str(value), chosen
