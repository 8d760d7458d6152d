"""The DAGs as Airflow reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def bag() -> Any:  # noqa: ANN401 - airflow must not be imported before the environment is set
    """The DAGs as Airflow reads them."""
    from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 - after the environment

    return DagBag(dag_folder=str(ROOT / "dags"))
