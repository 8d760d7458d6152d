"""An Airflow of its own for every test process, set before airflow is imported; the real service; a cycle."""
# ruff: noqa: ANN401 - boto3 clients and the service's test class have no types

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# OpenMP's threads that wait must not keep busy the cores which the other test process works on. It is read
# when scikit-learn is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# OpenBLAS knows no such policy, and on small arrays its second thread costs many times what it helps. It is
# read when numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# skops asks every loaded module for each name it knows. Some of Airflow's warn when they are asked, so
# it comes before them; in a job's container there is no Airflow.
import skops.io  # noqa: F401

from include.core.cycle import Cycle, PythonSource, Rollout, Split
from include.core.settings import Settings, settings
from sagemaker_kit.service import Service
from tests.attempt import Attempt, run_outside_airflow

ROOT = Path(__file__).resolve().parents[1]

# What an example takes depends on what else the machine does; a test that hangs has pytest's timeout.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

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


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One local SageMaker for all tests of a process, which knows the image `probe`."""
    place = tmp_path_factory.mktemp("service")
    image = ROOT / "tests/probe/image.toml"
    made = Service(place / "root", place / "log", "--image", str(image))
    made.start()
    yield made
    made.close()


@pytest.fixture
def installed(service: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings with a bucket of the test's own, and a connection that leads to the service."""
    bucket = f"test-{uuid.uuid4().hex[:12]}"
    service.s3.create_bucket(Bucket=bucket)
    extra = {"region_name": "us-east-1", "endpoint_url": service.url}
    connection = {"conn_type": "aws", "login": "local", "password": "local", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("FLYWHEEL_BUCKET", bucket)
    monkeypatch.setenv("FLYWHEEL_IMAGE_URI", "probe:1")
    monkeypatch.setenv("FLYWHEEL_POLL_INTERVAL_S", "0.2")
    settings.cache_clear()
    yield settings()
    settings.cache_clear()


@pytest.fixture
def attempt() -> type[Attempt]:
    """Makes contexts."""
    return Attempt


@pytest.fixture
def probe(cycle: Cycle, installed: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes operators whose job does what it is told: `probe(do="fail")`."""
    from flywheel.operators.job import JobOperator  # noqa: PLC0415 - after the environment
    from include.core.sagemaker.requests import StepInputs  # noqa: PLC0415 - after the environment

    assert installed.image_uri == "probe:1"
    run_outside_airflow(monkeypatch)

    class ProbeOperator(JobOperator):
        """A step with the image `probe`."""

        step = "fetch"

        def __init__(self, *, told: dict[str, str], **kwargs: Any) -> None:
            super().__init__(task_id="fetch", **kwargs)
            self.told = told

        def step_inputs(self, context: Any, interval: Any) -> StepInputs:  # noqa: ARG002 - needs neither
            return StepInputs({}, self.told)

    def make(*, deferrable: bool = False, timeout: timedelta | None = None, **told: str) -> ProbeOperator:
        return ProbeOperator(cycle=cycle, told=told, deferrable=deferrable, execution_timeout=timeout)

    return make
