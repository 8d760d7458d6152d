"""The service's README does what it says."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
README = PROJECT / "local-sagemaker" / "README.md"
#: what stands between the two blocks for a person who reads; and the end, whatever happened
READY = r"""
trap 'kill $!; wait $!' EXIT
ask="import urllib.request as u; u.urlopen('http://127.0.0.1:4566/health')"
until venv/bin/python -c "$ask" 2> /dev/null; do
  kill -0 $! || exit 1
  sleep 0.2
done
"""


def test_the_thirty_seconds_lead_to_a_greeting(tmp_path: Path):
    """The blocks of shell, word for word but for the port and for what is installed already."""
    start, job = re.findall(r"^```sh\n(.*?)^```$", README.read_text(), flags=re.MULTILINE | re.DOTALL)
    installed, made = re.subn(r"^(python3 -m venv|venv/bin/pip) .*\n", "", start, flags=re.MULTILINE)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    begun = installed.replace("--bucket lab", f"--bucket lab --port {port}")
    (tmp_path / "flywheel").mkdir()
    (tmp_path / "flywheel" / "include").symlink_to(PROJECT / "include")
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)

    script = "set -e\n" + begun + (READY + job).replace("4566", port)
    done = subprocess.run(
        ["/bin/sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )

    assert (made, done.returncode) == (2, 0), done.stderr
    assert done.stdout.splitlines()[-1] == "b'hello'"
