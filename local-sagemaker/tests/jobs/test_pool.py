"""The pool of jobs: bounded, and fair between those who ask. Jobs run until the test lets them end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import boto3
import pytest

from sagemaker_kit.jobs import IMAGE, ROLE, Lab
from sagemaker_kit.service import Service
from sagemaker_kit.serving import until

#: tells that it runs, and ends when its file `<name>.go`, or that of all, is there
LATCH = """
cd %s
name="${TRAINING_JOB_NAME:-$PROCESSING_JOB_NAME}"
echo $name >> order
until [ -e $name.go ] || [ -e all.go ]; do sleep 0.02; done
echo loss=1
"""
RESOURCES = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}


class Gate:
    """The jobs that have begun, and the latch of each."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        (folder / "latch").write_text(LATCH % folder)
        #: what a job runs
        self.script = f". {folder}/latch"

    def begun(self, count: int) -> list[str]:
        """The first jobs that have begun, in their order, as soon as there are so many."""
        path = self._folder / "order"

        def found() -> list[str] | None:
            names = path.read_text().split() if path.exists() else []
            return names if len(names) >= count else None

        names: list[str] = until(found, f"the beginning of {count} jobs", 60)
        return names

    def open(self, name: str) -> None:
        """Let a job end."""
        (self._folder / f"{name}.go").touch()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """A gate for one test's jobs; whatever becomes of the test, they end."""
    made = Gate(tmp_path / "gate")
    yield made
    made.open("all")


