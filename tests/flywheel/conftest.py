"""The real service, a cycle of the tests' own, and what operators need of Airflow."""
# ruff: noqa: ANN401 - boto3 clients, XComs and the service's test class have no types

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from include.core.cycle import Cycle
from include.core.settings import Settings, settings
from sagemaker_kit.service import Service

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
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


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One local SageMaker for all tests of a process, which knows the image `probe`."""
    place = tmp_path_factory.mktemp("service")
    image = ROOT / "tests/flywheel/image/image.toml"
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


class Attempt(dict[str, Any]):
    """The context of one attempt of one task, with what Airflow would provide."""

    def __init__(self, run_id: str = "manual", *, task_id: str = "fetch", **params: Any) -> None:
        self.results: dict[str, Any] = {}
        self.pushed: dict[str, Any] = {}
        ti = SimpleNamespace(
            id=uuid.uuid4(),
            dag_id="flights_train_and_deploy",
            run_id=run_id,
            task_id=task_id,
            map_index=-1,
            try_number=1,
            max_tries=2,
            xcom_pull=lambda task_ids: self.results.get(task_ids),  # noqa: PLW0108 - keeps the argument's name
            xcom_push=lambda key, value: self.pushed.update({key: value}),
        )
        run = SimpleNamespace(
            data_interval_start=None,
            data_interval_end=None,
            run_after=datetime(2013, 2, 1, tzinfo=UTC),
            run_type="manual",
        )
        given = {"interval_start": None, "force": False, **params}
        super().__init__(ti=ti, dag_run=run, params=given)

    def retried(self) -> Attempt:
        """The next attempt of the same task."""
        other = Attempt(self["ti"].run_id, task_id=self["ti"].task_id)
        other.results = self.results
        other["ti"].try_number = self["ti"].try_number + 1
        other.update(params=self["params"])
        return other

    def cleared(self) -> Attempt:
        """The same task after somebody cleared it."""
        other = self.retried()
        other["ti"].max_tries = self["ti"].max_tries + 1
        return other


@pytest.fixture
def attempt() -> type[Attempt]:
    """Makes contexts."""
    return Attempt


@pytest.fixture
def probe(cycle: Cycle, installed: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes operators whose job does what it is told: `probe(do="fail")`."""
    from airflow.sdk.bases.operator import ExecutorSafeguard  # noqa: PLC0415 - after the environment

    from flywheel.operators.job import JobOperator  # noqa: PLC0415 - after the environment
    from include.core.sagemaker.requests import StepInputs  # noqa: PLC0415 - after the environment

    assert installed.image_uri == "probe:1"
    monkeypatch.setattr(ExecutorSafeguard, "test_mode", True)

    class ProbeOperator(JobOperator):
        """A step with the image `probe`."""

        step = "fetch"

        def __init__(self, *, told: dict[str, str], **kwargs: Any) -> None:
            super().__init__(task_id="fetch", **kwargs)
            self.told = told

        def step_inputs(self, context: Any, interval: Any) -> StepInputs:  # noqa: ARG002 - needs neither
            return StepInputs({}, self.told)

    def make(*, deferrable: bool = False, timeout: timedelta | None = None, **told: str) -> ProbeOperator:
        operator = ProbeOperator(cycle=cycle, told=told, deferrable=deferrable, execution_timeout=timeout)
        # Airflow's own logger writes to the task's log, where a test cannot look.
        operator._cached_logger = logging.getLogger("flywheel.task")
        return operator

    return make
