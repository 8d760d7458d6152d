"""Intervals have one door, which knows the blocks: nobody else draws rows or takes quantiles of draws."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

INCLUDE = Path(__file__).resolve().parents[2] / "include"
RESAMPLING, INTERVALS = "ml/evaluation/resampling.py", "ml/evaluation/intervals.py"
#: fits a map for each draw, and has an interval of what the maps say
ESTIMATION = "ml/monitoring/estimation.py"


def is_named(call: ast.expr, name: str) -> bool:
    """Whether a function or a method of this name is called."""
    return name in {getattr(call, "id", None), getattr(call, "attr", None)}


def callers(name: str) -> set[str]:
    """The files that call a function or a method of this name."""
    calling = set()
    for path in INCLUDE.rglob("*.py"):
        calls = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
        if any(is_named(call, name) for call in calls):
            calling.add(path.relative_to(INCLUDE).as_posix())
    return calling


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("draws", {INTERVALS, ESTIMATION}),
        ("bootstrap_interval", {INTERVALS, ESTIMATION}),
        ("exact_interval", {INTERVALS}),
        # shuffled columns, folds of separability, a sample of a table
        (
            "default_rng",
            {RESAMPLING, "ml/evaluation/metrics.py", "ml/monitoring/separability.py", "steps/tables.py"},
        ),
    ],
)
def test_nobody_else_draws(name: str, allowed: set[str]) -> None:
    """A new interval calls `estimate` with a sample, which has the cycle's blocks."""
    assert callers(name) == allowed


def test_every_sample_of_a_measured_number_is_told_its_blocks() -> None:
    """One without blocks may count events, and nothing else."""
    careless = []
    for path in INCLUDE.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        counting = {
            node.value for node in nodes if isinstance(node, ast.Attribute) and node.attr == "missing"
        }
        samples = [node for node in nodes if isinstance(node, ast.Call) and is_named(node.func, "Sample")]
        careless += [
            f"{path.relative_to(INCLUDE)}:{sample.lineno}"
            for sample in samples
            if sample not in counting and len(sample.args) < 2
        ]
    assert careless == []
