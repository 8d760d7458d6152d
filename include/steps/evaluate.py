"""evaluate: score challenger, champion and baselines on one holdout, and judge the challenger."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from include.core.documents.manifest import files_digest
from include.core.documents.model import (
    Evaluation,
    ModelSignature,
    OnnxExport,
    OperatingPoint,
    TrainingReport,
    Verdict,
)
from include.core.layout import (
    EVALUATION,
    GOLDEN_ROWS,
    METRICS,
    MODEL_ARCHIVE,
    MODEL_CARD,
    MODEL_CARD_PAGE,
    REPORT,
    VERDICT,
)
from include.ml.evaluation import metrics
from include.ml.evaluation.clusters import time_blocks
from include.ml.evaluation.comparison import Answers, Holdout, answered_classes
from include.ml.evaluation.metrics import permutation_importance
from include.ml.evaluation.operating import operating_metrics
from include.ml.evaluation.resampling import Sample
from include.ml.exceptions import InvalidInput
from include.ml.reports.evaluation import CardFacts, card_document, render_card, render_evaluation
from include.steps import contract, judgement
from include.steps.contract import Step, digest, read_document
from include.steps.judgement import Comparison, Estimates
from include.steps.manifest import write_document, write_manifest
from include.steps.monitoring import reference
from include.steps.rows import Rows, read_rows
from include.steps.serving import inference, model_files
from include.steps.serving.inference import Model

#: rows that `verify` sends through the live endpoint
GOLDEN_COUNT = 20
BASELINES = {"constant": model_files.CONSTANT, "linear": model_files.LINEAR}


def main() -> None:
    """Run as a processing job."""
    contract.run("evaluate", evaluate)


def evaluate(step: Step) -> Mapping[str, float | None]:
    """Score all models, compare, judge and write; return the metrics of the last log line."""
    features = step.module("features")
    rows = read_rows(step.required("holdout"), features, may_be_empty=True)
    with tempfile.TemporaryDirectory() as folder:
        models = read_models(step, Path(folder))
        trained = read_trained(Path(folder) / "challenger")
        answers = {
            name: Answers(score_rows(model, rows, features.CLASSES, name), threshold(name, model))
            for name, model in models.items()
        }
    holdout = Holdout(rows.labels, rows.event_ids, time_blocks(rows.times, step.description.promotion.block))
    estimates = {
        name: metrics.bootstrap(
            rows.labels, theirs.probabilities, threshold=theirs.threshold, clusters=holdout.clusters
        )
        for name, theirs in answers.items()
    }
    compared = judgement.compare_models(step, rows, holdout, answers)
    verdict = judgement.judge_challenger(step, holdout, estimates, compared)
    evaluation = describe_evaluation(
        step,
        rows,
        models["challenger"],
        trained=trained,
        answers=answers,
        estimates=estimates,
        compared=compared,
    )
    verdict = write_document(step.output / VERDICT, verdict)
    evaluation = write_document(step.output / EVALUATION, evaluation)
    write_golden(step.output / GOLDEN_ROWS, rows, models["challenger"])
    write_report(step, rows, verdict, evaluation, answers)
    write_card(step, trained, models["challenger"].signature, verdict, evaluation)
    reference.write_reference(step)
    reference.write_monitoring(step, evaluation.importance, holdout, answers["challenger"].probabilities)
    value = estimates["challenger"][step.description.metric].value
    measured = {step.description.metric: value, "promote": int(verdict.promote)}
    write_manifest(step, counts={"rows_in": len(rows), "rows_out": len(rows)}, metrics=measured)
    return {"rows": len(rows), **measured}


def read_models(step: Step, target: Path) -> dict[str, Model]:
    """Return the challenger, its baselines and the champion, if any; check files before loading them."""
    folder = _unpacked(step.required("challenger"), target / "challenger")
    challenger = inference.read_model(folder)
    models = {"challenger": challenger}
    if step.input("champion").is_dir() and any(step.input("champion").iterdir()):
        models["champion"] = inference.read_model(_unpacked(step.input("champion"), target / "champion"))
    for name, file in BASELINES.items():
        estimator = model_files.read_estimator(folder / file)
        predict = inference.from_estimator(estimator, challenger.signature)
        models[name] = Model(challenger.signature, challenger.combine, predict)
    return models


def _unpacked(source: Path, target: Path) -> Path:
    archive = source / MODEL_ARCHIVE
    if not archive.is_file():
        raise InvalidInput(
            f"There is no model.tar.gz in {source}. Give the job the output of a training job."
        )
    return model_files.unpack(archive, target)


def score_rows(model: Model, rows: Rows, classes: tuple[str, ...], name: str) -> np.ndarray:
    """Return probabilities of all classes of the cycle, shape (rows, classes)."""
    if not len(rows):
        return np.zeros((0, len(classes)))
    try:
        probabilities = model.probabilities(rows.columns)
    except KeyError as error:
        raise InvalidInput(
            f"The {name} cannot be scored on this holdout: it needs {error}, which SIGNATURE and combine in "
            "features.py no longer give. Keep the column, or start a cycle of a new name."
        ) from error
    odd = ~np.isfinite(probabilities).all(axis=1)
    if odd.any():
        raise InvalidInput(
            f"The {name} gives no finite score for {odd.sum()} of {len(rows)} rows of the holdout, the first "
            f"is {rows.event_ids[odd.argmax()]!r}. Handle its missing or extreme values in estimator.py."
        )
    return inference.spread_classes(probabilities, model.signature.classes, classes)


def threshold(name: str, model: Model) -> float:
    """Return the probability from which the model answers yes; one half for a baseline."""
    return 0.5 if name in BASELINES else model.signature.threshold


def describe_evaluation(
    step: Step,
    rows: Rows,
    model: Model,
    *,
    trained: Trained,
    answers: Mapping[str, Answers],
    estimates: Estimates,
    compared: Comparison,
) -> Evaluation:
    """Return the content of evaluation.json: the registry's part, and what the report shows."""
    classes, metric = step.module("features").CLASSES, step.description.metric
    groups = {name: rows.columns[name] for name in step.module("estimator").SLICES}
    ours, limit = answers["challenger"].probabilities, answers["challenger"].threshold
    calibrations = {
        name: metrics.calibration(*reference.score_outcomes(rows.labels, theirs.probabilities))
        for name, theirs in answers.items()
    }
    registered = judgement.registry_metrics(rows, answers["challenger"], estimates["challenger"], classes)
    is_binary = step.description.task == "binary"
    own = {name: answers[name] for name in ("challenger", "champion") if name in answers}
    sample = Sample(rows.labels, time_blocks(rows.times, step.description.promotion.block))
    return Evaluation(
        binary_classification_metrics=registered if is_binary else None,
        multiclass_classification_metrics=None if is_binary else registered,
        rows=len(rows),
        models=estimates,
        gain=compared.gains,
        operating={
            name: operating_metrics(
                step.description.task, rows.labels, answered_classes(theirs), sample, len(classes)
            )
            for name, theirs in own.items()
        },
        thresholds={name: theirs.threshold for name, theirs in own.items()} if is_binary else None,
        operating_point=trained.operating_point,
        slices=tuple(metrics.slice_metrics(rows.labels, ours, groups, metric, threshold=limit)),
        calibration=calibrations["challenger"],
        calibrations=calibrations,
        importance=permutation_importance(
            lambda columns: inference.spread_classes(
                model.probabilities(columns), model.signature.classes, classes
            ),
            rows.columns,
            rows.labels,
            metric,
            threshold=limit,
        ),
    )


