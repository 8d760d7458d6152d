"""The user's script: where it is found, and how it is served, or the defaults in its place.

The code is an archive in S3, or a folder of the container. A script has model_fn(model_dir),
input_fn(body, content_type), predict_fn(input, model) and output_fn(prediction, accept), or
transform_fn(model, body, content_type, accept) for the last three.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import io
import json
import os
import re
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from local_sagemaker.engine.algorithms import web
from local_sagemaker.engine.algorithms.web import BASE
from local_sagemaker.storage.archives import extract

REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
#: name of the script where nothing names one
PROGRAM = "inference.py"
#: what the defaults read and write
JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
TEXTS = (JSON, CSV)
PAIR = 2

Answer = tuple[bytes, str]


class CodeError(Exception):
    """The user's code is not there, or cannot be unpacked."""


def fetch(directory: str, folder: Path) -> Path:
    """Return the folder with the code of `directory`: an S3 URI of a .tar.gz, or a path of the container."""
    if not directory.startswith("s3://"):
        return Path(directory.removeprefix("file://"))
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "source.tar.gz"
        import boto3  # noqa: PLC0415 (slow to import, and code in the container needs none)
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        bucket, _, key = directory.removeprefix("s3://").partition("/")
        try:
            boto3.client("s3").download_file(bucket, key, str(archive))
        except (BotoCoreError, ClientError, OSError) as error:
            raise CodeError(f"Cannot download the code {directory}: {error}.") from error
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with tarfile.open(archive) as tar:
                extract(tar, folder)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise CodeError(
                f"Cannot unpack {directory}: {error}. It must be a .tar.gz of your code."
            ) from error
    return folder


def program(folder: Path, name: str) -> Path:
    """Return the user's script in its folder."""
    path = folder / name
    if not path.is_file():
        names = ", ".join(sorted(entry.name for entry in folder.glob("*"))) or "nothing"
        raise CodeError(
            f"There is no {name} in {folder}, which holds {names}. Name the script as it is packed."
        )
    return path


def tell_missing(folder: Path) -> None:
    """Say which requirements of the user's are not installed here; this environment is not changed."""
    path = folder / "requirements.txt"
    if not path.is_file():
        return
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    names = [match.group() for line in lines if (match := REQUIREMENT.match(line))]
    missing = [name for name in names if not _is_installed(name)]
    if missing:
        sys.stderr.write(
            f"requirements.txt is not installed by the local SageMaker; not there: {', '.join(missing)}. "
            "Install it where the service runs, or describe an environment that has it in an image.toml.\n"
        )


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def serve() -> int:
    """Load the model and serve it until SIGTERM."""
    web.end_when_asked()
    try:
        web.serve(
            lambda folder: Handlers(_module(folder), str(folder)).answer, os.environ.get("SCRIPT_MODE_HOST")
        )
    except CodeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _module(model: Path) -> Any:  # noqa: ANN401 (the user's module)
    """Return the user's script as a module; of several models that bring one each, as that model's own."""
    given = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY")
    folder = fetch(given or str(model / "code"), BASE / "code")
    name = os.environ.get("SAGEMAKER_PROGRAM") or PROGRAM
    path = program(folder, name)
    tell_missing(folder)
    if web.IS_MULTI_MODEL and not given:
        found = importlib.util.spec_from_file_location(f"{path.stem}_{model.parent.name}", path)
        if found is None or found.loader is None:
            raise CodeError(f"{path} is no Python module. Name one as SAGEMAKER_PROGRAM.")
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        return module
    sys.path.insert(0, str(path.parent))
    return importlib.import_module(path.stem)


class Handlers:
    """A loaded model, and the functions it is asked by.

    The defaults refuse content types that they cannot read (415) or write (406).
    """

    def __init__(self, module: ModuleType, folder: str) -> None:
        """Load the model; whatever the user's model_fn raises passes."""
        load: Callable[[str], Any] | None = getattr(module, "model_fn", None)
        if load is None:
            raise NotImplementedError(
                f"{module.__name__}.py has no model_fn. Define model_fn(model_dir), which returns the model."
            )
        self._module = module
        self._model = load(folder)

    def answer(self, body: bytes, content_type: str, accept: str) -> Answer:
        """Return the answer to a request, with its content type."""
        content_type = (content_type or JSON).partition(";")[0].strip()
        # when the client accepts any: CSV for CSV in a batch, else JSON
        default = CSV if content_type == CSV and "SAGEMAKER_BATCH" in os.environ else JSON
        accept = accept or os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", default)
        transform = getattr(self._module, "transform_fn", None)
        given: Any = body.decode("utf-8") if content_type in TEXTS else body
        if transform is not None:
            return _answer(transform(self._model, given, content_type, accept), accept)
        read = getattr(self._module, "input_fn", default_input)
        predict = getattr(self._module, "predict_fn", lambda data, model: model.predict(data))
        write = getattr(self._module, "output_fn", default_output)
        return _answer(write(predict(read(given, content_type), self._model), accept), accept)


def default_input(body: Any, content_type: str) -> Any:  # noqa: ANN401 (an array)
    """Return a request's body as an array of numbers."""
    import numpy as np  # noqa: PLC0415 (a script with functions of its own may need none)

    if content_type == JSON:
        return np.asarray(json.loads(body), dtype=np.float32)
    if content_type == CSV:
        lines = [line for line in body.splitlines() if line.strip()]
        return np.asarray([[float(cell) for cell in line.split(",")] for line in lines], dtype=np.float32)
    if content_type == NPY:
        return np.load(io.BytesIO(body), allow_pickle=False)
    raise web.RefusedError(
        f"Content type {content_type} is not supported by this framework: give {JSON}, {CSV} or {NPY}, or "
        "define input_fn.",
        415,
    )


def default_output(prediction: Any, accept: str) -> Answer:  # noqa: ANN401 (an array, mostly)
    """Return an array as JSON, CSV (a line for each row) or NPY."""
    import numpy as np  # noqa: PLC0415 (see above)

    if accept == JSON:
        return json.dumps(np.asarray(prediction).tolist()).encode(), JSON
    if accept == CSV:
        rows = np.asarray(prediction)
        lines = [",".join(str(cell) for cell in np.atleast_1d(row)) for row in np.atleast_1d(rows)]
        return ("\n".join(lines) + "\n").encode(), CSV
    if accept == NPY:
        target = io.BytesIO()
        np.save(target, np.asarray(prediction))
        return target.getvalue(), NPY
    raise web.RefusedError(
        f"Accept type {accept} is not supported by this framework: ask for {JSON}, {CSV} or {NPY}, or define "
        "output_fn.",
        406,
    )


def _answer(returned: Any, accept: str) -> Answer:  # noqa: ANN401 (what a user's function returns)
    """Return what a user's function returned: (body, content type), or the body alone."""
    body, accept = returned if isinstance(returned, tuple) and len(returned) == PAIR else (returned, accept)
    return (body if isinstance(body, bytes) else str(body).encode("utf-8")), accept
