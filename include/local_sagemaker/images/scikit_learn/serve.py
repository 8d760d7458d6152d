"""Serving in script mode: an HTTP server that asks the user's functions."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn

from include.local_sagemaker.images.scikit_learn import code
from include.local_sagemaker.images.scikit_learn.code import BASE, CodeError
from include.local_sagemaker.images.scikit_learn.handlers import CSV, JSON, Handlers, UnsupportedError

#: name of the script where nothing names one
PROGRAM = "inference.py"
ANYTHING = {"", "*/*"}


def main() -> int:
    """Load the model and serve it until SIGTERM."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        module = _module()
        handlers = Handlers(module, str(BASE / "model"))
    except CodeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    host = os.environ.get("SCRIPT_MODE_HOST", "0.0.0.0")  # noqa: S104 (a container serves its network)
    with Server((host, port), Handler) as server:
        server.handlers = handlers
        server.serve_forever()
    return 0


class Server(ThreadingHTTPServer):
    """A server that knows the model."""

    daemon_threads = True
    request_queue_size = 128
    handlers: Handlers


class Handler(BaseHTTPRequestHandler):
    """Answers /ping and /invocations."""

    protocol_version = "HTTP/1.1"
    # the head and the body of an answer leave in one piece
    wbufsize = -1
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        """The model is loaded before the server listens, so whoever can ask is answered well."""
        self._answer(200 if self.path == "/ping" else 404, b"", "text/plain")

    def do_POST(self) -> None:
        """Answer an invocation."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content_type = (self.headers.get("Content-Type") or JSON).partition(";")[0].strip()
        accept = (self.headers.get("Accept") or "").partition(";")[0].strip()
        if accept in ANYTHING:
            fallback = CSV if content_type == CSV and "SAGEMAKER_BATCH" in os.environ else JSON
            accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", fallback)
        try:
            self._answer(200, *self.server.handlers.answer(body, content_type, accept))
        except UnsupportedError as error:
            self._answer(error.status, str(error).encode(), "text/plain")
        except Exception as error:  # noqa: BLE001 (whatever the user's functions raise is the client's answer)
            traceback.print_exc()
            self._answer(500, f"{type(error).__name__}: {error}".encode(), "text/plain")

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 (the base class's)
        """Write nothing: the service logs what matters."""

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _module() -> Any:  # noqa: ANN401 (the user's module)
    """The user's script as a module."""
    directory = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY") or str(BASE / "model/code")
    folder = code.fetch(directory, BASE / "code")
    name = os.environ.get("SAGEMAKER_PROGRAM") or PROGRAM
    path = code.program(folder, name)
    code.tell_missing(folder)
    sys.path.insert(0, str(path.parent))
    return importlib.import_module(Path(name).stem)


def _stop(*_: object) -> NoReturn:
    sys.exit(0)
