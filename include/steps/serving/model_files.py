"""The files of a model: written with their digests, and read only after the digests have been checked.

Nothing here unpickles: skops builds what is on the list of trusted types and refuses the rest.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from include.core.archives import extract
from include.core.layout import MANIFEST
from include.ml.exceptions import InvalidInput

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


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, about: Mapping[str, object]) -> None:
    """Write size and digest of every file below `folder` to its manifest; call it last."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    files = [
        {"name": path.relative_to(folder).as_posix(), "bytes": path.stat().st_size, "sha256": digest(path)}
        for path in paths
    ]
    (folder / MANIFEST).write_text(json.dumps({**about, "files": files}, indent=1) + "\n")


def check_manifest(folder: Path) -> set[str]:
    """Return the names of the model's files, each unchanged since the model was made.

    :raises InvalidInput: when a file is missing or is not what the manifest says
    """
    try:
        files = json.loads((folder / MANIFEST).read_text())["files"]
        expected = {str(file["name"]): str(file["sha256"]) for file in files}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"The model in {folder} has no readable {MANIFEST} ({error}). Train it again."
        ) from error
    for name, sha256 in expected.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
            raise InvalidInput(
                f"The model in {folder} lacks {name}, which its manifest lists. Train it again."
            )
        if digest(path) != sha256:
            raise InvalidInput(
                f"{name} of the model in {folder} is not the file that was trained: its digest differs from "
                f"{MANIFEST}. Do not use this model; train it again."
            )
    return set(expected)


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
