"""The estimator of the digits cycle: the label of the most similar images."""

from __future__ import annotations

from collections.abc import Mapping

from sklearn.compose import ColumnTransformer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from include.cycles.digits.features import COMBINED, PIXELS

#: columns by whose values quality is told apart: an image has none
SLICES: tuple[str, ...] = ()


def pipeline(hyperparameters: Mapping[str, str]) -> Pipeline:
    """Return the unfitted pipeline, preprocessing inside.

    With some hundred images there is little to learn from, but much to compare with.

    :param hyperparameters: `neighbours`, optional, as SageMaker passes it: text
    """
    model = KNeighborsClassifier(n_neighbors=int(hyperparameters.get("neighbours", "3")), algorithm="brute")
    preprocessing = ColumnTransformer([("numbers", "passthrough", [*PIXELS, *COMBINED])])
    return Pipeline([("preprocessing", preprocessing), ("model", model)])
