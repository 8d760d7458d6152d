"""reproduce: compare the answers of a recorded model with those of one trained again from its record.

Reads `rows` (the recorded holdout), `original` and `again` (each a folder with `model.tar.gz`) and the
parameter `tolerance`; writes `reproduction.json`.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from include.core.layout import MODEL_ARCHIVE, REPRODUCTION
from include.ml.exceptions import InvalidInput
from include.ml.models.export import compare_reproduction
from include.steps import contract
from include.steps.contract import Step
from include.steps.manifest import write_document, write_manifest
from include.steps.rows import read_rows
from include.steps.serving import inference, model_files
from include.steps.serving.inference import Arrays


def main() -> None:
    """Run as a processing job."""
    contract.run("reproduce", reproduce)


def reproduce(step: Step) -> Mapping[str, float]:
    """Ask both models about every row, and write how far their answers are apart."""
    rows = read_rows(step.required("rows"), step.module("features"))
    answers = [probabilities(step, name, rows.columns) for name in ("original", "again")]
    comparison = compare_reproduction(answers[0], answers[1], read_tolerance(step))
    write_document(step.output / REPRODUCTION, comparison)
    write_manifest(step, counts={"rows_in": comparison.rows, "rows_out": comparison.rows})
    largest = math.inf if comparison.largest is None else comparison.largest
    return {"rows": comparison.rows, "rows_beyond": comparison.rows_beyond, "largest": largest}


def read_tolerance(step: Step) -> float:
    """Return the largest difference of a probability that counts as the same."""
    text = step.parameters.get("tolerance", "")
    try:
        tolerance = float(text)
    except ValueError as error:
        raise InvalidInput(f"--tolerance {text!r} is no number. Give one like 1e-6.") from error
    if not 0 <= tolerance < 1:
        raise InvalidInput(f"--tolerance {text} must be at least 0 and less than 1, as probabilities are.")
    return tolerance


def probabilities(step: Step, name: str, columns: Arrays) -> np.ndarray:
    """Return one model's probabilities of all the cycle's classes; check its files by their digests."""
    with tempfile.TemporaryDirectory() as target:
        folder = model_files.unpack(step.required(name) / MODEL_ARCHIVE, Path(target))
        # scikit-learn's own model: whether its export was kept is not what is asked
        model = inference.read_model(folder, prefer_onnx=False)
        classes = step.module("features").CLASSES
        return inference.spread_classes(model.probabilities(columns), model.signature.classes, classes)
