"""What containers have to do: read their configuration, say why they fail, serve /ping and /invocations."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

#: /opt/ml, or what stands for it
BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
#: from a request's body, Content-Type and Accept (empty: anything will do) to body and Content-Type
Answer = Callable[[bytes, str, str], tuple[bytes, str]]
#: from the folder of a model to what answers for it
Load = Callable[[Path], Answer]
#: whether the container serves several models, each loaded when it is asked to
IS_MULTI_MODEL = os.environ.get("SAGEMAKER_MULTI_MODEL") == "true"
JSON = "application/json"
TEXT = "text/plain"
ANYTHING = {"", "*/*"}


class RefusedError(Exception):
    """A request that cannot be answered; the text says why."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        #: HTTP's, of the answer
        self.status = status


def read_config(name: str) -> dict[str, Any]:
    """Return a file of /opt/ml/input/config."""
    config: dict[str, Any] = json.loads((BASE / "input/config" / name).read_text(encoding="utf-8"))
    return config


def fail(reason: str) -> int:
    """Say why the container fails, in its log and in /opt/ml/output/failure; return its exit status."""
    (BASE / "output").mkdir(parents=True, exist_ok=True)
    (BASE / "output/failure").write_text(reason, encoding="utf-8")
    sys.stderr.write(reason + "\n")
    return 1


def end_when_asked() -> None:
    """Let SIGTERM end the process, with 0, whatever it is doing."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def serve(load: Load, host: str | None) -> None:
    """Serve the model in /opt/ml/model, or models as they are loaded, at SageMaker's port.

    :param host: all addresses if None, as a container serves its network.
    """
    answer = None if IS_MULTI_MODEL else load(BASE / "model")
    address = host or "0.0.0.0", int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))  # noqa: S104 (see above)
    with Server(address, Handler) as server:
        server.answer, server.load = answer, load
        server.serve_forever()


class Server(ThreadingHTTPServer):
    """A server that knows what answers."""

    daemon_threads = True
    request_queue_size = 128
    #: None: there are several models
    answer: Answer | None
    load: Load

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 (the base class's)
        super().__init__(*arguments, **named)
        #: id -> folder and what answers for it
        self.models: dict[str, tuple[str, Answer]] = {}
        self.changing = threading.Lock()

    def put(self, name: str, url: str) -> None:
        """Load a model; RefusedError if it is loaded."""
        with self.changing:
            if name in self.models:
                raise RefusedError(f"The model {name} is loaded.", 409)
            self.models[name] = url, self.load(Path(url))

    def described(self, name: str) -> dict[str, str]:
        """Return what is said of a loaded model; RefusedError if there is none."""
        if name not in self.models:
            raise RefusedError(f"The model {name} is not loaded.", 404)
        return {"modelName": name, "modelUrl": self.models[name][0]}

    def answer_of(self, path: str) -> Answer:
        """Return what answers an invocation at a path; RefusedError if nothing does."""
        if self.answer is not None:
            return self.answer
        self.described(name_in(path))
        return self.models[name_in(path)][1]


def name_in(path: str) -> str:
    """Return the model's name in `/models/<name>` and what is below."""
    return [*path.split("/"), "", ""][2]


class Handler(BaseHTTPRequestHandler):
    """Answers /ping and /invocations, and for several models what begins with /models."""

    protocol_version = "HTTP/1.1"
    # the head and the body of an answer leave in one piece
    wbufsize = -1
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        """Answer a health check, before which one model is loaded; or say which models are loaded."""
        if not IS_MULTI_MODEL or not self.path.startswith("/models"):
            self._answer(200 if self.path == "/ping" else 404, b"", TEXT)
        elif name := name_in(self.path):
            self._try(lambda: (json.dumps(self.server.described(name)).encode(), JSON))
        else:
            models = [self.server.described(name) for name in list(self.server.models)]
            self._answer(200, json.dumps({"models": models}).encode(), JSON)

    def do_DELETE(self) -> None:
        """Unload a model."""

        def unload() -> tuple[bytes, str]:
            self.server.described(name_in(self.path))
            del self.server.models[name_in(self.path)]
            return b"", TEXT

        self._try(unload)

    def do_POST(self) -> None:
        """Answer an invocation, or load a model."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        accept = (self.headers.get("Accept") or "").partition(";")[0].strip()
        content_type = self.headers.get("Content-Type") or ""

        def answer() -> tuple[bytes, str]:
            if IS_MULTI_MODEL and self.path == "/models":
                request = json.loads(body)
                self.server.put(request["model_name"], request["url"])
                return b"", TEXT
            asked = self.server.answer_of(self.path)
            return asked(body, content_type, "" if accept in ANYTHING else accept)

        self._try(answer)

    def _try(self, answer: Callable[[], tuple[bytes, str]]) -> None:
        try:
            self._answer(200, *answer())
        except RefusedError as error:
            self._answer(error.status, str(error).encode(), TEXT)
        except Exception as error:  # noqa: BLE001 (whatever a model or a user's function raises is the client's answer)
            traceback.print_exc()
            self._answer(500, f"{type(error).__name__}: {error}".encode(), TEXT)

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 (the base class's)
        """Write nothing: the service logs what matters."""

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
