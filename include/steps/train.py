"""train: fit the cycle's pipeline and two baselines, and write a model with all that serving needs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Literal

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from include.core.documents.model import (
    ColumnSignature,
    ModelSignature,
    OnnxExport,
    OperatingPoint,
    TrainingReport,
)
from include.core.layout import METRICS, SIGNATURE
from include.ml import cycle_code
from include.ml.cleaning.sent import Sent, describe_rules
from include.ml.evaluation import operating
from include.ml.evaluation.clusters import time_blocks
from include.ml.evaluation.metrics import metrics
from include.ml.exceptions import InvalidInput
from include.ml.models import adversarial, baselines, export
from include.ml.models.limits import Limits, describe_limits
from include.steps import contract
from include.steps.contract import Step
from include.steps.rows import Rows, read_rows
from include.steps.serving import inference, model_files
from include.steps.serving.inference import Arrays, from_estimator

#: the folder that holds the package `include` of the running code
ROOT = Path(__file__).parents[2]
#: string columns with more values than this do not list them in the signature
VALUES_LIMIT = 1000
#: threads with which an export is checked: serving uses one, batch transform may use more
EXPORT_THREADS = (1, 2)


#: rows as an estimator takes them, and their labels
Labelled = tuple[pd.DataFrame, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The fitted models and their signature."""

    signature: ModelSignature
    #: of two classes
    operating_point: OperatingPoint | None
    pipeline: Pipeline
    linear: Pipeline
    constant: ClassifierMixin


def main() -> None:
    """Run as a training job."""
    contract.run("train", train)


def train(step: Step) -> Mapping[str, float]:
    """Fit, export, measure and write; return the metrics of the last log line."""
    threads = int(os.environ.get("FLYWHEEL_THREADS") or os.environ.get("OMP_NUM_THREADS") or 1)
    features, estimator = step.module("features"), step.module("estimator")
    train = read_rows(step.required("train"), features)
    validation = read_rows(step.required("validation"), features, may_be_empty=True)
    require_classes(train, features)
    # many small products of matrices: handing them to a second thread costs more than it saves
    with threadpool_limits({"openmp": threads, "blas": 1}):
        fitted = fit(step, features, estimator, train, validation)
        measured = measure_models(fitted, features, validation)
        write_model(step.output, fitted)
        known = {"training": train.columns, "validation": validation.columns}
        export_outcome = write_onnx(step.output, fitted, features, known)
    counted = {"rows": len(train), "rows_validation": len(validation), **measured}
    report = TrainingReport(
        metrics=counted, onnx=export_outcome, threads=threads, operating_point=fitted.operating_point
    )
    (step.output / METRICS).write_text(json.dumps(report.as_json(), indent=1) + "\n")
    copy_code(step.output / "code", step.cycle)
    model_files.write_manifest(step)
    return counted


def require_classes(train: Rows, features: ModuleType) -> None:
    """Raise InvalidInput if all rows have one label."""
    if len(np.unique(train.labels)) == 1:
        label = features.CLASSES[train.labels[0]]
        raise InvalidInput(
            f"Cannot fit: every one of the {len(train)} rows has {features.LABEL}={label}. "
            "Check the filter in cleaning.py, or fetch a longer period."
        )


def make_signature(step: Step, features: ModuleType, train: Rows) -> ModelSignature:
    """Return what the model takes and gives; it has only the classes that training met."""
    kinds: Mapping[str, Literal["number", "string"]] = features.SIGNATURE
    numbers, strings = ([name for name in kinds if kinds[name] == kind] for kind in ("number", "string"))
    rules, left_out = describe_rules(
        step.module("schema"),
        step.module("cleaning").RULES,
        getattr(step.module("joining"), "SENT", Sent()),
        {name: (kind, distinct_values(train.columns[name])) for name, kind in kinds.items()},
    )
    for name, reason in left_out.items():
        print(f"rules=absent column={name} reason=rows of training break them: {reason}")
    return ModelSignature(
        version=1,
        cycle=step.cycle,
        task=step.description.task,
        id_column="event_id",
        columns=tuple(
            replace(describe_column(name, kind, train.columns[name]), rules=rules.get(name))
            for name, kind in kinds.items()
        ),
        classes=tuple(features.CLASSES[label] for label in np.unique(train.labels)),
        threshold=0.5,
        features=(*numbers, *features.COMBINED, *strings),
    )


