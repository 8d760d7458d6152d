"""A tiny model image for the tests of endpoints and batch transforms, and helpers to deploy it.

The model is a program of its own, so that nothing of this project serves it: it listens where it is told, and
does what the body of a request asks of it. `hold <path>` waits until there is a file of that name.
"""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sagemaker_kit.service import Service

ROLE = "arn:aws:iam::000000000000:role/test"
IMAGE = "echo-model:1"
BUCKET = "models"

SERVE = r"""
import json, os, signal, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ML = os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")
NAME = os.environ.get("NAME", "")
SEEN = []

def model():
    try:
        return open(f"{ML}/model/name.txt").read().strip()
    except OSError:
        return ""

def held(latch):
    while not os.path.exists(latch):
        time.sleep(0.01)

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def answer(self, status, body, kind="text/csv", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def stream(self, parts):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("X-Amzn-SageMaker-Custom-Attributes", "told=1")
        self.end_headers()
        for part in parts:
            if part.startswith("hold "):
                held(part[5:])
            elif part == "break":
                self.connection.shutdown(2)
                self.close_connection = True
                return
            else:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part.encode()))
                self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def do_GET(self):
        if self.path == "/ping":
            self.answer(int(os.environ.get("PING_STATUS", "200")), b"")
        elif self.path == "/execution-parameters" and "PARAMETERS" in os.environ:
            self.answer(200, os.environ["PARAMETERS"].encode(), "application/json")
        else:
            self.answer(404, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        text = body.decode("utf-8", "replace")
        if text.startswith("stream "):
            self.stream(text[7:].split("|"))
        elif text.startswith("hold "):
            held(text[5:])
            self.answer(200, str(os.getpid()).encode())
        elif text.startswith("sleep "):
            time.sleep(float(text.split()[1]))
            self.answer(200, b"slept\n")
        elif text.startswith("status "):
            status, _, message = text[7:].partition(" ")
            self.answer(int(status), message.encode(), "text/plain")
        elif text == "exit":
            os._exit(7)
        elif text == "environment":
            self.answer(200, json.dumps(dict(os.environ)).encode(), "application/json")
        elif text == "headers":
            seen = {name.lower(): value for name, value in self.headers.items()}
            self.answer(200, json.dumps(seen).encode(), "application/json",
                        X_Amzn_SageMaker_Custom_Attributes="told=1", X_Secret="no")
        elif text == "who":
            who = {"name": NAME, "model": model(), "pid": os.getpid()}
            self.answer(200, json.dumps(who).encode(), "application/json")
        elif "bad" in text:
            self.answer(400, b"a bad record", "text/plain")
        elif (self.headers.get("Content-Type") or "").startswith("application/json"):
            lines = [json.dumps({"size": len(line)}) for line in text.split("\n") if line]
            self.answer(200, "\n".join(lines).encode(), self.headers["Content-Type"])
        else:
            rows = [f"{len(line)},{line.split(',')[0]}" for line in text.split("\n") if line]
            if "SLOW" in os.environ:
                time.sleep(float(os.environ["SLOW"]))
            self.answer(200, ("\n".join(rows) + "\n").encode())

print(f"serving {NAME} {model()}", flush=True)
if "CRASH" in os.environ:
    print("cannot load the model: " + os.environ["CRASH"], flush=True)
    sys.exit(3)
if "DEAF" in os.environ:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


def image(folder: Path) -> Path:
    """Write the image's program and its image.toml into `folder`; the latter's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "serve.py").write_text(SERVE, encoding="utf-8")
    toml = folder / "image.toml"
    toml.write_text(
        'uri = ["echo-model:*"]\n[entry_points]\nserve = ["{python}", "-S", "-u", "{dir}/serve.py"]\n',
        encoding="utf-8",
    )
    return toml


def archive(files: Mapping[str, bytes]) -> bytes:
    """A .tar.gz of these files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def make_model(
    service: Service, name: str, environment: Mapping[str, str] | None = None, **files: bytes
) -> None:
    """Create a model whose artifact holds `name.txt` with its name, and `files`."""
    if BUCKET not in [bucket["Name"] for bucket in service.s3.list_buckets()["Buckets"]]:
        service.s3.create_bucket(Bucket=BUCKET)
    service.s3.put_object(
        Bucket=BUCKET, Key=f"{name}/model.tar.gz", Body=archive({"name.txt": name.encode(), **files})
    )
    service.sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=ROLE,
        PrimaryContainer={
            "Image": IMAGE,
            "ModelDataUrl": f"s3://{BUCKET}/{name}/model.tar.gz",
            "Environment": {"NAME": name, **(environment or {})},
        },
    )


def variant(model: str, name: str = "main", weight: float = 1.0, count: int = 1) -> dict[str, Any]:
    """A production variant of a configuration."""
    return {
        "VariantName": name,
        "ModelName": model,
        "InitialInstanceCount": count,
        "InstanceType": "ml.m5.large",
        "InitialVariantWeight": weight,
    }


def deploy(service: Service, endpoint: str, *variants: dict[str, Any], **more: Any) -> None:
    """Create a configuration (named like the endpoint) and the endpoint, and wait until it is in service."""
    service.sagemaker.create_endpoint_config(
        EndpointConfigName=endpoint, ProductionVariants=list(variants), **more
    )
    service.sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=endpoint)
    in_service(service, endpoint)


def in_service(service: Service, endpoint: str) -> None:
    """Wait, by botocore's own waiter, until an endpoint is in service."""
    waiter = service.sagemaker.get_waiter("endpoint_in_service")
    waiter.wait(EndpointName=endpoint, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})


def ask(service: Service, endpoint: str, body: bytes | str, **more: Any) -> Any:
    """Invoke an endpoint; the answer parsed when it is JSON, else its text."""
    more.setdefault("ContentType", "text/csv")
    answer = service.runtime.invoke_endpoint(EndpointName=endpoint, Body=body, **more)
    text = answer["Body"].read().decode()
    return json.loads(text) if answer["ContentType"] == "application/json" else text


def ask_again(service: Service, endpoint: str) -> Any:
    """Ask an endpoint who answers until one of its containers does: it has none while they start again."""

    def who() -> Any:
        try:
            return ask(service, endpoint, "who")
        except service.runtime.exceptions.ServiceUnavailable:
            return None

    return until(who, f"an answer of {endpoint}")


def until(condition: Callable[[], Any], what: str, timeout_s: float = 30.0) -> Any:
    """Wait for `condition` to give something true, and return that; fail after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"Within {timeout_s} s there was no sign of: {what}.")
