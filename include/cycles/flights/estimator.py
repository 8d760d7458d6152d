"""The estimator of the flights cycle: boosted trees on numbers and encoded categories."""

from __future__ import annotations

from collections.abc import Mapping

from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from include.cycles.flights.features import COMBINED, SIGNATURE

NUMBERS = [*(name for name, kind in SIGNATURE.items() if kind == "number"), *COMBINED]
STRINGS = [name for name, kind in SIGNATURE.items() if kind == "string"]
#: columns by whose values quality is told apart
SLICES = ("origin", "carrier")


def pipeline(hyperparameters: Mapping[str, str]) -> Pipeline:
    """The unfitted pipeline, preprocessing inside.

    :param hyperparameters: `learning_rate`, `max_iter`, `max_leaf_nodes`, `min_samples_leaf`,
        `l2_regularization`, `seed`, all optional, as SageMaker passes them: text
    """
    return Pipeline(
        [
            ("preprocessing", _preprocessing()),
            (
                "model",
                HistGradientBoostingClassifier(
                    learning_rate=float(hyperparameters.get("learning_rate", "0.05")),
                    max_iter=int(hyperparameters.get("max_iter", "150")),
                    max_leaf_nodes=int(hyperparameters.get("max_leaf_nodes", "31")),
                    min_samples_leaf=int(hyperparameters.get("min_samples_leaf", "40")),
                    l2_regularization=float(hyperparameters.get("l2_regularization", "1.0")),
                    # a few days of validation share one weather, which makes a poor judge of when to stop
                    early_stopping=False,
                    random_state=int(hyperparameters.get("seed", "0")),
                ),
            ),
        ]
    )


def _preprocessing() -> ColumnTransformer:
    """Numbers as they are; categories as numbers, where one that training has not met is a missing value.

    The codes are plain numbers to the trees: splits on sets of categories cannot be exported to ONNX.
    """
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=float("nan"))
    return ColumnTransformer([("numbers", "passthrough", NUMBERS), ("categories", codes, STRINGS)])
