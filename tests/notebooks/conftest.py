"""A service that knows the project's job image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from include.core.settings import PROJECT
from sagemaker_kit.service import Service


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A local SageMaker of the test's own."""
    image = PROJECT / "include/image/image.toml"
    made = Service(tmp_path / "root", tmp_path / "log", "--image", str(image))
    made.start()
    yield made
    made.close()
