"""Which columns a model's predictions rest on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from include.ml.evaluation.metrics import metrics


def permutation_importance(
    predict: Callable[[dict[str, np.ndarray]], np.ndarray],
    columns: Mapping[str, np.ndarray],
    labels: np.ndarray,
    metric: str,
    *,
    rows: int = 2000,
    seed: int = 0,
) -> dict[str, float]:
    """By how much the metric falls when one column is shuffled (Breiman 2001, section 10), largest first.

    Computed on a sample of up to `rows` rows. Columns that tell the same share their importance.

    Parameters
    ----------
    predict
        Probabilities of shape (n, classes) from columns of n rows.
    columns
        One array for each column that clients send.
    labels
        Places of the true classes, shape (n,).
    """
    generator = np.random.default_rng(seed)
    chosen = np.sort(generator.choice(len(labels), min(rows, len(labels)), replace=False))
    sample = {name: values[chosen] for name, values in columns.items()}
    whole = metrics(labels[chosen], predict(sample))[metric]
    found = {}
    for name, values in sample.items():
        shuffled = {**sample, name: generator.permutation(values)}
        found[name] = whole - metrics(labels[chosen], predict(shuffled))[metric]
    return dict(sorted(found.items(), key=lambda item: -item[1]))
