"""pca: scikit-learn's principal components; a component's sign may differ from AWS's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.decomposition import PCA, TruncatedSVD

from local_sagemaker.engine.algorithms.built_in.common import (
    CSV,
    JSON,
    LINES,
    RECORDIO,
    Array,
    ClientError,
    Estimator,
    Table,
    choose,
)

PARAMETERS: Mapping[str, Any] = {
    "num_components": int,
    "feature_dim": int,
    "algorithm_mode": "regular",
    "subtract_mean": True,
}
REQUIRED = ("num_components", "feature_dim")
WITHOUT_EFFECT = frozenset({"mini_batch_size", "extra_components"})
CONTENT_TYPE = RECORDIO
CHANNELS = (CSV,)
REQUESTS = (CSV, JSON, LINES)
LABEL_SIZES = ("1", "0")
ANSWER = "projections"


def fit(given: dict[str, Any], train: Table, others: Mapping[str, Table]) -> Estimator:  # noqa: ARG001
    """Fit the components, in decreasing order of explained variance."""
    mode, count = choose(given, "algorithm_mode", "regular", "randomized"), given["num_components"]
    if not 1 <= count <= min(train.rows.shape):
        raise ClientError(
            f"num_components is {count}, and the data has {train.rows.shape} rows and features."
        )
    solver = "randomized" if mode == "randomized" else "full"
    if given["subtract_mean"]:
        return PCA(count, svd_solver=solver, random_state=0).fit(train.rows)
    return TruncatedSVD(
        count, algorithm="randomized" if mode == "randomized" else "arpack", random_state=0
    ).fit(train.rows)


def predict(model: Estimator, given: dict[str, Any], rows: Array) -> list[dict[str, Any]]:  # noqa: ARG001
    """Return the projection of each row."""
    return [{"projection": row.tolist()} for row in model.transform(rows)]
