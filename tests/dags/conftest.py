"""An Airflow of its own for every test process, set before anything imports airflow."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

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


@pytest.fixture(scope="session")
def bag() -> Any:  # noqa: ANN401 - airflow must not be imported before the environment is set
    """The DAGs as Airflow reads them."""
    from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 - after the environment

    return DagBag(dag_folder=str(ROOT / "dags"))
