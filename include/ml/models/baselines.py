"""The two models that any other must beat: a constant, and a linear one."""

from __future__ import annotations

from collections.abc import Sequence

from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

#: categories seen in fewer rows than this share one column
RARE_ROWS = 20


def constant() -> DummyClassifier:
    """Return the share of each class in training, whatever the row."""
    return DummyClassifier(strategy="prior")


def linear(numbers: Sequence[str], strings: Sequence[str]) -> Pipeline:
    """Logistic regression on standardized numbers (a missing one is marked) and categories."""
    numeric = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    categorical = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=RARE_ROWS)
    preprocessing = ColumnTransformer(
        [("numbers", numeric, list(numbers)), ("categories", categorical, list(strings))]
    )
    return make_pipeline(preprocessing, LogisticRegression(max_iter=300, C=0.1))
