"""A folder of samples for new notebook instances."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder: one notebook, and the file that describes the folder."""
    folder = tmp_path_factory.mktemp("samples")
    (folder / "sample.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    (folder / "notebooks.toml").write_text("")
    return folder
