"""An Airflow of its own for every test process, set before anything imports airflow."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: another for every process of pytest-xdist; the folders' conftests may both be read by one
MARK = f"flywheel-airflow-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}-"
if MARK not in os.environ.get("AIRFLOW_HOME", ""):
    HOME = tempfile.mkdtemp(prefix=MARK)
    atexit.register(shutil.rmtree, HOME, ignore_errors=True)
    os.environ.update(
        AIRFLOW_HOME=HOME,
        AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "dags"),
        AIRFLOW__CORE__PLUGINS_FOLDER=str(ROOT / "plugins"),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{HOME}/airflow.db",
        AIRFLOW__LOGGING__LOGGING_LEVEL="WARNING",
    )

from include.cycles.cycle import Cycle, PythonSource, Split  # noqa: E402 - after the environment


@pytest.fixture
def cycle() -> Cycle:
    """A monthly cycle of one year, which is over."""
    return Cycle(
        name="flights",
        description="Will it be late?",
        task="binary",
        schedule="0 0 1 * *",
        start=datetime(2013, 1, 1, tzinfo=UTC),
        end=datetime(2014, 1, 1, tzinfo=UTC),
        source=PythonSource(),
        split=Split(holdout=timedelta(days=7), validation=timedelta(days=4)),
        metric="roc_auc",
        hyperparameters={"depth": "3"},
    )


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project with one step, one cycle and some modules that they import or do not."""
    files = {
        "include/__init__.py": "",
        "include/jobs/__init__.py": "",
        "include/jobs/clean.py": "from include.jobs import contract\nfrom include.ml.rules import unify\n",
        "include/jobs/contract.py": "import json\n",
        "include/jobs/evaluate.py": "from include.ml import scores\n",
        "include/ml/__init__.py": "",
        "include/ml/rules.py": "def unify(): ...\n",
        "include/ml/scores.py": "",
        "include/ml/combining.py": "",
        "include/cycles/__init__.py": "",
        "include/cycles/cycle.py": "",
        "include/cycles/one/cycle.py": "from include.cycles.cycle import Cycle\n",
        "include/cycles/one/features.py": "import include.ml.combining\n",
        "include/cycles/one/words.txt": "a\n",
        "include/cycles/two/cycle.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path
