"""The estimator of the digits cycle: a support vector machine on grey values."""

from __future__ import annotations

from collections.abc import Mapping

from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from include.cycles.digits.features import COMBINED, PIXELS

#: columns by whose values quality is told apart: an image has none
SLICES: tuple[str, ...] = ()


def pipeline(hyperparameters: Mapping[str, str]) -> Pipeline:
    """The unfitted pipeline, preprocessing inside.

    :param hyperparameters: `gamma`, `penalty` and `seed`, all optional, as SageMaker passes them: text
    """
    machine = SVC(
        gamma=float(hyperparameters.get("gamma", "0.001")), C=float(hyperparameters.get("penalty", "1.0"))
    )
    # the machine tells distances; which probability one stands for is learnt from rows it was not fitted on
    folds = StratifiedKFold(3, shuffle=True, random_state=int(hyperparameters.get("seed", "0")))
    model = CalibratedClassifierCV(machine, ensemble=False, cv=folds)
    preprocessing = ColumnTransformer([("numbers", "passthrough", [*PIXELS, *COMBINED])])
    return Pipeline([("preprocessing", preprocessing), ("model", model)])
