"""What containers have to do: read their configuration, say why they fail, serve /ping and /invocations."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

#: /opt/ml, or what stands for it
BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
#: from a request's body, Content-Type and Accept (empty: anything will do) to body and Content-Type
Answer = Callable[[bytes, str, str], tuple[bytes, str]]
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


def serve(answer: Answer, host: str | None) -> None:
    """Serve at SageMaker's port until the process is ended.

    :param host: all addresses if None, as a container serves its network.
    """
    address = host or "0.0.0.0", int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))  # noqa: S104 (see above)
    with Server(address, Handler) as server:
        server.answer = answer
        server.serve_forever()


class Server(ThreadingHTTPServer):
    """A server that knows what answers."""

    daemon_threads = True
    request_queue_size = 128
    answer: Answer


class Handler(BaseHTTPRequestHandler):
    """Answers /ping and /invocations."""

    protocol_version = "HTTP/1.1"
    # the head and the body of an answer leave in one piece
    wbufsize = -1
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        """Answer a health check; the model is loaded before the server listens."""
        self._answer(200 if self.path == "/ping" else 404, b"", TEXT)

    def do_POST(self) -> None:
        """Answer an invocation."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        accept = (self.headers.get("Accept") or "").partition(";")[0].strip()
        content_type = self.headers.get("Content-Type") or ""
        try:
            self._answer(200, *self.server.answer(body, content_type, "" if accept in ANYTHING else accept))
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
