"""Names and places are written and parsed by layout.py and places.py of include/core alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYOUT = {ROOT / "include/core/layout.py", ROOT / "include/core/places.py"}
FILES = [
    path
    for folder in ("include", "plugins", "dags", "tools", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path not in LAYOUT
]
SCRIPTS = sorted((ROOT / "plugins/flywheel/ui/static").glob("*.js"))
#: what only the layout may write: URIs, and the folders below a cycle or a bucket
WRITTEN = re.compile(
    r"s3://\{|code/\{|^s3://$|(?:^|\})/?(?:keys|manifests|ledger|watch|captured|captured-batch|truth|report-inputs|replays|plans"
    r"|rollouts|volumes|reproduce)/(?:\{|$)|\{\}_train_and_deploy$|\{\}_score_and_monitor$"
)
#: what only the layout may read: intervals, hours and ARNs of versions, as patterns and as separators
PARSED = re.compile(r"^model-package/$|%Y/%m/%d/%H|%Y-%m-%dT%H-%M|\\d\{4\}-\\d\\d-\\d\\d")


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Every text of a file but its docstrings, f-strings with their fields as `{}`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)
    } - {node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)}
    prose = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield (
                node.lineno,
                "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values),
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inside | prose:
            yield node.lineno, node.value


def found(pattern: re.Pattern[str]) -> list[str]:
    """Where a pattern occurs in the texts of the sources."""
    return [
        f"{path.relative_to(ROOT)}:{line}: {text!r}"
        for path in FILES
        for line, text in texts(path)
        if pattern.search(text)
    ]


def test_no_other_file_writes_a_place() -> None:
    """Where something lies is decided in one file."""
    assert found(WRITTEN) == []


def test_no_other_file_parses_an_interval_an_hour_or_a_version() -> None:
    """How something is written is known in one file."""
    assert found(PARSED) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_the_pages_scripts_know_no_places(path: Path) -> None:
    """The server tells addresses and short names."""
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"s3://|split\(\"_\"\)|model-package|version\??\.split", text) == []
