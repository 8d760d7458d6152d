"""The second cycle runs on the same machinery, by `dag.test()` on the real local service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.core.settings import PROJECT
from sagemaker_kit.service import Service

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

TRAINING = [
    "fetch",
    "clean",
    "transform",
    "train",
    "evaluate",
    "decide",
    "approve",
    "register",
    "deploy",
    "verify",
]
SCORING = ["fetch", "clean", "prepare", "batch_transform", "collect", "monitor", "decide", "report", "expire"]
#: steps for which a quiet window without late labels has nothing to do
NEEDLESS = ["mature", "request_retraining"]
RUNS = ("digits_train_and_deploy=2013-01-01", "digits_score_and_monitor=2013-02-01")

Run = dict[str, Any]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A local SageMaker with the project's own image and a bucket."""
    place = tmp_path_factory.mktemp("digits")
    image = PROJECT / "include/image/image.toml"
    made = Service(place / "root", place / "log", "--image", str(image))
    made.start()
    made.s3.create_bucket(Bucket="flywheel")
    yield made
    made.close()


def environment(home: str, url: str) -> dict[str, str]:
    """An Airflow of its own, whose connection leads to the service."""
    extra = {"region_name": "us-east-1", "endpoint_url": url}
    connection = {"conn_type": "aws", "login": "local", "password": "local", "extra": extra}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return {
        **inherited,
        "PYTHONPATH": str(PROJECT),
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
        "FLYWHEEL_POLL_INTERVAL_S": "0.5",
    }


@pytest.fixture(scope="module")
def runs(service: Any) -> list[Run]:  # noqa: ANN401 - the service's test class
    """The first interval trained on and deployed, the second scored and monitored."""
    with tempfile.TemporaryDirectory() as home:
        told = environment(home, service.url)
        for command in (
            ["-m", "airflow", "db", "migrate"],
            [str(Path(__file__).with_name("dag_runs.py")), *RUNS],
        ):
            done = subprocess.run(
                [sys.executable, *command], env=told, cwd=PROJECT, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    found: list[Run] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_every_step_succeeds(runs: list[Run]) -> None:
    """A cycle that is a package of its own, and nothing else, runs as a whole."""
    assert [run["state"] for run in runs] == ["success", "success"]
    assert [run["tasks"] for run in runs] == [
        dict.fromkeys(TRAINING, "success"),
        dict.fromkeys(SCORING, "success") | dict.fromkeys(NEEDLESS, "skipped"),
    ]


def test_the_model_tells_most_digits(runs: list[Run]) -> None:
    """On held-out images it is right far more often than guessing one digit in ten would be."""
    verdict = runs[0]["results"]["decide"]["decision"]["verdict"]
    assert verdict["metric"] == "accuracy"
    assert verdict["promote"] is True
    assert verdict["challenger"]["low"] > verdict["baselines"]["constant"]["value"]
    assert verdict["challenger"]["value"] > 0.8


def test_the_endpoint_reads_the_golden_digits(runs: list[Run], service: Any) -> None:  # noqa: ANN401 - the service's test class
    """Every golden row gets the label over the wire that the model gave offline."""
    bucket, _, prefix = runs[0]["results"]["evaluate"]["uri"].removeprefix("s3://").partition("/")
    lines = service.s3.get_object(Bucket=bucket, Key=f"{prefix}golden.jsonl")["Body"].read().splitlines()
    golden = [json.loads(line) for line in lines]
    answer = service.runtime.invoke_endpoint(
        EndpointName="digits",
        ContentType="application/jsonlines",
        Accept="application/jsonlines",
        Body="\n".join(json.dumps(each["row"]) for each in golden),
    )
    said = [json.loads(line)["label"] for line in answer["Body"].read().splitlines()]
    assert said == [each["label"] for each in golden]


def test_the_next_interval_is_scored_by_a_model_that_had_not_seen_it(runs: list[Run]) -> None:
    """Every record was scored, every label was judged, and the champion of January does well in February."""
    results = runs[1]["results"]
    metrics = results["monitor"]["metrics"]
    assert metrics["scored"] == results["prepare"]["counts"]["rows_out"] > 0
    assert metrics["judged"] == metrics["scored"]
    assert metrics["accuracy"] > 0.8


def test_the_window_was_decided_about(runs: list[Run]) -> None:
    """One window of the same images is no reason to retrain, and the record says why."""
    decision = runs[1]["results"]["decide"]["decision"]
    assert decision["due"] is False
    assert decision["against"]
    assert decision["alarms"]["watched"] == 1
    assert decision["emission"] == {"is_emitted": False, "why": "Nothing is due."}


def test_both_dags_fetch_and_clean_by_the_same_code(runs: list[Run], service: Any) -> None:  # noqa: ANN401 - the service's test class
    """The jobs are the cycle's own: two of fetch and clean, for two intervals, each completed once."""
    jobs = service.sagemaker.list_processing_jobs(MaxResults=100)["ProcessingJobSummaries"]
    assert {job["ProcessingJobStatus"] for job in jobs} == {"Completed"}
    steps = sorted(job["ProcessingJobName"].split("-")[1] for job in jobs)
    assert steps == sorted(
        [*TRAINING[:3], "evaluate", "fetch", "clean", "prepare", "collect", "monitor", "report"]
    )
    assert [run["results"]["fetch"]["reused"] for run in runs] == [False, False]
