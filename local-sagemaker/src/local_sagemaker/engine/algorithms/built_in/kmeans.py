"""kmeans: scikit-learn's k-means over all rows; AWS's clusters a stream and is approximate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.cluster import KMeans

from local_sagemaker.engine.algorithms.built_in import common
from local_sagemaker.engine.algorithms.built_in.common import Array, ClientError, Estimator, Table

PARAMETERS: Mapping[str, Any] = {
    "k": int,
    "feature_dim": int,
    "init_method": "kmeans++",
    "local_lloyd_init_method": "kmeans++",
    "local_lloyd_max_iter": 300,
    "local_lloyd_num_trials": "auto",
    "local_lloyd_tol": 0.0001,
}
REQUIRED = ("k", "feature_dim")
WITHOUT_EFFECT = frozenset(
    {"mini_batch_size", "epochs", "extra_center_factor", "half_life_time_size", "eval_metrics"}
)
CONTENT_TYPE = common.RECORDIO
CHANNELS = (common.CSV,)
REQUESTS = (common.CSV, common.JSON, common.LINES)
LABEL_SIZES = ("1", "0")
ANSWER = "predictions"
INITS = {"kmeans++": "k-means++", "random": "random"}
#: what local_lloyd_num_trials=auto means here
TRIALS = 5


def fit(given: dict[str, Any], train: Table, others: Mapping[str, Table]) -> Estimator:
    """Fit the clusters; labels are ignored."""
    common.choose(given, "init_method", *INITS)
    init = common.choose(given, "local_lloyd_init_method", *INITS)
    if given["k"] > len(train.rows):
        raise ClientError(f"k is {given['k']}, and there are {len(train.rows)} rows.")
    trials = str(given["local_lloyd_num_trials"])
    if trials != "auto" and not trials.isdecimal():
        raise ClientError(f"The hyperparameter local_lloyd_num_trials={trials!r} is no int.")
    model = KMeans(
        given["k"],
        init=INITS[init],
        n_init=TRIALS if trials == "auto" else int(trials),
        max_iter=given["local_lloyd_max_iter"],
        tol=given["local_lloyd_tol"],
        random_state=0,
    ).fit(train.rows)
    for channel, table in {"train": train, **others}.items():
        squares = model.transform(table.rows).min(axis=1) ** 2
        common.log(f"#quality_metric: host=algo-1, {channel} msd <loss>={squares.mean():.6f}")
        common.log(f"#quality_metric: host=algo-1, {channel} ssd <loss>={squares.sum():.6f}")
    return model


def predict(model: Estimator, given: dict[str, Any], rows: Array) -> list[dict[str, Any]]:  # noqa: ARG001
    """Return the closest cluster of each row, and how far it is."""
    distances = model.transform(rows)
    return [
        {"closest_cluster": float(closest), "distance_to_cluster": float(row[closest])}
        for row, closest in zip(distances, np.argmin(distances, axis=1), strict=True)
    ]