def distinct_values(values: np.ndarray) -> list[float | str | None]:
    """Return the different values of a column, None for a missing one."""
    return [None if value == "" or value != value else value for value in np.unique(values).tolist()]  # noqa: PLR0124


def describe_column(name: str, kind: Literal["number", "string"], values: np.ndarray) -> ColumnSignature:
    """Return a column's signature, with the values of a text column that has few."""
    known = tuple(np.unique(values).tolist()) if kind == "string" else ()
    return ColumnSignature(name=name, type=kind, values=known if 0 < len(known) <= VALUES_LIMIT else None)


def fit(step: Step, features: ModuleType, estimator: ModuleType, train: Rows, validation: Rows) -> Fitted:
    """Fit the baselines on the training rows alone, and the pipeline as its cycle fits it.

    The cycle's own `fit` is given the validation rows as well. The holdout is never here.
    """
    signature = make_signature(step, features, train)
    known, checked = as_fitted(signature, features, train), as_fitted(signature, features, validation)
    point = None
    if signature.task == "binary":
        point = fit_operating_point(step, estimator, train.times, known, checked)
    if point and point.threshold.value is not None:
        signature = replace(signature, threshold=point.threshold.value)
    pipeline = fit_pipeline(step, estimator, known, checked)
    stacked = partial(inference.stack, signature, features.combine)
    return Fitted(
        signature=describe_limits(signature, stacked, from_estimator(pipeline, signature), train.columns),
        operating_point=point,
        pipeline=pipeline,
        linear=baselines.linear(signature.numbers, signature.strings).fit(*known),
        constant=baselines.constant().fit(*known),
    )


def fit_pipeline(step: Step, estimator: ModuleType, known: Labelled, validation: Labelled) -> Pipeline:
    """Return a new pipeline of the cycle's, fitted as the cycle fits it.

    :raises FaultyCode: the cycle's code or scikit-learn raises; told with the rows that it may be about
    """

    def fitted(_: object) -> Pipeline:
        pipeline = estimator.pipeline(step.parameters)
        if hasattr(estimator, "fit"):
            return estimator.fit(pipeline, *known, *validation)
        return pipeline.fit(*known)

    try:
        pipeline = cycle_code.call(fitted, {}, "What estimator.py fits")
    except cycle_code.FaultyCode as error:
        table = known[0]
        doubts = cycle_code.doubtful_numbers({str(name): table[name].to_numpy() for name in table})
        raise cycle_code.FaultyCode(f"{error} {doubts}".rstrip()) from error.__cause__
    if not hasattr(pipeline, "predict_proba"):
        raise InvalidInput(
            f"estimator.py of {step.cycle}: what was fitted is {type(pipeline).__name__}, which has no "
            "predict_proba. Let `fit` return the fitted pipeline, and let that end in a classifier."
        )
    return pipeline


def fit_operating_point(
    step: Step, estimator: ModuleType, times: pd.Series, known: Labelled, validation: Labelled
) -> OperatingPoint:
    """Return the threshold by scores out of fold, in the cycle's blocks.

    A pipeline is fitted once for each fold besides; one fold's model is held at a time.
    """
    table, labels = known
    blocks = time_blocks(times, step.description.promotion.block)
    keys = times.to_numpy() if blocks is None or len(np.unique(blocks)) < operating.FOLDS else blocks

    def predict(others: np.ndarray, held: np.ndarray) -> np.ndarray:
        rows = table[others].reset_index(drop=True), labels[others]
        try:
            fitted = fit_pipeline(step, estimator, rows, validation)
        except cycle_code.FaultyCode as error:
            # a fault that all rows have is told when the pipeline is fitted to all of them
            print(f"threshold: {held.sum()} rows are left out, since the others cannot be fitted: {error}")
            return np.full(int(held.sum()), np.nan)
        answers = operating.answered(fitted.predict_proba, table[held].reset_index(drop=True), 2)
        return answers[:, 1]

    scores = operating.out_of_fold(predict, labels, operating.time_folds(keys))
    return OperatingPoint(
        threshold=operating.fit_threshold(labels, scores, blocks),
        folds=operating.FOLDS,
        rows=int(np.isfinite(scores).sum()),
    )


