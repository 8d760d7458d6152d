"""The Docker of this machine, for the tests of images that run in it."""

from __future__ import annotations

import shutil
import subprocess

DOCKER = shutil.which("docker") or "docker"


def docker(*words: str) -> str:
    """What a command of Docker answers."""
    done = subprocess.run([DOCKER, *words], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"docker {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout.strip()
