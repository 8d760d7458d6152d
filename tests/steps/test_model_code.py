"""A model carries all the code that serving it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from include.steps.train import copy_code

IMPORTS = (
    "import sys; sys.path.insert(0, {place!r}); import include.steps.serve, include.cycles.{cycle}.cycle"
)


@pytest.mark.parametrize("cycle", ["digits", "flights"])
def test_serving_starts_from_the_code_beside_the_model(tmp_path: Path, cycle: str) -> None:
    """Nothing of this project is on the path besides."""
    copy_code(tmp_path, cycle)
    command = [sys.executable, "-I", "-c", IMPORTS.format(place=str(tmp_path), cycle=cycle)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
