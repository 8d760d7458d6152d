"""Serving: an HTTP server that answers as AWS's containers of the built-in algorithms do."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NoReturn

import numpy as np
import skops.io

from include.local_sagemaker.images.built_in import data
from include.local_sagemaker.images.built_in.common import BASE, Array, ClientError, algorithm

JSON, LINES, CSV = "application/json", "application/jsonlines", "text/csv"
#: modules whose types a model may hold
TRUSTED = ("sklearn.", "numpy.", "scipy.")


def main(name: str) -> int:
    """Load the model and serve it until SIGTERM."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        model = Model(name)
    except (ClientError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    host = os.environ.get("BUILT_IN_HOST", "0.0.0.0")  # noqa: S104 (a container serves its network)
    with Server((host, int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))), Handler) as server:
        server.model = model
        server.serve_forever()
    return 0


class Model:
    """A model that `train` has kept."""

    def __init__(self, name: str) -> None:
        """Load it; ClientError when it holds what no algorithm of these has made."""
        folder = BASE / "model"
        kept = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        if kept["algorithm"] != name:
            raise ClientError(f"The model is one of {kept['algorithm']}, and the image is {name}.")
        types = skops.io.get_untrusted_types(file=folder / "model.skops")
        if strange := [found for found in types if not found.startswith(TRUSTED)]:
            raise ClientError(f"The model holds {', '.join(strange)}, which is not trusted.")
        self._model = skops.io.load(folder / "model.skops", trusted=types)
        self._known, self._given, self._features = algorithm(name), kept["hyperparameters"], kept["features"]
        self._is_xgboost = name == "xgboost"

    def answer(self, body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        """The answer to a request, with its content type; ClientError when it cannot be read."""
        rows = _rows(body, content_type)
        if data.is_sparse(content_type):
            rows = data.fitted(rows, self._features)
        if rows.shape[1] != self._features:
            raise ClientError(f"The request has {rows.shape[1]} features, and the model {self._features}.")
        found = self._known.predict(self._model, self._given, rows)
        accept = accept or (CSV if self._is_xgboost else JSON)
        if accept == JSON:
            return json.dumps({self._known.ANSWER: found}).encode(), JSON
        if accept == LINES:
            return "".join(json.dumps(one) + "\n" for one in found).encode(), LINES
        if accept == CSV:
            # AWS's xgboost parts the answers of a request by commas, and those of a batch by lines
            is_line = self._is_xgboost and "SAGEMAKER_BATCH" not in os.environ
            return ("," if is_line else "\n").join(map(_cells, found)).encode() + b"\n" * (not is_line), CSV
        raise ClientError(f"The Accept type {accept} is not supported: ask for {JSON}, {LINES} or {CSV}.")


class Server(ThreadingHTTPServer):
    """A server that knows the model."""

    daemon_threads = True
    request_queue_size = 128
    model: Model


class Handler(BaseHTTPRequestHandler):
    """Answers /ping and /invocations."""

    protocol_version = "HTTP/1.1"
    # the head and the body of an answer leave in one piece
    wbufsize = -1
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        """The model is loaded before the server listens."""
        self._answer(200 if self.path == "/ping" else 404, b"", "text/plain")

    def do_POST(self) -> None:
        """Answer an invocation."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        accept = (self.headers.get("Accept") or "").partition(";")[0].strip()
        try:
            kind = self.headers.get("Content-Type") or CSV
            self._answer(200, *self.server.model.answer(body, kind, "" if accept == "*/*" else accept))
        except ClientError as error:
            self._answer(400, str(error).encode(), "text/plain")
        except Exception as error:  # noqa: BLE001 (the client is told whatever it is)
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


def _rows(body: bytes, content_type: str) -> Array:
    """The features of a request: CSV, libsvm, `{"instances": [{"features": [...]}]}`, or such lines."""
    kind = content_type.partition(";")[0].strip()
    if kind not in {JSON, LINES}:
        return data.read(body, content_type, "The request", label_size=0).rows
    try:
        given = json.loads(body)["instances"] if kind == JSON else map(json.loads, body.splitlines())
        values = [one.get("features") or one["data"]["features"]["values"] for one in given]
        rows = np.asarray(values, dtype=np.float64)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClientError(
            f'The request is not {{"instances": [{{"features": [...]}}]}}: {type(error).__name__}: {error}.'
        ) from error
    if rows.ndim != 2:  # noqa: PLR2004 - rows and columns
        raise ClientError("The request's instances must be rows of equal length.")
    return rows


def _cells(one: dict[str, Any]) -> str:
    cells = [cell for value in one.values() for cell in (value if isinstance(value, list) else [value])]
    return ",".join(str(cell) for cell in cells)


def _stop(*_: object) -> NoReturn:
    sys.exit(0)
