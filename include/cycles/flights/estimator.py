"""The estimator of the flights cycle: boosted trees and a linear model, averaged two to one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from include.cycles.flights.features import COMBINED, SIGNATURE

NUMBERS = [*(name for name, kind in SIGNATURE.items() if kind == "number"), *COMBINED]
STRINGS = [name for name, kind in SIGNATURE.items() if kind == "string"]
#: places of the columns between preprocessing and the models: dense numbers, then a code for each category
DENSE = list(range(len(NUMBERS) + len(STRINGS)))
CODES = list(range(len(DENSE), len(DENSE) + len(STRINGS)))
#: columns by whose values quality is told apart
SLICES = ("origin", "carrier")


def pipeline(hyperparameters: Mapping[str, str]) -> Pipeline:
    """Return the unfitted pipeline, preprocessing inside.

    Flights of one hour share one weather, so rows are far fewer than they seem: big leaves and few columns a
    split keep the trees from learning single hours by heart. For the same reason a few days of validation
    would be a poor judge of when to stop. Beyond the weather that the trees have met, the straight
    lines of a linear model are less wrong, so the probability is the mean of both.

    :param hyperparameters: `learning_rate`, `max_iter`, `max_leaf_nodes`, `min_samples_leaf`, `max_features`,
        `l2_regularization`, `linear_c`, `seed`, all optional, as SageMaker passes them: text
    """
    seed = int(hyperparameters.get("seed", "0"))
    trees = HistGradientBoostingClassifier(
        learning_rate=float(hyperparameters.get("learning_rate", "0.05")),
        max_iter=int(hyperparameters.get("max_iter", "150")),
        max_leaf_nodes=int(hyperparameters.get("max_leaf_nodes", "15")),
        min_samples_leaf=int(hyperparameters.get("min_samples_leaf", "200")),
        max_features=float(hyperparameters.get("max_features", "0.3")),
        l2_regularization=float(hyperparameters.get("l2_regularization", "10")),
        early_stopping=False,
        random_state=seed,
    )
    both = VotingClassifier(
        [("trees", _trees(trees)), ("linear", _linear(float(hyperparameters.get("linear_c", "1"))))],
        voting="soft",
        # an array, as the exporter asks for
        weights=np.array([2.0, 1.0]),
        flatten_transform=False,
    )
    return Pipeline([("preprocessing", _preprocessing(seed)), ("model", both)])


def _preprocessing(seed: int) -> ColumnTransformer:
    """Numbers as they are; a category as its share of late flights, and as a code.

    An unknown category has the share of all flights and the code -1. Splits on sets of categories, which the
    trees could do themselves, cannot be exported to ONNX.
    """
    # each row's share is taken from other folds, so that no row sees its own label
    shares = TargetEncoder(cv=StratifiedKFold(5, shuffle=True, random_state=seed))
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return ColumnTransformer(
        [("numbers", "passthrough", NUMBERS), ("shares", shares, STRINGS), ("codes", codes, STRINGS)]
    )


def _trees(trees: HistGradientBoostingClassifier) -> Pipeline:
    """Return the trees, which take numbers and shares: a column per category takes five times as long."""
    return make_pipeline(ColumnTransformer([("dense", "passthrough", DENSE)]), trees)


def _linear(c: float) -> Pipeline:
    """Return the linear model, which also takes a sparse column per category; an unknown one has none."""
    dense = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = ColumnTransformer(
        [("dense", dense, DENSE), ("columns", OneHotEncoder(handle_unknown="ignore"), CODES)]
    )
    # many rows and some hundred columns: a few exact steps instead of a hundred approximate ones
    return make_pipeline(columns, LogisticRegression(C=c, solver="newton-cholesky"))