def write_golden(path: Path, rows: Rows, model: Model) -> None:
    """Write rows of the holdout as a client sends them, with the answers that the endpoint must give."""
    if not len(rows):
        path.write_text("")
        return
    chosen = np.unique(np.linspace(0, len(rows) - 1, GOLDEN_COUNT).astype(int))
    columns = {name: values[chosen] for name, values in rows.columns.items()}
    labels, scores = model.label(model.probabilities(columns))
    lines = []
    for index, row in enumerate(chosen):
        instance = {name: _plain(values[index]) for name, values in columns.items()}
        event_id = str(rows.event_ids[row])
        lines.append({"event_id": event_id, "row": instance, "label": labels[index], "score": scores[index]})
    path.write_text("".join(json.dumps(line, allow_nan=False) + "\n" for line in lines))


def _plain(value: object) -> object:
    """Return a cell as JSON: a missing value is null."""
    if isinstance(value, float):
        return None if math.isnan(value) else float(value)
    return value or None


def write_report(
    step: Step, rows: Rows, verdict: Verdict, evaluation: Evaluation, answers: Mapping[str, Answers]
) -> None:
    """Write report.html."""
    curves = {}
    if step.description.task == "binary":
        rates = {
            name: metrics.roc_curve(rows.labels, theirs.probabilities[:, 1])
            for name, theirs in answers.items()
        }
        curves = {name: (false.tolist(), true.tolist()) for name, (false, true) in rates.items()}
    title = f"{step.cycle}: evaluation of {step.start:%Y-%m-%d} to {step.end:%Y-%m-%d}"
    html = render_evaluation(title, verdict, evaluation, curves)
    (step.output / REPORT).write_text(html, encoding="utf-8")


