"""Builds the distribution's wheel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DISTRIBUTION = Path(__file__).resolve().parents[2]
PROGRAM = "import sys; from flit_core import buildapi; print(buildapi.build_wheel(sys.argv[1]))"


def build_wheel(folder: Path) -> Path:
    """Build the wheel into `folder`, as a frontend such as pip does, and return its path."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)],
        cwd=DISTRIBUTION,
        capture_output=True,
        text=True,
        check=True,
    )
    return folder / done.stdout.splitlines()[-1]
