"""Serving in script mode: an HTTP server that asks the user's functions."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

from local_sagemaker.engine.algorithms import web
from local_sagemaker.engine.algorithms.scikit_learn import code
from local_sagemaker.engine.algorithms.scikit_learn.code import BASE, CodeError
from local_sagemaker.engine.algorithms.scikit_learn.handlers import CSV, JSON, Handlers, UnsupportedError

#: name of the script where nothing names one
PROGRAM = "inference.py"


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
            return 200, *handlers.answer(body, content_type, accept or _default(content_type))
        except UnsupportedError as error:
            return error.status, str(error).encode(), web.TEXT

    web.serve(answer, os.environ.get("SCRIPT_MODE_HOST"))
    return 0


def _default(content_type: str) -> str:
    """What is answered where the client takes anything: CSV for CSV in a batch, else JSON."""
    fallback = CSV if content_type == CSV and "SAGEMAKER_BATCH" in os.environ else JSON
    return os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", fallback)


def _module() -> Any:  # noqa: ANN401 (the user's module)
    """The user's script as a module."""
    directory = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY") or str(BASE / "model/code")
    folder = code.fetch(directory, BASE / "code")
    name = os.environ.get("SAGEMAKER_PROGRAM") or PROGRAM
    path = code.program(folder, name)
    code.tell_missing(folder)
    sys.path.insert(0, str(path.parent))
    return importlib.import_module(Path(name).stem)
