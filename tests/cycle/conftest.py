"""An installation of its own for each module of tests that starts a real Airflow."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from include.settings import PROJECT, Settings

Stack = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    """An installation of its own, on ports nobody has.

    Not below pytest's own directory: pytest closes that to other users, and PostgreSQL started by root runs
    as one.
    """
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        ports = one.getsockname()[1], other.getsockname()[1]
    home = Path(tempfile.mkdtemp(prefix="flywheel-test-"))
    yield Settings(home=home, airflow_port=ports[0], sagemaker_port=ports[1], poll_interval_s=0.5)
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def stack(settings: Settings) -> Iterator[Stack]:
    """The command `python -m include.stack`; in the end everything it started is down."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment = {
        **inherited,
        "FLYWHEEL_HOME": str(settings.home),
        "FLYWHEEL_AIRFLOW_PORT": str(settings.airflow_port),
        "FLYWHEEL_SAGEMAKER_PORT": str(settings.sagemaker_port),
        "FLYWHEEL_POLL_INTERVAL_S": str(settings.poll_interval_s),
    }

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "include.stack", *arguments],
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    yield call
    call("down")
