"""moto's server, in a virtual environment that is made for it: it is no part of this project's."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOTO = "moto[server,s3]"
START_S = 60.0


class UnavailableError(Exception):
    """moto cannot be had here."""


def environment(folder: Path) -> Path:
    """The interpreter of an environment with moto, made if it is not there; else UnavailableError."""
    python = folder / "bin/python"
    if (folder / "bin/moto_server").exists():
        return python
    uv = shutil.which("uv")
    commands = (
        [
            [uv, "venv", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "--python", str(python), MOTO],
        ]
        if uv
        else [[sys.executable, "-m", "venv", str(folder)], [str(python), "-m", "pip", "install", "-q", MOTO]]
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            raise UnavailableError(f"{' '.join(command)} failed: {done.stderr.strip()[-300:]}")
    return python


@contextmanager
def running(python: Path, port: int) -> Iterator[tuple[str, int]]:
    """The URL and process id of a server that runs for the length of the block."""
    command = [str(python), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            _wait(url)
            yield url, process.pid
        finally:
            process.kill()


def _wait(url: str) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            with urllib.request.urlopen(f"{url}/moto-api/"):  # noqa: S310 (loopback)
                return
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > deadline:
                raise UnavailableError(f"moto does not answer within {START_S:g} s: {error}") from error
            time.sleep(0.1)
