"""Makes the environments of other people's clients, each from its own lock, and keeps them for the next run.

Such an environment does not fit into the tests' own: the clients pin botocore, pandas or protobuf themselves.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[1] / "sdk"
#: environments stay here from one run to the next: that of the SDK v3 has 750 MB
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "local-sagemaker-tests"
#: seconds: an index that does not answer, and the longest installation
REACH_S, INSTALL_S = 10, 1500


def environment(name: str) -> Path:
    """The folder of programs of an environment; the test is skipped where no package index can be reached.

    `requirements-<name>.txt` says what is in it. A failed installation fails the test.
    """
    lock = HERE / f"requirements-{name}.txt"
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = CACHE / f"{name}-{digest}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as guard:
        # tests of other processes may want the same
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            skip_without_index(f"The environment {name}")
            for old in CACHE.glob(f"{name}-*"):
                shutil.rmtree(old)
            _make(folder, lock)
            (folder / "complete").touch()
    return folder / "bin"


def skip_without_index(what: str) -> None:
    """Skip the test if pip reaches no package index; `what` needs to be installed from one."""
    command = [sys.executable, "-m", "pip", "--retries", "1", "--timeout", str(REACH_S)]
    asked = subprocess.run(
        [*command, "index", "versions", "pip"], capture_output=True, text=True, check=False
    )
    if asked.returncode:
        pytest.skip(
            f"{what} has to be installed, and pip reaches no package index: "
            f"{asked.stderr.strip().splitlines()[-1:]}. Run this test where there is one."
        )


def _make(folder: Path, lock: Path) -> None:
    """Install a lock into an environment of its own."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "--require-hashes", "--requirement", str(lock)]
    done = subprocess.run(pip, capture_output=True, text=True, check=False, timeout=INSTALL_S)
    if done.returncode:
        pytest.fail(f"{lock.name} could not be installed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
