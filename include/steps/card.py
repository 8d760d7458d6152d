"""The part of `evaluate` that writes the model card: model_card.json and model_card.html."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.ml.reports import cards
from include.steps.contract import Step
from include.steps.manifest import digest, write_json
from include.steps.serving import model_files
from include.steps.serving.inference import Signature


@dataclass(frozen=True)
class Trained:
    """What the challenger's own files say of it."""

    #: content key of the training
    key: str
    #: over names and digests of the code that it was trained by
    code: str
    measured: Mapping[str, float | None]


def read_trained(folder: Path) -> Trained:
    """Read it from an unpacked model, whose files have been checked."""
    about = json.loads((folder / model_files.MANIFEST).read_text())
    measured = json.loads((folder / model_files.METRICS).read_text())["metrics"]
    files = [file for file in about["files"] if file["name"].startswith("code/")]
    sums = "".join(f"{file['name']} {file['sha256']}\n" for file in files)
    return Trained(about["key"], hashlib.sha256(sums.encode()).hexdigest(), measured)


def write(
    step: Step,
    trained: Trained,
    signature: Signature,
    verdict: Mapping[str, Any],
    evaluation: Mapping[str, Any],
) -> None:
    """Write both forms of the card."""
    cycle = step.description
    facts = cards.Facts(
        cycle=step.cycle,
        purpose=cycle.description,
        intended_uses=cycle.intended_uses,
        limits=cycle.limits,
        task=cycle.task,
        classes=step.module("features").CLASSES,
        lineage=lineage(step, trained),
        hyperparameters=cycle.hyperparameters,
        features=[*signature.numbers, *signature.strings],
        training=trained.measured,
        verdict=verdict,
        evaluation=evaluation,
    )
    write_json(step.output / "model_card.json", cards.document(facts))
    (step.output / "model_card.html").write_text(cards.page(facts), encoding="utf-8")


def lineage(step: Step, trained: Trained) -> dict[str, str]:
    """Where the version comes from: intervals, cut-offs, keys and digests."""
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
        "holdout sha256": hashlib.sha256(sums.encode()).hexdigest(),
    }