@dataclass(frozen=True)
class Trained:
    """Facts in the challenger's own files."""

    #: content key of the training
    key: str
    #: over names and digests of the code that it was trained by
    code: str
    measured: Mapping[str, float | None]
    operating_point: OperatingPoint | None
    onnx: OnnxExport


def read_trained(folder: Path) -> Trained:
    """Read an unpacked model, whose files have been checked."""
    manifest = model_files.read_manifest(folder)
    report = read_document(folder / METRICS, TrainingReport.from_text, "Train the model again.")
    code = files_digest(file for file in manifest.files if file.name.startswith("code/"))
    return Trained(manifest.key, code, report.metrics, report.operating_point, report.onnx)


def write_card(
    step: Step, trained: Trained, signature: ModelSignature, verdict: Verdict, evaluation: Evaluation
) -> None:
    """Write both forms of the card."""
    cycle = step.description
    facts = CardFacts(
        cycle=step.cycle,
        purpose=cycle.description,
        intended_uses=cycle.intended_uses,
        limits=cycle.limits,
        task=cycle.task,
        classes=step.module("features").CLASSES,
        lineage=lineage(step, trained),
        hyperparameters=cycle.hyperparameters,
        features=signature.features,
        training=trained.measured,
        verdict=verdict,
        evaluation=evaluation,
    )
    write_document(step.output / MODEL_CARD, card_document(facts))
    (step.output / MODEL_CARD_PAGE).write_text(render_card(facts), encoding="utf-8")


def lineage(step: Step, trained: Trained) -> dict[str, str]:
    """Return where the version comes from: intervals, cut-offs, keys and digests."""
    split = step.description.split
    holdout = sorted(step.required("holdout").rglob("*.parquet"))
    sums = "".join(f"{path.name} {digest(path)}\n" for path in holdout)
    return {
        "data interval": f"{step.start.isoformat()} to {step.end.isoformat()}",
        "trained on events before": (step.end - split.holdout - split.validation).isoformat(),
        "judged on events from": (step.end - split.holdout).isoformat(),
        "judged on events before": step.end.isoformat(),
        "labels known by": step.end.isoformat(),
        "training key": trained.key,
        "evaluation key": step.key,
        "model code sha256": trained.code,
        "served by": f"{'its ONNX export' if trained.onnx.kept else 'scikit-learn'}: {trained.onnx.reason}",
        "holdout sha256": hashlib.sha256(sums.encode()).hexdigest(),
    }
