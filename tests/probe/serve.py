"""A model server that answers every JSON line with what the model's archive says, or refuses to start.

An answer with `status` is an error, one with `seconds` takes so long.
"""

from __future__ import annotations

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

answer = json.loads(Path("/opt/ml/model/answer.json").read_text())
if answer is None:
    sys.exit("The model has no answer.")


class Handler(BaseHTTPRequestHandler):
    """Answers /ping and /invocations."""

    def do_GET(self) -> None:
        """Be there."""
        self._reply(b"")

    def do_POST(self) -> None:
        """Give the same answer to every line."""
        time.sleep(answer.get("seconds", 0))
        lines = self.rfile.read(int(self.headers["Content-Length"])).splitlines()
        self._reply("".join(f"{json.dumps(answer)}\n" for _ in lines).encode())

    def _reply(self, body: bytes) -> None:
        self.send_response(200 if self.path == "/ping" else answer.get("status", 200))
        self.send_header("Content-Type", "application/jsonlines")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


HTTPServer(("127.0.0.1", int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))), Handler).serve_forever()
