"""Whether a model treats one group of records as it treats all others, by the metrics of SageMaker Clarify.

Facet d is the declared group ("disadvantaged" in Clarify's words), facet a all other records; the positive
label is the last of the two classes. Pre-training metrics compare the observed labels of the two facets,
post-training metrics what the model said. Each is a function of eight counts: facet by observed by predicted
label. The definitions are those of "Pre-training Bias Metrics" and "Post-training Bias Metrics"
in the SageMaker developer guide and of Das et al. 2021, "Fairness Measures for Machine Learning in Finance".
Of Clarify's metrics those that need more are not here: CDDL and CDDPL (a group variable), FT (the model), GE
(no facet).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from include.core.documents.codec import narrow
from include.core.documents.model import Bounds
from include.core.tasks import Metric as MetricRecord
from include.ml.evaluation.intervals import estimate
from include.ml.evaluation.resampling import Sample

REPETITIONS, SEED = 500, 0
CELLS = 8

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Facet:
    """How many records of one facet there are, by observed and predicted label; one number for each draw."""

    true_positive: Numbers
    false_negative: Numbers
    false_positive: Numbers
    true_negative: Numbers

    @property
    def rows(self) -> Numbers:
        """All records: n."""
        return self.positive + self.negative

    @property
    def positive(self) -> Numbers:
        """Observed positive labels: n(1)."""
        return self.true_positive + self.false_negative

    @property
    def negative(self) -> Numbers:
        """Observed negative labels: n(0)."""
        return self.false_positive + self.true_negative

    @property
    def said_positive(self) -> Numbers:
        """Predicted positive labels: n'(1)."""
        return self.true_positive + self.false_positive

    @property
    def said_negative(self) -> Numbers:
        """Predicted negative labels: n'(0)."""
        return self.false_negative + self.true_negative

    @property
    def shares(self) -> Numbers:
        """The distribution of observed labels, shape (2, draws): P."""
        return np.stack([ratio(self.negative, self.rows), ratio(self.positive, self.rows)])


Metric = Callable[[Facet, Facet], Numbers]


def ratio(part: Numbers, whole: Numbers) -> Numbers:
    """Return one number by another; NaN by nothing, where Clarify's library says 0 or infinity.

    >>> ratio(np.array([1.0, 1.0]), np.array([2.0, 0.0])).tolist()
    [0.5, nan]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, part / whole, np.nan)


def class_imbalance(a: Facet, d: Facet) -> Numbers:
    """CI, Class Imbalance: (n_a - n_d) / (n_a + n_d), from -1 to 1; positive: facet d has fewer records."""
    return ratio(a.rows - d.rows, a.rows + d.rows)


def difference_in_labels(a: Facet, d: Facet) -> Numbers:
    """DPL, Difference in Proportions of Labels: q_a - q_d with q = n(1) / n, from -1 to 1."""
    return ratio(a.positive, a.rows) - ratio(d.positive, d.rows)


def divergence(p: Numbers, q: Numbers) -> Numbers:
    """Return the sum of p ln(p / q) over labels; infinite (NaN here) where q lacks a label that p has."""
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = np.where(p > 0, p * np.log(p / q), np.where(p == 0, 0.0, np.nan))
    total: Numbers = parts.sum(axis=0)
    return np.where(np.isfinite(total), total, np.nan)


def kullback_leibler(a: Facet, d: Facet) -> Numbers:
    """KL, Kullback-Leibler Divergence of the labels: sum of P_a ln(P_a / P_d), from 0 on."""
    return divergence(a.shares, d.shares)


def jensen_shannon(a: Facet, d: Facet) -> Numbers:
    """JS, Jensen-Shannon Divergence: (KL(P_a, P) + KL(P_d, P)) / 2, P being their mean; from 0 to ln 2."""
    mean = (a.shares + d.shares) / 2
    return (divergence(a.shares, mean) + divergence(d.shares, mean)) / 2


def lp_norm(a: Facet, d: Facet) -> Numbers:
    """LP, Lp-norm with p = 2: the root of the sum of (P_a - P_d)^2, from 0 to the root of 2."""
    return np.asarray(np.sqrt(((a.shares - d.shares) ** 2).sum(axis=0)))


def total_variation(a: Facet, d: Facet) -> Numbers:
    """TVD, Total Variation Distance: half the sum of |P_a - P_d|, from 0 to 1."""
    return np.asarray(np.abs(a.shares - d.shares).sum(axis=0) / 2)


def kolmogorov_smirnov(a: Facet, d: Facet) -> Numbers:
    """KS, Kolmogorov-Smirnov: the largest |P_a - P_d| of a label, from 0 to 1; of two labels the TVD."""
    return np.asarray(np.abs(a.shares - d.shares).max(axis=0))


def difference_in_predictions(a: Facet, d: Facet) -> Numbers:
    """DPPL, Difference in Positive Proportions in Predicted Labels: q'_a - q'_d with q' = n'(1) / n."""
    return ratio(a.said_positive, a.rows) - ratio(d.said_positive, d.rows)


def disparate_impact(a: Facet, d: Facet) -> Numbers:
    """DI, Disparate Impact: q'_d / q'_a, from 0 on; 1 is parity."""
    return ratio(ratio(d.said_positive, d.rows), ratio(a.said_positive, a.rows))


def conditional_acceptance(a: Facet, d: Facet) -> Numbers:
    """DCA (DCAcc), Difference in Conditional Acceptance: c_a - c_d with c = n(1) / n'(1)."""
    return ratio(a.positive, a.said_positive) - ratio(d.positive, d.said_positive)


