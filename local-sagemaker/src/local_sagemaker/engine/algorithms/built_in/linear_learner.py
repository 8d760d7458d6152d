"""linear-learner: scikit-learn's logistic regression, ridge and elastic net under its hyperparameters.

Solved exactly instead of by stochastic descent, so that everything about the descent makes no difference, and
one model is fitted where AWS fits several in parallel and keeps the best.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn import metrics
from sklearn.linear_model import ElasticNet, LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from local_sagemaker.engine.algorithms.built_in import common
from local_sagemaker.engine.algorithms.built_in.common import Array, Estimator, Table

PARAMETERS: Mapping[str, Any] = {
    "predictor_type": str,
    "num_classes": 0,
    "feature_dim": "auto",
    "l1": 0.0,
    "wd": 0.0,
    "normalize_data": True,
    "loss": "auto",
    "use_bias": True,
}
REQUIRED = ("predictor_type",)
WITHOUT_EFFECT = frozenset(
    {
        *("mini_batch_size", "epochs", "learning_rate", "optimizer", "momentum", "beta_1", "beta_2"),
        *("num_models", "num_calibration_samples", "early_stopping_patience", "early_stopping_tolerance"),
        *("lr_scheduler_step", "lr_scheduler_factor", "lr_scheduler_minimum_lr", "init_method", "init_scale"),
        *("init_sigma", "init_bias", "bias_lr_mult", "bias_wd_mult", "use_lr_scheduler", "normalize_label"),
        *("unbias_data", "unbias_label", "num_point_for_scaler"),
    }
)
CONTENT_TYPE = common.RECORDIO
CHANNELS = (common.CSV,)
REQUESTS = (common.CSV, common.JSON, common.LINES)
LABEL_SIZES = ("1", "0")
ANSWER = "predictions"
BINARY, MULTI, REGRESSOR = "binary_classifier", "multiclass_classifier", "regressor"
LOSSES = {BINARY: "logistic", MULTI: "softmax_loss", REGRESSOR: "squared_loss"}
ITERATIONS = 10_000


def fit(given: dict[str, Any], train: Table, others: Mapping[str, Table]) -> Estimator:
    """Fit the linear model."""
    kind = common.choose(given, "predictor_type", BINARY, MULTI, REGRESSOR)
    common.choose(given, "loss", "auto", LOSSES[kind])
    labels = train.wanted()
    if kind != REGRESSOR:
        common.check_classes(labels, given["num_classes"] if kind == MULTI else 2, "num_classes", f"a {kind}")
    linear = _linear(kind, given, len(labels))
    model = make_pipeline(StandardScaler(), linear) if given["normalize_data"] else make_pipeline(linear)
    model.fit(train.rows, labels)
    for channel, table in {"train": train, **others}.items():
        for name, value in _metrics(kind, model, table).items():
            common.log(f"#quality_metric: host=algo-1, {channel} {name}={value:.6f}")
    return model


def predict(model: Estimator, given: dict[str, Any], rows: Array) -> list[dict[str, Any]]:
    """Return the score of each row, with the label for a classifier."""
    kind = given["predictor_type"]
    if kind == REGRESSOR:
        return [{"score": float(value)} for value in model.predict(rows)]
    scores = model.predict_proba(rows)
    if kind == BINARY:
        return [{"score": float(row[1]), "predicted_label": int(row[1] >= 0.5)} for row in scores]  # noqa: PLR2004
    scores = common.all_classes(model, scores, given["num_classes"])
    return [{"score": row.tolist(), "predicted_label": int(row.argmax())} for row in scores]


def _linear(kind: str, given: dict[str, Any], count: int) -> Estimator:
    l1, l2, has_bias = given["l1"], given["wd"], given["use_bias"]
    if kind == REGRESSOR:
        if l1:
            return ElasticNet(
                alpha=l1 + l2, l1_ratio=l1 / (l1 + l2), fit_intercept=has_bias, max_iter=ITERATIONS
            )
        # scikit-learn's ridge sums over rows, and wd is of their mean
        return (
            Ridge(alpha=l2 * count, fit_intercept=has_bias)
            if l2
            else LinearRegression(fit_intercept=has_bias)
        )
    total = l1 + l2
    return LogisticRegression(
        C=1 / (total * count) if total else np.inf,
        l1_ratio=l1 / total if total else 0.0,
        solver="saga" if l1 else "lbfgs",
        fit_intercept=has_bias,
        max_iter=ITERATIONS,
    )


def _metrics(kind: str, model: Estimator, table: Table) -> dict[str, float]:
    labels, guesses = table.wanted(), model.predict(table.rows)
    if kind == REGRESSOR:
        mse = metrics.mean_squared_error(labels, guesses)
        return {
            "objective_loss <loss>": mse,
            "mse <loss>": mse,
            "rmse <loss>": mse**0.5,
            "absolute_loss <loss>": metrics.mean_absolute_error(labels, guesses),
            "r2 <score>": metrics.r2_score(labels, guesses),
        }
    scores = model.predict_proba(table.rows)
    loss = {"objective_loss <loss>": metrics.log_loss(labels, scores, labels=model.classes_)}
    if kind == MULTI:
        return {
            **loss,
            "multiclass_accuracy <score>": metrics.accuracy_score(labels, guesses),
            "macro_f_beta <score>": metrics.f1_score(labels, guesses, average="macro", zero_division=0.0),
        }
    measured = {
        **loss,
        "binary_classification_accuracy <score>": metrics.accuracy_score(labels, guesses),
        "binary_f_beta <score>": metrics.f1_score(labels, guesses, zero_division=0.0),
        "precision <score>": metrics.precision_score(labels, guesses, zero_division=0.0),
        "recall <score>": metrics.recall_score(labels, guesses, zero_division=0.0),
    }
    if len(set(labels.tolist())) > 1:
        measured["roc_auc_score <score>"] = metrics.roc_auc_score(labels, scores[:, 1])
    return measured
