"""A Docker image of the tests' own, and a service that runs it; skipped where no daemon answers."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sagemaker_kit.docker import DOCKER, docker
from sagemaker_kit.service import Service

#: whichever of these is here, or can be had
BASES = ("python:3.11-slim-bookworm", "python:3.12-slim", "python:3-slim")
#: trains by counting its rows, serves by turning a text round, else does what SCRIPT says
PROGRAM = r"""
import os, pathlib, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.answer(pathlib.Path("/opt/ml/model/name").read_bytes() + text[::-1].encode())

print("arguments", *sys.argv[1:], flush=True)
if "SCRIPT" in os.environ:
    os.execvp("sh", ["sh", "-c", os.environ["SCRIPT"]])
if sys.argv[1] == "train":
    (rows,) = pathlib.Path("/opt/ml/input/data/train").iterdir()
    pathlib.Path("/opt/ml/model/name").write_text(str(len(rows.read_text().splitlines())))
if sys.argv[1] == "serve":
    ThreadingHTTPServer(("", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


def _works(*words: str) -> bool:
    try:
        done = subprocess.run([DOCKER, *words], capture_output=True, check=False, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@pytest.fixture(scope="session")
def docker_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a Docker image that is there for these tests alone."""
    if not _works("info"):
        pytest.skip("No Docker daemon answers (`docker info`).")
    here = (base for base in BASES if _works("image", "inspect", base))
    base = next(here, None) or next((base for base in BASES if _works("pull", "--quiet", base)), None)
    if base is None:
        pytest.skip(f"None of the images {', '.join(BASES)} is here or can be pulled.")
    folder, name = tmp_path_factory.mktemp("docker"), f"local-sagemaker-test:{uuid.uuid4().hex[:12]}"
    (folder / "program.py").write_text(PROGRAM)
    lines = [f"FROM {base}", "COPY program.py /srv/program.py", 'ENTRYPOINT ["python3", "/srv/program.py"]']
    (folder / "Dockerfile").write_text("\n".join(lines))
    docker("build", "--quiet", "--tag", name, str(folder))
    yield name
    docker("image", "rm", name)


@pytest.fixture
def docker_service(docker_image: str, start_service: Callable[..., Service], tmp_path: Path) -> Service:
    """A service that runs the tests' image, and any that is named `missing`, by Docker."""
    path = tmp_path / "image.toml"
    name = docker_image.partition(":")[0]
    path.write_text(f'uri = ["{name}:*", "missing:*"]\nstop_grace_s = 20\n[docker]\n')
    service = start_service("--image", str(path))
    service.s3.create_bucket(Bucket="lab")
    return service
