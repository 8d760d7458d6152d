"""A service with an image whose container runs the shell script in its environment variable SCRIPT."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sagemaker_kit.jobs import IMAGE, Lab
from sagemaker_kit.service import Service


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The image.toml of the image `script:*`."""
    path = tmp_path / "image.toml"
    path.write_text(IMAGE)
    return path


@pytest.fixture
def lab(start_service: Callable[..., Service], image: Path) -> Lab:
    """A service for one test."""
    return Lab(start_service("--image", str(image)))
