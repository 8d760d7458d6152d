"""An Airflow of its own for every test process, set before anything imports airflow; an example cycle."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

# OpenMP's threads that wait must not keep busy the cores which the other test process works on. It is read
# when scikit-learn is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# skops asks every loaded module for each name it knows. Some of Airflow's warn when they are asked, so
# it comes before them; in a job's container there is no Airflow.
import skops.io  # noqa: F401

from include.core.cycle import Cycle, PythonSource, Rollout, Split

ROOT = Path(__file__).resolve().parents[1]

#: another for every process of pytest-xdist
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
        rollout=Rollout(bake_s=0.5),
    )