def as_fitted(signature: ModelSignature, features: ModuleType, rows: Rows) -> Labelled:
    """Return rows as an estimator takes them: named columns, and numbers of the signature's classes.

    Rows of a class that training has not met are left out: no fitted model can answer with it.
    """
    table = inference.table(signature, *inference.stack(signature, features.combine, rows.columns))
    codes = {name: code for code, name in enumerate(signature.classes)}
    labels = np.array([codes.get(features.CLASSES[label], -1) for label in rows.labels], dtype=int)
    is_met = labels >= 0
    return (table, labels) if is_met.all() else (table[is_met].reset_index(drop=True), labels[is_met])


def measure_models(fitted: Fitted, features: ModuleType, validation: Rows) -> dict[str, float]:
    """Measure all three models on the validation rows, each by its own threshold."""
    inputs = inference.stack(fitted.signature, features.combine, validation.columns)
    nothing = np.zeros((0, len(fitted.signature.classes)))
    by_name: dict[str, float] = {}
    models = {"": fitted.pipeline, "constant_": fitted.constant, "linear_": fitted.linear}
    for prefix, estimator in models.items():
        scores = inference.spread_classes(
            from_estimator(estimator, fitted.signature)(*inputs) if len(validation) else nothing,
            fitted.signature.classes,
            features.CLASSES,
        )
        measured = metrics(validation.labels, scores, 0.5 if prefix else fitted.signature.threshold)
        by_name |= {f"validation_{prefix}{name}": value for name, value in measured.items()}
    return by_name


def write_model(folder: Path, fitted: Fitted) -> None:
    """Write signature, pipeline and baselines."""
    (folder / SIGNATURE).write_text(json.dumps(fitted.signature.as_json(), indent=1) + "\n")
    model_files.write_estimator(fitted.pipeline, folder / model_files.SKOPS)
    model_files.write_estimator(fitted.constant, folder / model_files.CONSTANT)
    model_files.write_estimator(fitted.linear, folder / model_files.LINEAR)
    for name in (model_files.SKOPS, model_files.CONSTANT, model_files.LINEAR):
        # what serving and evaluation could not load must not leave training
        model_files.read_estimator(folder / name)


def write_onnx(folder: Path, fitted: Fitted, features: ModuleType, known: Mapping[str, Arrays]) -> OnnxExport:
    """Export the pipeline; keep the export only if it agrees on every row that may come. Return the outcome.

    :param known: columns of the training rows, then of others
    """
    signature, pipeline = fitted.signature, fitted.pipeline
    rows = adversarial.all_rows(
        (pipeline, partial(inference.table, signature)),
        partial(inference.stack, signature, features.combine),
        Limits.of(signature).accept,
        known,
    )
    try:
        exported = export.to_onnx(pipeline, signature.numbers, signature.strings)
        sessions = [inference.from_onnx(exported, threads) for threads in EXPORT_THREADS]
        agreement = export.compare_export(
            from_estimator(pipeline, signature),
            sessions,
            rows,
            signature.threshold if signature.task == "binary" else None,
        )
    except Exception as error:  # noqa: BLE001 - converter and runtime raise what they like; skops remains
        print(f"onnx=absent reason={type(error).__name__}: {error}")
        return OnnxExport(kept=False, reason=f"{type(error).__name__}: {error}")
    if agreement.is_close:
        (folder / model_files.ONNX).write_bytes(exported)
    print(f"onnx={'kept' if agreement.is_close else 'absent'} reason={agreement}")
    return OnnxExport(kept=agreement.is_close, reason=str(agreement))


def copy_code(target: Path, cycle: str) -> None:
    """Copy the running code beside the model: what cycles share, and the cycle's own package."""
    package = ROOT / "include"
    files = [package / "__init__.py", *sorted((package / "cycles").glob("*.py"))]
    for folder in ("core", "steps", "ml", f"cycles/{cycle}"):
        # not Python alone: a package may read files that lie beside its modules
        files += sorted(
            p for p in (package / folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts
        )
    for path in files:
        copy = target / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
