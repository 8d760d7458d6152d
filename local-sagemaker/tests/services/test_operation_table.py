"""The table of operations and the page made from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from local_sagemaker import services
from local_sagemaker.protocol import models
from local_sagemaker.services.registry import OPERATIONS, operation

PROJECT = Path(__file__).resolve().parents[2]


def test_the_page_of_the_emulated_api_is_current() -> None:
    """docs/emulated-api.md is what tools/emulated_api.py writes; run that script when this fails."""
    program = "import runpy; print(runpy.run_path('tools/emulated_api.py')['render_page'](), end='')"
    made = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, check=True)
    assert (PROJECT / "docs" / "emulated-api.md").read_bytes() == made.stdout


def test_every_registered_operation_is_one_of_aws() -> None:
    """Names are those of botocore's models, and each has a summary."""
    services.load()
    wrong = []
    for (service, name), registered in OPERATIONS.items():
        if name not in models.service_model(service).operation_names or not registered.summary:
            wrong.append(f"{service} {name}")
    assert wrong == []


def test_an_operation_cannot_be_registered_twice() -> None:
    """The second registration is an error that names the operation."""
    services.load()
    with pytest.raises(ValueError, match="s3 GetObject"):
        operation("s3", "GetObject")(lambda _context, _parameters: {})