def conditional_rejection(a: Facet, d: Facet) -> Numbers:
    """DCR, Difference in Conditional Rejection: r_d - r_a with r = n(0) / n'(0)."""
    return ratio(d.negative, d.said_negative) - ratio(a.negative, a.said_negative)


def specificity_difference(a: Facet, d: Facet) -> Numbers:
    """SD, Specificity Difference: TN / (TN + FP) of facet d less that of facet a, from -1 to 1."""
    return ratio(d.true_negative, d.negative) - ratio(a.true_negative, a.negative)


def recall_difference(a: Facet, d: Facet) -> Numbers:
    """RD, Recall Difference: TP / (TP + FN) of facet a less that of facet d, from -1 to 1."""
    return ratio(a.true_positive, a.positive) - ratio(d.true_positive, d.positive)


def acceptance_rates(a: Facet, d: Facet) -> Numbers:
    """DAR, Difference in Acceptance Rates: TP / n'(1) of facet a less that of facet d, from -1 to 1."""
    return ratio(a.true_positive, a.said_positive) - ratio(d.true_positive, d.said_positive)


def rejection_rates(a: Facet, d: Facet) -> Numbers:
    """DRR, Difference in Rejection Rates: TN / n'(0) of facet d less that of facet a, from -1 to 1."""
    return ratio(d.true_negative, d.said_negative) - ratio(a.true_negative, a.said_negative)


def accuracy_difference(a: Facet, d: Facet) -> Numbers:
    """AD, Accuracy Difference: (TP + TN) / n of facet a less that of facet d, from -1 to 1."""
    right_a, right_d = a.true_positive + a.true_negative, d.true_positive + d.true_negative
    return ratio(right_a, a.rows) - ratio(right_d, d.rows)


def treatment_equality(a: Facet, d: Facet) -> Numbers:
    """TE, Treatment Equality: FN_d / FP_d - FN_a / FP_a, unbounded.

    So the guide has it now, and Clarify's library; the guide's first edition had FP_a / FN_a - FP_d / FN_d.
    """
    return ratio(d.false_negative, d.false_positive) - ratio(a.false_negative, a.false_positive)


PRE_TRAINING: dict[str, Metric] = {
    "CI": class_imbalance,
    "DPL": difference_in_labels,
    "KL": kullback_leibler,
    "JS": jensen_shannon,
    "LP": lp_norm,
    "TVD": total_variation,
    "KS": kolmogorov_smirnov,
}
POST_TRAINING: dict[str, Metric] = {
    "DPPL": difference_in_predictions,
    "DI": disparate_impact,
    "DCA": conditional_acceptance,
    "DCR": conditional_rejection,
    "SD": specificity_difference,
    "RD": recall_difference,
    "DAR": acceptance_rates,
    "DRR": rejection_rates,
    "AD": accuracy_difference,
    "TE": treatment_equality,
}


def bias_metrics(
    is_group: np.ndarray, truth: np.ndarray, predicted: np.ndarray, clusters: np.ndarray | None = None
) -> dict[str, Bounds]:
    """Return every metric by its name, with its 95 % bootstrap interval.

    Parameters
    ----------
    is_group
        Whether the record belongs to the declared group (facet d), shape (n,).
    truth, said
        Whether the observed and the predicted label is the positive one, shape (n,).
    clusters
        What rows that share an unseen cause have in common, shape (n,); None when rows are independent.

    Returns
    -------
    None where a number is undefined, as all are when one facet is empty. A bound is of those draws in which
    the metric is defined.
    """
    is_wrong = truth.astype(bool) != predicted.astype(bool)
    cell = 4 * is_group.astype(int) + 2 * (1 - truth.astype(int)) + is_wrong
    members = np.eye(CELLS)[cell]
    formulas = {**PRE_TRAINING, **POST_TRAINING}

    def measure(weights: np.ndarray) -> dict[str, Numbers]:
        facets = _facets(weights @ members)
        return {name: _of_both(formula, *facets) for name, formula in formulas.items()}

    # how many rows belong to the group, and to a class, is itself a matter of chance
    sample = Sample(np.zeros(len(cell), dtype=int), clusters, REPETITIONS, SEED)
    anything = MetricRecord(name="", low=-math.inf, high=math.inf, needs=frozenset())
    measured = estimate(measure, sample, dict.fromkeys(formulas, anything))
    return {name: narrow(Bounds, estimated) for name, estimated in measured.items()}


def _facets(counts: Numbers) -> tuple[Facet, Facet]:
    """Facets a and d from counts by cell, shape (draws, 8)."""
    a_tp, a_fn, a_tn, a_fp, d_tp, d_fn, d_tn, d_fp = counts.T
    return Facet(a_tp, a_fn, a_fp, a_tn), Facet(d_tp, d_fn, d_fp, d_tn)


def _of_both(metric: Metric, a: Facet, d: Facet) -> Numbers:
    """Return the metric where both facets have records."""
    return np.where((a.rows > 0) & (d.rows > 0), metric(a, d), np.nan)
