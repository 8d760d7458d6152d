"""A small project whose code is counted."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one step, one cycle and some modules that they import or do not."""
    files = {
        "include/__init__.py": "",
        "include/core/archives.py": "",
        "include/steps/__init__.py": "",
        "include/steps/clean.py": "from include.steps import contract\nfrom include.ml.rules import unify\n",
        "include/steps/contract.py": "import json\n",
        "include/steps/evaluate.py": "from include.ml import scores\n",
        "include/ml/__init__.py": "",
        "include/ml/rules.py": "def unify(): ...\n",
        "include/ml/scores.py": "",
        "include/ml/combining.py": "",
        "include/cycles/__init__.py": "",
        "include/core/cycle.py": "",
        "include/cycles/one/cycle.py": "from include.core.cycle import Cycle\n",
        "include/cycles/one/features.py": "import include.ml.combining\n",
        "include/cycles/one/words.txt": "a\n",
        "include/cycles/two/cycle.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path
