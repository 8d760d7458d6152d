"""The README's thirty-second start works with the wheel in an empty environment."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from sagemaker_kit.environments import skip_without_index
from sagemaker_kit.wheel import DISTRIBUTION, build_wheel

README = DISTRIBUTION / "README.md"
#: what happens between the two blocks when a person reads; and the end, whatever happened
READY = r"""
trap 'kill $!; wait $!' EXIT
ask="import urllib.request as u; u.urlopen('http://127.0.0.1:4566/health')"
until venv/bin/python -c "$ask" 2> /dev/null; do
  kill -0 $! || exit 1
  sleep 0.2
done
"""
#: the wheel alone, and behind it the libraries of the environment that runs the tests
BORROWED = r"""
site=$(venv/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")
"$PYTHON" -m pip --python venv/bin/python install --quiet --no-index --no-deps "$WHEEL"
echo "$LIBRARIES" > "$site/borrowed.pth"
"""
INSTALL = "venv/bin/pip install --quiet path/to/local-sagemaker boto3\n"
WHERE = "\nvenv/bin/python -c 'import local_sagemaker; print(local_sagemaker.__file__)'\n"


def start(folder: Path, *, is_borrowing: bool) -> list[str]:
    """Run the README's blocks of shell, but for the port and the wheel's place, and return their output."""
    wheel = build_wheel(folder)
    first, second = re.findall(r"^```sh\n(.*?)^```$", README.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert INSTALL in first
    if is_borrowing:
        first = first.replace("-m venv venv", "-m venv --without-pip venv").replace(INSTALL, BORROWED)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    first = first.replace("path/to/local-sagemaker", str(wheel)).replace("python3 ", f"{sys.executable} ")
    script = first.replace("--bucket lab", f"--bucket lab --port {port}") + (READY + second).replace(
        "4566", port
    )
    done = subprocess.run(
        ["/bin/sh", "-c", f"set -e\n{script}{WHERE}"],
        cwd=folder,
        env=environment(wheel),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def environment(wheel: Path) -> dict[str, str]:
    """The environment of this process without what leads Python to other packages."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    libraries = sysconfig.get_path("purelib")
    return {**kept, "PYTHON": sys.executable, "WHEEL": str(wheel), "LIBRARIES": libraries}


def test_the_thirty_seconds_lead_to_a_greeting(tmp_path: Path) -> None:
    """The wheel is installed; the libraries are those of the tests' own environment."""
    *_, greeting, place = start(tmp_path, is_borrowing=True)
    assert greeting == "b'hello'"
    assert Path(place).is_relative_to(tmp_path / "venv")


@pytest.mark.long
def test_they_do_so_in_an_empty_environment(tmp_path: Path) -> None:
    """Word for word: pip installs the wheel and what it declares from a package index."""
    skip_without_index("local-sagemaker")
    *_, greeting, place = start(tmp_path, is_borrowing=False)
    assert greeting == "b'hello'"
    assert Path(place).is_relative_to(tmp_path / "venv")