@pytest.fixture(scope="module")
def pool(start_shared_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A service that runs two jobs at a time; each test leaves it without any that has not ended."""
    path = tmp_path_factory.mktemp("image") / "image.toml"
    path.write_text(IMAGE)
    return Lab(start_shared_service("--jobs", "2", "--image", str(path)))


def are_created(lab: Lab, kind: str, count: int, name: str = "") -> bool:
    """Whether there are so many jobs of a kind whose names hold `name`, and that have not ended."""
    listed = getattr(lab.sagemaker, f"list_{kind}_jobs")
    found = listed(MaxResults=100, StatusEquals="InProgress", **({"NameContains": name} if name else {}))
    return len(found[f"{kind.title()}JobSummaries"]) == count


def release(gate: Gate, lab: Lab) -> list[str]:
    """Let one job end after the other until none is left; the order in which all began."""
    opened: set[str] = set()
    while True:
        listed = lab.sagemaker.list_processing_jobs(MaxResults=100, StatusEquals="InProgress")
        trained = lab.sagemaker.list_training_jobs(MaxResults=100, StatusEquals="InProgress")
        names = {one["ProcessingJobName"] for one in listed["ProcessingJobSummaries"]}
        names |= {one["TrainingJobName"] for one in trained["TrainingJobSummaries"]}
        if not names:
            return gate.begun(len(opened))
        for name in gate.begun(1):
            if name not in opened:
                gate.open(name)
                opened.add(name)


def test_no_more_run_than_the_pool_holds(pool: Lab, gate: Gate) -> None:
    """The third job waits as InProgress, Starting; it begins when one of the others has ended."""
    for number in range(3):
        pool.train(f"t{number}", gate.script)
    assert sorted(gate.begun(2)) == ["t0", "t1"]
    waiting = pool.sagemaker.describe_training_job(TrainingJobName="t2")
    assert (waiting["TrainingJobStatus"], waiting["SecondaryStatus"]) == ("InProgress", "Starting")
    gate.open("t1")
    assert gate.begun(3)[2] == "t2"
    for name in ("t0", "t2"):
        gate.open(name)
        assert pool.trained(name)["TrainingJobStatus"] == "Completed"


def test_a_pipelines_many_jobs_starve_nobody(pool: Lab, gate: Gate) -> None:
    """A job that is asked for after them is the next to begin; so it is after a restart."""
    output = {"S3Uri": "s3://lab/out", "LocalPath": "/opt/ml/processing/out", "S3UploadMode": "EndOfJob"}
    steps = [
        {
            "Name": f"S{number}",
            "Type": "Processing",
            "Arguments": {
                "AppSpecification": {"ImageUri": "script:1"},
                "RoleArn": ROLE,
                "ProcessingResources": {"ClusterConfig": RESOURCES},
                "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": output}]},
                "Environment": {"SCRIPT": gate.script},
            },
        }
        for number in range(8)
    ]
    definition = json.dumps({"Version": "2020-12-01", "Steps": steps})
    pool.sagemaker.create_pipeline(PipelineName="many", PipelineDefinition=definition, RoleArn=ROLE)
    pool.sagemaker.start_pipeline_execution(PipelineName="many")
    first = gate.begun(2)
    until(partial(are_created, pool, "processing", 8), "the pipeline's jobs")
    pool.process("single", gate.script)
    pool.service.restart()
    gate.open(first[0])
    assert gate.begun(3)[2] == "single"
    assert len(release(gate, pool)) == 9


def test_a_tuning_jobs_many_jobs_starve_nobody(pool: Lab, gate: Gate) -> None:
    """Neither a direct job nor another tuning job waits for more than one of them."""
    for name in ("big", "small"):
        ranges = [{"Name": "x", "MinValue": "0", "MaxValue": "1"}]
        pool.sagemaker.create_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name,
            HyperParameterTuningJobConfig={
                "Strategy": "Random",
                "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
                "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 4},
                "ParameterRanges": {"ContinuousParameterRanges": ranges},
            },
            TrainingJobDefinition={
                "AlgorithmSpecification": {
                    "TrainingImage": "script:1",
                    "TrainingInputMode": "File",
                    "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(.*)"}],
                },
                "RoleArn": ROLE,
                "OutputDataConfig": {"S3OutputPath": "s3://lab/out"},
                "ResourceConfig": RESOURCES,
                "StoppingCondition": {"MaxRuntimeInSeconds": 60},
                "Environment": {"SCRIPT": gate.script},
            },
        )
        gate.begun(2)
        until(partial(are_created, pool, "training", 4, name), "the trials")
    pool.process("alone", gate.script)
    first = gate.begun(2)
    gate.open(first[0])
    # `big` holds one place of two, and `small` came before the single job
    assert gate.begun(3)[2].startswith("small-")
    gate.open(gate.begun(3)[2])
    assert gate.begun(4)[3] == "alone"
    assert len(release(gate, pool)) == 9


def test_one_access_key_does_not_starve_another(pool: Lab, gate: Gate) -> None:
    """Jobs asked for directly are their access key's, also where no signature is checked."""
    for number in range(4):
        pool.process(f"mine-{number}", gate.script)
    gate.begun(2)
    theirs = boto3.client(
        "sagemaker",
        endpoint_url=pool.service.url,
        region_name="us-east-1",
        aws_access_key_id="somebody",
        aws_secret_access_key="else",  # noqa: S106 (any is accepted)
    )
    theirs.create_processing_job(
        ProcessingJobName="theirs",
        AppSpecification={"ImageUri": "script:1"},
        RoleArn=ROLE,
        ProcessingResources={"ClusterConfig": RESOURCES},
        Environment={"SCRIPT": gate.script},
    )
    theirs.close()
    gate.open("mine-0")
    assert gate.begun(3)[2] == "theirs"
    assert len(release(gate, pool)) == 5


def test_a_stopped_job_takes_no_turn(pool: Lab, gate: Gate) -> None:
    """One that waits ends at once, and never begins."""
    for number in range(4):
        pool.process(f"p{number}", gate.script)
    gate.begun(2)
    pool.sagemaker.stop_processing_job(ProcessingJobName="p2")
    assert pool.processed("p2")["ProcessingJobStatus"] == "Stopped"
    assert sorted(release(gate, pool)) == ["p0", "p1", "p3"]
