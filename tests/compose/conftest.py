"""docker-compose.yml, brought up for real under a name, ports and secrets of its own."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from include.core.settings import PROJECT

#: Docker is where the machine has it
DOCKER = shutil.which("docker") or "docker"
STAND_INS = Path(__file__).parent / "stand_ins"
#: what is pulled; where nothing can be pulled, stand-ins are built
PUBLIC = ("python:3.11-slim-bookworm", "apache/airflow:3.3.2-python3.11", "postgres:16", "redis:7.2-bookworm")
#: services that stay up
LASTING = 8
#: a busy machine needs minutes, in seconds
UP_TIMEOUT_S = 900.0
LOOK_INTERVAL_S = 2.0


def script() -> ModuleType:
    """scripts/compose.py, which is a program and no package."""
    spec = importlib.util.spec_from_file_location("compose_script", PROJECT / "scripts/compose.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def docker(*words: str, timeout_s: float = 3600) -> str:
    """The output of a command of Docker."""
    done = subprocess.run([DOCKER, *words], capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, f"docker {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


@dataclass(frozen=True)
class Compose:
    """One installation of docker-compose.yml."""

    name: str
    env_file: Path
    airflow_port: int
    sagemaker_port: int
    password: str

    def __call__(self, *words: str) -> str:
        """Run a command of Compose, and return its output."""
        command = [*script().compose(), "--env-file", str(self.env_file), "--project-name", self.name, *words]
        environment = {**os.environ, "DOCKER_BUILDKIT": "1", "COMPOSE_DOCKER_CLI_BUILD": "1"}
        done = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout

    def container(self, service: str) -> str:
        """Id of the one container of a service."""
        labels = (f"com.docker.compose.project={self.name}", f"com.docker.compose.service={service}")
        filters = [word for label in labels for word in ("--filter", f"label={label}")]
        return docker("ps", "--all", "--quiet", *filters)

    def wait_until_healthy(self) -> None:
        """Wait until every lasting service says that it is well."""
        deadline = time.monotonic() + UP_TIMEOUT_S
        label = f"label=com.docker.compose.project={self.name}"
        while True:
            told = docker("ps", "--filter", label, "--format", "{{.Names}} {{.Status}}")
            if told.count("(healthy)") == LASTING:
                return
            assert time.monotonic() < deadline, f"Not healthy after {UP_TIMEOUT_S:.0f} s:\n{told}"
            time.sleep(LOOK_INTERVAL_S)


@pytest.fixture(scope="session")
def images() -> None:
    """The public images: pulled, or where there is no registry, stand-ins for them."""
    if subprocess.run([DOCKER, "info"], capture_output=True, check=False).returncode:
        pytest.skip("needs a running Docker daemon")
    missing = [name for name in PUBLIC if _lacks(name)]
    if not all(_can_pull(name) for name in missing):
        if not shutil.which("debootstrap") or os.getuid():
            pytest.skip("no registry can be reached, and stand-ins need root and debootstrap")
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([STAND_INS / "build.sh", folder], check=True)


def _lacks(image: str) -> bool:
    return bool(
        subprocess.run([DOCKER, "image", "inspect", image], capture_output=True, check=False).returncode
    )


def _can_pull(image: str) -> bool:
    return not subprocess.run([DOCKER, "pull", image], capture_output=True, check=False).returncode


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """Everything up and healthy; nothing is left behind."""
    request.getfixturevalue("images")
    env_file = tmp_path_factory.mktemp("compose") / "env"
    ports = [_free_port(), _free_port()]
    env_file.write_text(f"FLYWHEEL_AIRFLOW_PORT={ports[0]}\nFLYWHEEL_SAGEMAKER_PORT={ports[1]}\n")
    script().add_secrets(env_file)
    password = script().variables(env_file)["AIRFLOW_ADMIN_PASSWORD"]
    compose = Compose(f"flywheel-test-{os.getpid()}", env_file, ports[0], ports[1], password)
    try:
        compose("build")
        compose("up", "--detach")
        compose.wait_until_healthy()
        yield compose
    finally:
        compose("down", "--volumes", "--timeout", "5")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
