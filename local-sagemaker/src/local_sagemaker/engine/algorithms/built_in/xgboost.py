"""xgboost: scikit-learn's histogram gradient boosting under xgboost's hyperparameters.

Trees are grown to max_depth on at most 255 bins, with second-order gains as xgboost's; the models are not the
same, and their scores differ a little. Subsampling of rows and of a tree's columns is not there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from sklearn import metrics
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from local_sagemaker.engine.algorithms.built_in import common
from local_sagemaker.engine.algorithms.built_in.common import Array, ClientError, Estimator, Table

PARAMETERS: Mapping[str, Any] = {
    "num_round": int,
    "objective": "reg:squarederror",
    "booster": "gbtree",
    "num_class": 0,
    "eval_metric": "",
    "seed": 0,
    "eta": 0.3,
    "max_depth": 6,
    "lambda": 1.0,
    "min_child_weight": 1.0,
    "max_leaves": 0,
    "max_bin": 255,
    "colsample_bynode": 1.0,
    "scale_pos_weight": 1.0,
    "early_stopping_rounds": 0,
}
REQUIRED = ("num_round",)
WITHOUT_EFFECT = frozenset(
    {
        *("gamma", "alpha", "subsample", "colsample_bytree", "colsample_bylevel", "max_delta_step"),
        *("nthread", "tree_method", "grow_policy", "verbosity", "silent", "base_score", "sketch_eps"),
        *("updater", "refresh_leaf", "process_type", "predictor", "deterministic_histogram", "dsplit"),
    }
)
CONTENT_TYPE = common.LIBSVM
CHANNELS = REQUESTS = (common.CSV, common.LIBSVM)
LABEL_SIZES = ("1",)
ANSWER = "predictions"
#: objective -> scikit-learn's loss
REGRESSIONS = {
    "reg:squarederror": "squared_error",
    "reg:linear": "squared_error",
    "reg:absoluteerror": "absolute_error",
    "reg:gamma": "gamma",
    "count:poisson": "poisson",
}
BINARY, SOFTMAX, SOFTPROB = "binary:logistic", "multi:softmax", "multi:softprob"
#: objective -> its metrics, the default first; and those of a regression
METRICS = {
    BINARY: ("logloss", "auc", "error"),
    SOFTMAX: ("mlogloss", "merror"),
    SOFTPROB: ("mlogloss", "merror"),
}
ERRORS = ("rmse", "mae")
#: metrics of which more is better
RISING = frozenset({"auc"})


def fit(given: dict[str, Any], train: Table, others: Mapping[str, Table]) -> Estimator:
    """Fit the booster; log the metrics of train and validation after each round, as xgboost does."""
    objective = common.choose(given, "objective", *REGRESSIONS, BINARY, SOFTMAX, SOFTPROB)
    common.choose(given, "booster", "gbtree")
    labels = train.wanted()
    names = given["eval_metric"].strip("[]").replace('"', "").split(",") if given["eval_metric"] else []
    names = [name.strip() for name in names] or [METRICS.get(objective, ERRORS)[0]]
    known = METRICS.get(objective, ERRORS)
    if unknown := [name for name in names if name not in known]:
        raise ClientError(
            f"eval_metric={unknown[0]} is not supported for {objective}: {', '.join(known)} are."
        )
    if objective not in REGRESSIONS:
        common.check_classes(labels, _classes(given), "num_class", objective)
    weights = np.where(labels == 1, given["scale_pos_weight"], 1.0) if objective == BINARY else None
    model = _model(given).fit(train.rows, labels, sample_weight=weights)
    tables = {"train": train, **({"validation": others["validation"]} if "validation" in others else {})}
    rounds = _rounds(model, given, names, tables)
    stop = _written(rounds, given["early_stopping_rounds"], names[-1])
    if stop < given["num_round"]:
        model = _model({**given, "num_round": stop}).fit(train.rows, labels, sample_weight=weights)
    return model


def predict(model: Estimator, given: dict[str, Any], rows: Array) -> list[dict[str, Any]]:
    """Return a score for each row: a value, a probability, a class, or the probabilities of all classes."""
    objective = given["objective"]
    if objective in REGRESSIONS:
        return [{"score": float(value)} for value in model.predict(rows)]
    scores = common.all_classes(model, model.predict_proba(rows), _classes(given))
    if objective == BINARY:
        return [{"score": float(row[1])} for row in scores]
    if objective == SOFTMAX:
        return [{"score": float(row.argmax())} for row in scores]
    return [{"score": row.tolist()} for row in scores]


def _model(given: dict[str, Any]) -> Estimator:
    shared = {
        "learning_rate": given["eta"],
        "max_iter": given["num_round"],
        "max_depth": given["max_depth"] or None,
        "max_leaf_nodes": given["max_leaves"] or None,
        "l2_regularization": given["lambda"],
        "max_bins": min(given["max_bin"], 255),
        "max_features": given["colsample_bynode"],
        "min_samples_leaf": max(1, math.ceil(given["min_child_weight"])),
        "early_stopping": False,
        "random_state": given["seed"],
    }
    if loss := REGRESSIONS.get(given["objective"]):
        return HistGradientBoostingRegressor(loss=loss, **shared)
    return HistGradientBoostingClassifier(**shared)


def _rounds(
    model: Estimator, given: dict[str, Any], names: list[str], tables: dict[str, Table]
) -> Iterator[dict[str, float]]:
    """Yield the metrics after each round, by `<channel>-<metric>`."""
    is_regression = given["objective"] in REGRESSIONS
    stages = [
        (model.staged_predict if is_regression else model.staged_predict_proba)(table.rows)
        for table in tables.values()
    ]
    classes = _classes(given)
    for stage in zip(*stages, strict=True):
        yield {
            f"{channel}-{name}": _metric(
                name, table.wanted(), scores if is_regression else common.all_classes(model, scores, classes)
            )
            for (channel, table), scores in zip(tables.items(), stage, strict=True)
            for name in names
        }


def _written(rounds: Iterator[dict[str, float]], patience: int, name: str) -> int:
    """Write a line for each round; how many there are until the validation's metric stops to improve."""
    best, since, count = math.inf, 0, 0
    for measured in rounds:
        common.log(f"[{count}]\t" + "\t".join(f"{key}:{value:.5f}" for key, value in measured.items()))
        count += 1
        if not patience or f"validation-{name}" not in measured:
            continue
        value = measured[f"validation-{name}"] * (-1 if name in RISING else 1)
        best, since = (value, 0) if value < best else (best, since + 1)
        if since >= patience:
            break
    return count


def _metric(name: str, labels: Array, scores: Array) -> float:
    match name:
        case "rmse":
            return float(metrics.root_mean_squared_error(labels, scores))
        case "mae":
            return float(metrics.mean_absolute_error(labels, scores))
        case "auc":
            return float(metrics.roc_auc_score(labels, scores[:, 1]))
        case "error" | "merror":
            return float(np.mean(scores.argmax(axis=1) != labels))
    return float(metrics.log_loss(labels, scores, labels=np.arange(scores.shape[1])))


def _classes(given: dict[str, Any]) -> int:
    return 2 if given["objective"] == BINARY else int(given["num_class"])
