"""The examples in the docstrings of the data side's pure functions are true."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = (
    "cleaning",
    "constraints",
    "csv_chunks",
    "drift",
    "labels",
    "quality",
    "splitting",
    "statistics",
    "validation",
    "weather",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str):
    """Each module has examples, and each gives what it says."""
    result = doctest.testmod(importlib.import_module(f"include.ml.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
