"""knn: scikit-learn's exact nearest neighbours; approximate indexes and fewer dimensions are not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn import metrics
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from local_sagemaker.engine.algorithms.built_in import common
from local_sagemaker.engine.algorithms.built_in.common import Array, ClientError, Estimator, Table

PARAMETERS: Mapping[str, Any] = {
    "k": int,
    "sample_size": int,
    "feature_dim": int,
    "predictor_type": str,
    "index_metric": "L2",
    "index_type": "faiss.Flat",
}
REQUIRED = ("k", "sample_size", "feature_dim", "predictor_type")
WITHOUT_EFFECT = frozenset({"mini_batch_size"})
CONTENT_TYPE = common.RECORDIO
CHANNELS = (common.CSV,)
REQUESTS = (common.CSV, common.JSON, common.LINES)
LABEL_SIZES = ("1", "0")
ANSWER = "predictions"
DISTANCES = {"L2": "euclidean", "COSINE": "cosine"}
SEED = 0


def fit(given: dict[str, Any], train: Table, others: Mapping[str, Table]) -> Estimator:
    """Fit the neighbours: `sample_size` rows of the data, chosen at random."""
    kind = common.choose(given, "predictor_type", "classifier", "regressor")
    common.choose(given, "index_type", "faiss.Flat")
    distance = DISTANCES[common.choose(given, "index_metric", *DISTANCES)]
    rows, labels = train.rows, train.wanted()
    if given["sample_size"] < len(rows):
        chosen = np.random.default_rng(SEED).choice(len(rows), given["sample_size"], replace=False)
        rows, labels = rows[chosen], labels[chosen]
    if given["k"] > len(rows):
        raise ClientError(f"k is {given['k']}, and {len(rows)} rows are sampled.")
    made = KNeighborsClassifier if kind == "classifier" else KNeighborsRegressor
    model = made(given["k"], metric=distance).fit(rows, labels)
    for channel, table in others.items():
        guesses = model.predict(table.rows)
        name, metric = ("mse <loss>", metrics.mean_squared_error)
        if kind == "classifier":
            name, metric = ("accuracy <score>", metrics.accuracy_score)
        common.log(f"#quality_metric: host=algo-1, {channel} {name}={metric(table.wanted(), guesses):.6f}")
    return model


def predict(model: Estimator, given: dict[str, Any], rows: Array) -> list[dict[str, Any]]:  # noqa: ARG001
    """Return the prediction of each row's neighbours."""
    return [{"predicted_label": float(value)} for value in model.predict(rows)]
