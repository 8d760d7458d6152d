"""The files of a model: written with their digests, and read only after the digests have been checked.

Nothing here unpickles: skops builds what is on the list of trusted types and refuses the rest.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

from include.core.archives import extract
from include.core.documents.manifest import ModelFile, ModelManifest
from include.core.layout import MANIFEST, Interval
from include.ml.exceptions import InvalidInput
from include.steps.contract import Step, digest, read_document

SKOPS, ONNX = "model.skops", "model.onnx"
CONSTANT, LINEAR = "baselines/constant.skops", "baselines/linear.skops"
#: types beyond skops' own list that a model may be made of; none does anything when it is built
TRUSTED = (
    # the kind of an array, which imputers remember
    "numpy.dtype",
    # how rows were dealt out while fitting
    "sklearn.model_selection._split.StratifiedKFold",
    # scikit-learn's dictionary, in which averaged models are named
    "sklearn.utils._bunch.Bunch",
    # scikit-learn's compiled part of boosted trees
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)


def write_manifest(step: Step) -> None:
    """Write size and digest of every file of the step's model to its manifest; call it last."""
    folder = step.output
    manifest = ModelManifest(
        step=step.name,
        cycle=step.cycle,
        interval=Interval(step.start, step.end),
        key=step.key,
        files=tuple(
            ModelFile(
                name=path.relative_to(folder).as_posix(), bytes=path.stat().st_size, sha256=digest(path)
            )
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != MANIFEST
        ),
    )
    (folder / MANIFEST).write_text(json.dumps(manifest.as_json(), indent=1) + "\n")


def check_manifest(folder: Path) -> set[str]:
    """Return the names of the model's files, each unchanged since the model was made.

    :raises InvalidInput: when a file is missing or is not what the manifest says
    """
    files = read_manifest(folder).files
    for file in files:
        path, name = folder / file.name, file.name
        if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
            raise InvalidInput(
                f"The model in {folder} lacks {name}, which its manifest lists. Train it again."
            )
        if digest(path) != file.sha256:
            raise InvalidInput(
                f"{name} of the model in {folder} is not the file that was trained: its digest differs from "
                f"{MANIFEST}. Do not use this model; train it again."
            )
    return {file.name for file in files}


def read_manifest(folder: Path) -> ModelManifest:
    """Return the manifest of an unpacked model."""
    return read_document(
        folder / MANIFEST, ModelManifest.from_text, f"The model in {folder} is incomplete: train it again."
    )


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a `model.tar.gz` into `folder`, with nothing outside of it, and return `folder`."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            extract(tar, folder)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InvalidInput(
            f"{archive} cannot be unpacked ({error}). Its upload may be incomplete: run the training again."
        ) from error
    return folder


def write_estimator(estimator: object, path: Path) -> None:
    """Write a fitted estimator in skops' format."""
    import skops.io  # noqa: PLC0415 - serving ONNX must not need scikit-learn

    path.parent.mkdir(parents=True, exist_ok=True)
    skops.io.dump(estimator, path)


def read_estimator(path: Path) -> Any:  # noqa: ANN401 - any estimator of scikit-learn, which has no types
    """Return a fitted estimator made of trusted types only.

    :raises InvalidInput: naming the types that are not trusted
    """
    import skops.io  # noqa: PLC0415 - serving ONNX must not need scikit-learn

    strange = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED))
    if strange:
        raise InvalidInput(
            f"{path.name} holds {', '.join(strange)}, which is not trusted. If the cycle's estimator needs "
            "them and they are harmless, add them to TRUSTED in include/steps/serving/model_files.py."
        )
    return skops.io.load(path, trusted=list(TRUSTED))
