"""Serving in script mode: an HTTP server that asks the user's functions, or the defaults in their place.

A script has model_fn(model_dir), input_fn(body, content_type), predict_fn(input, model) and
output_fn(prediction, accept), or transform_fn(model, body, content_type, accept) for the last three.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from local_sagemaker.engine.algorithms import web
from local_sagemaker.engine.algorithms.scikit_learn import code
from local_sagemaker.engine.algorithms.scikit_learn.code import BASE, CodeError

#: name of the script where nothing names one
PROGRAM = "inference.py"
#: what the defaults read and write
JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
TEXTS = (JSON, CSV)
PAIR = 2

Answer = tuple[bytes, str]


def main() -> int:
    """Load the model and serve it until SIGTERM."""
    web.end_when_asked()
    try:
        handlers = Handlers(_module(), str(BASE / "model"))
    except CodeError as error:
        sys.stderr.write(f"{error}\n")
        return 1

    def answer(body: bytes, content_type: str, accept: str) -> tuple[int, bytes, str]:
        content_type = (content_type or JSON).partition(";")[0].strip()
        try:
            return 200, *handlers.answer(body, content_type, accept or _default_accept(content_type))
        except UnsupportedError as error:
            return error.status, str(error).encode(), web.TEXT

    web.serve(answer, os.environ.get("SCRIPT_MODE_HOST"))
    return 0


def _default_accept(content_type: str) -> str:
    """Return the type of the answer when the client accepts any: CSV for CSV in a batch, else JSON."""
    fallback = CSV if content_type == CSV and "SAGEMAKER_BATCH" in os.environ else JSON
    return os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", fallback)


def _module() -> Any:  # noqa: ANN401 (the user's module)
    """Return the user's script as a module."""
    directory = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY") or str(BASE / "model/code")
    folder = code.fetch(directory, BASE / "code")
    name = os.environ.get("SAGEMAKER_PROGRAM") or PROGRAM
    path = code.program(folder, name)
    code.tell_missing(folder)
    sys.path.insert(0, str(path.parent))
    return importlib.import_module(Path(name).stem)


class UnsupportedError(Exception):
    """A content type that the defaults cannot read (415) or write (406)."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Handlers:
    """A loaded model, and the functions it is asked by."""

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
        transform = getattr(self._module, "transform_fn", None)
        given: Any = body.decode("utf-8") if content_type in TEXTS else body
        if transform is not None:
            return _answer(transform(self._model, given, content_type, accept), accept)
        read = getattr(self._module, "input_fn", default_input)
        predict = getattr(self._module, "predict_fn", default_predict)
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
    raise UnsupportedError(
        f"Content type {content_type} is not supported by this framework: give {JSON}, {CSV} or {NPY}, or "
        "define input_fn.",
        415,
    )


def default_predict(data: Any, model: Any) -> Any:  # noqa: ANN401 (the user's)
    """Return what the model predicts."""
    return model.predict(data)


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
    raise UnsupportedError(
        f"Accept type {accept} is not supported by this framework: ask for {JSON}, {CSV} or {NPY}, or define "
        "output_fn.",
        406,
    )


def _answer(found: Any, accept: str) -> Answer:  # noqa: ANN401 (what a user's function returns)
    """Return what a user's function returned: (body, content type), or the body alone."""
    if isinstance(found, tuple) and len(found) == PAIR:
        body, accept = found
    else:
        body = found
    return (body if isinstance(body, bytes) else str(body).encode("utf-8")), accept
