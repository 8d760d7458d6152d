"""The flights cycle runs in docker-compose.yml, and what breaks on the way changes nothing of the result."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

import boto3
import pytest

from include.cli.airflow_api import AirflowApi
from include.cli.terminal import StackError
from tests.compose.conftest import Compose, docker, script

DAG, RUN = "flights_train_and_deploy", "january"
#: what happens while a step runs
TROUBLE = {
    "clean": ("restart", "postgres"),
    "transform": ("restart", "local-sagemaker"),
    "train": ("kill", "airflow-worker"),
    "evaluate": ("restart", "redis"),
}
RUN_TIMEOUT_S = 2400.0
LOOK_INTERVAL_S = 0.2
Answer = TypeVar("Answer")


def client(stack: Compose, service: Any) -> Any:  # noqa: ANN401 - boto3 makes its types at run time
    """A client of the local SageMaker, by the port that is published."""
    url = f"http://127.0.0.1:{stack.sagemaker_port}"
    secret = script().variables(stack.env_file)["SAGEMAKER_SECRET_ACCESS_KEY"]
    keys = {"aws_access_key_id": "flywheel", "aws_secret_access_key": secret}
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", **keys)


@pytest.fixture(scope="module")
def trouble(stack: Compose) -> dict[str, str]:
    """Run January with trouble at four steps; return what was done to what."""
    api = AirflowApi(f"http://127.0.0.1:{stack.airflow_port}", "admin", stack.password)
    deadline = time.monotonic() + RUN_TIMEOUT_S
    while api.dag(DAG) is None:
        assert time.monotonic() < deadline, api.import_errors()
        time.sleep(1)
    api.unpause(DAG)
    api.trigger(DAG, RUN, {"interval_start": "2013-01-01"})
    made: dict[str, str] = {}
    while (run := _ask(lambda: api.run(DAG, RUN))) is None or run["state"] not in {"success", "failed"}:
        assert time.monotonic() < deadline, _ask(lambda: api.tasks(DAG, RUN))
        for task in _ask(lambda: api.tasks(DAG, RUN)) or []:
            step = task["task_id"]
            if task["state"] == "running" and step in TROUBLE and step not in made and _has_job(stack, step):
                _make(stack, *TROUBLE[step])
                made[step] = TROUBLE[step][1]
        time.sleep(LOOK_INTERVAL_S)
    tasks = {task["task_id"]: (task["state"], task["try_number"]) for task in api.tasks(DAG, RUN)}
    api.close()
    assert run["state"] == "success", tasks
    return made


def _ask(question: Callable[[], Answer]) -> Answer | None:
    """An answer, or None while Airflow has no database."""
    try:
        return question()
    except StackError:
        return None


def _has_job(stack: Compose, step: str) -> bool:
    """Whether the step's job is on its way: trouble before it would be none."""
    return any("InProgress" in job["status"] for job in _jobs(stack) if job["step"] == step)


def _jobs(stack: Compose) -> list[dict[str, str]]:
    sagemaker = client(stack, "sagemaker")
    found = []
    for word in ("Processing", "Training"):
        answer = getattr(sagemaker, f"list_{word.lower()}_jobs")(MaxResults=100)
        for job in answer[f"{word}JobSummaries"]:
            name = job[f"{word}JobName"]
            found.append({"name": name, "step": name.split("-")[1], "status": job[f"{word}JobStatus"]})
    return found


def _make(stack: Compose, verb: str, service: str) -> None:
    container = stack.container(service)
    if verb == "kill":
        docker("kill", container)
        docker("start", container)
    else:
        docker("restart", "--time", "2", container)


@pytest.mark.long
@pytest.mark.timeout(4800)
def test_every_step_met_its_trouble_and_the_run_succeeded(trouble: dict[str, str]) -> None:
    """The trouble came while the steps' jobs ran, not before or after."""
    assert trouble == {step: service for step, (_, service) in TROUBLE.items()}


@pytest.mark.long
@pytest.mark.usefixtures("trouble")
def test_each_job_completed_once(stack: Compose) -> None:
    """One completed job for each step; what else there is was lost with the service it ran in."""
    completed = Counter(job["step"] for job in _jobs(stack) if job["status"] == "Completed")
    assert completed == dict.fromkeys(("fetch", "clean", "transform", "train", "evaluate"), 1)
    assert {job["step"] for job in _jobs(stack) if job["status"] == "Failed"} <= {"transform"}


@pytest.mark.long
@pytest.mark.usefixtures("trouble")
def test_one_decision_one_promotion_and_one_version(stack: Compose) -> None:
    """The ledger and the registry hold what one run makes, and no more."""
    s3 = client(stack, "s3")
    keys = [
        item["Key"] for item in s3.list_objects_v2(Bucket="flywheel", Prefix="flights/ledger/")["Contents"]
    ]
    entries = [json.load(s3.get_object(Bucket="flywheel", Key=key)["Body"]) for key in keys]
    versions = client(stack, "sagemaker").list_model_packages(ModelPackageGroupName="flights")
    assert [entry["kind"] for entry in entries] == ["decision", "promotion"]
    assert len(versions["ModelPackageSummaryList"]) == 1


@pytest.mark.long
@pytest.mark.usefixtures("trouble")
def test_the_endpoint_answers_after_one_more_restart(stack: Compose) -> None:
    """An endpoint is started again with its service, with the same configuration."""
    sagemaker = client(stack, "sagemaker")
    before = sagemaker.describe_endpoint(EndpointName="flights")
    _make(stack, "restart", "local-sagemaker")
    stack.wait_until_healthy()
    sagemaker.get_waiter("endpoint_in_service").wait(
        EndpointName="flights", WaiterConfig={"Delay": 2, "MaxAttempts": 90}
    )
    after = sagemaker.describe_endpoint(EndpointName="flights")
    assert after["EndpointConfigName"] == before["EndpointConfigName"]
    golden = _golden_row(stack)
    answer = client(stack, "sagemaker-runtime").invoke_endpoint(
        EndpointName="flights", ContentType="application/json", Body=json.dumps(golden["row"])
    )
    (prediction,) = json.load(answer["Body"])["predictions"]
    assert prediction["score"] == pytest.approx(golden["score"], abs=1e-6)


def _golden_row(stack: Compose) -> dict[str, Any]:
    """One row of the evaluation, with what the model answered offline."""
    s3 = client(stack, "s3")
    entry = json.load(s3.get_object(Bucket="flywheel", Key="flights/ledger/00000001.json")["Body"])
    bucket, _, prefix = entry["evaluation_uri"].removeprefix("s3://").partition("/")
    lines = s3.get_object(Bucket=bucket, Key=f"{prefix.rstrip('/')}/golden.jsonl")["Body"].iter_lines()
    found: dict[str, Any] = json.loads(next(lines))
    return found


@pytest.mark.long
@pytest.mark.usefixtures("trouble")
def test_the_run_of_the_command_line_finds_its_jobs_done(stack: Compose) -> None:
    """`docker compose run flywheel` makes a run of its own, and no job twice."""
    before = sorted(job["name"] for job in _jobs(stack))
    told = stack("run", "--rm", "-T", "flywheel", "flights", "--runs", "1")
    assert "verify           ok" in told
    assert sorted(job["name"] for job in _jobs(stack)) == before
