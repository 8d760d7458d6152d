"""Images that Docker runs: jobs and endpoints in containers, and none that is left behind."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import io
import os
import signal
import tarfile
from typing import Any

import pytest

from sagemaker_kit.docker import docker
from sagemaker_kit.service import Service
from sagemaker_kit.serving import until

ROLE = "arn:aws:iam::000000000000:role/lab"
CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
OVER = {"Completed", "Failed", "Stopped"}
#: the container is asked to end, and says that it was
NAP = "trap 'echo asked; exit 3' TERM; echo begun; while :; do sleep 0.1; done"


def containers(service: Service) -> list[str]:
    """The containers of a service, running or not."""
    form = '{{.ID}} {{.Label "local-sagemaker.workspace"}}'
    found = docker("ps", "--all", "--filter", "label=local-sagemaker.workspace", "--format", form)
    return [line for line in found.splitlines() if f" {service.root}/" in line]


def process(service: Service, image: str, script: str, **request: Any) -> None:
    """Create the processing job `job` that runs a script in the container."""
    application = {"ImageUri": image} | request.pop("AppSpecification", {})
    given = {
        "ProcessingJobName": "job",
        "AppSpecification": application,
        "RoleArn": ROLE,
        "ProcessingResources": {"ClusterConfig": CLUSTER},
        "Environment": {"SCRIPT": script, "PATH": "/usr/local/bin:/usr/bin:/bin"},
    }
    service.sagemaker.create_processing_job(**given | request)


def described(service: Service) -> Any:
    """The processing job `job` as it is now."""
    return service.sagemaker.describe_processing_job(ProcessingJobName="job")


def processed(service: Service) -> Any:
    """The processing job `job` when it has ended; its container is gone then, or is so soon."""
    until(lambda: described(service)["ProcessingJobStatus"] in OVER, "the end of the job", 60)
    until(lambda: not containers(service), "the end of the container", 30)
    return described(service)


def lines(service: Service, name: str) -> list[str]:
    """What a processing job has written."""
    group = {"logGroupName": "/aws/sagemaker/ProcessingJobs"}
    streams = service.logs.describe_log_streams(**group, logStreamNamePrefix=f"{name}/")["logStreams"]
    return [
        event["message"]
        for stream in streams
        for event in service.logs.get_log_events(
            **group, logStreamName=stream["logStreamName"], startFromHead=True
        )["events"]
    ]


def begun(service: Service, count: int = 1) -> None:
    """Wait until the job's script has said so often that it runs."""
    until(lambda: described(service).get("ProcessingStartTime") is not None, "the start of the job", 30)
    until(lambda: lines(service, "job").count("begun") == count, "the first line of the container", 30)


@pytest.mark.long
def test_a_processing_job_runs_in_a_container(docker_service: Service, docker_image: str) -> None:
    """It reads its input, reaches the service, and its output is put into S3; stored objects stay."""
    docker_service.s3.put_object(Bucket="lab", Key="in/rows.csv", Body=b"a\nb\n")
    ask = (
        "python3 -c \"import os, urllib.request as u; u.urlopen(os.environ['AWS_ENDPOINT_URL'] + '/health')\""
    )
    change = "cd /opt/ml/processing; sort -r in/rows.csv > out/turned; echo c >> in/rows.csv"
    process(
        docker_service,
        docker_image,
        f"set -e; {ask}; {change}",
        AppSpecification={"ContainerArguments": ["one", "two words"]},
        ProcessingInputs=[
            {
                "InputName": "rows",
                "S3Input": {
                    "S3Uri": "s3://lab/in",
                    "LocalPath": "/opt/ml/processing/in",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        ],
        ProcessingOutputConfig={
            "Outputs": [
                {
                    "OutputName": "turned",
                    "S3Output": {
                        "S3Uri": "s3://lab/out",
                        "LocalPath": "/opt/ml/processing/out",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
    )
    assert processed(docker_service)["ProcessingJobStatus"] == "Completed", described(docker_service)[
        "FailureReason"
    ]
    assert lines(docker_service, "job") == ["arguments one two words"]
    bodies = [
        docker_service.s3.get_object(Bucket="lab", Key=key)["Body"].read()
        for key in ("out/turned", "in/rows.csv")
    ]
    assert bodies == [b"b\na\n", b"a\nb\n"]


@pytest.mark.long
def test_a_failed_container_gives_its_message_and_exit_code(
    docker_service: Service, docker_image: str
) -> None:
    """What it left in its message file is the reason."""
    process(docker_service, docker_image, "echo 'No rows.' > /opt/ml/output/message; exit 7")
    found = processed(docker_service)
    assert (found["ProcessingJobStatus"], found["FailureReason"], found["ExitMessage"]) == (
        "Failed",
        "AlgorithmError: No rows., exit code: 7",
        "No rows.",
    )


@pytest.mark.long
def test_an_image_that_is_not_there_fails_the_job(docker_service: Service) -> None:
    """The reason says how to get it."""
    process(docker_service, "missing:1", "true")
    reason = processed(docker_service)["FailureReason"]
    assert "Docker has no image 'missing:1' here" in reason
    assert "`docker pull missing:1`" in reason


@pytest.mark.long
def test_a_stopped_job_leaves_no_container(docker_service: Service, docker_image: str) -> None:
    """The containers of both instances are asked to end, and end."""
    process(
        docker_service,
        docker_image,
        NAP,
        ProcessingResources={"ClusterConfig": CLUSTER | {"InstanceCount": 2}},
    )
    begun(docker_service, 2)
    assert len(containers(docker_service)) == 2
    docker_service.sagemaker.stop_processing_job(ProcessingJobName="job")
    assert processed(docker_service)["ProcessingJobStatus"] == "Stopped"
    assert lines(docker_service, "job").count("asked") == 2


@pytest.mark.long
def test_a_container_survives_a_kill_of_the_service(docker_service: Service, docker_image: str) -> None:
    """The job goes on and ends once."""
    process(
        docker_service,
        docker_image,
        "echo begun; while [ ! -e /opt/ml/processing/go ]; do sleep 0.1; done",
    )
    begun(docker_service)
    before = containers(docker_service)
    docker_service.restart()
    assert containers(docker_service) == before
    (docker_service.root / "jobs/processing-job/job/ml/processing/go").touch()
    assert processed(docker_service)["ProcessingJobStatus"] == "Completed"
    assert lines(docker_service, "job") == ["arguments", "begun"]


@pytest.mark.long
def test_a_killed_program_leaves_no_container(docker_service: Service, docker_image: str) -> None:
    """A container that does not end when it is asked ends with its program."""
    process(docker_service, docker_image, "trap '' TERM; echo begun; while :; do sleep 0.1; done")
    begun(docker_service)
    (found,) = containers(docker_service)
    label = '{{index .Config.Labels "local-sagemaker.pid"}}'
    os.kill(int(docker("inspect", "--format", label, found.split()[0])), signal.SIGKILL)
    assert "SIGKILL" in processed(docker_service)["FailureReason"]


@pytest.mark.long
def test_what_a_crash_left_is_removed_by_the_next_run(docker_service: Service, docker_image: str) -> None:
    """A container in the job's workspace whose program is no more is gone before the job's own starts."""
    labels = {"workspace": docker_service.root / "jobs/processing-job/job", "pid": 0}
    words = [
        word for name, value in labels.items() for word in ("--label", f"local-sagemaker.{name}={value}")
    ]
    docker("create", *words, docker_image)
    process(docker_service, docker_image, NAP)
    begun(docker_service)
    assert len(containers(docker_service)) == 1
    docker_service.sagemaker.stop_processing_job(ProcessingJobName="job")
    assert processed(docker_service)["ProcessingJobStatus"] == "Stopped"


@pytest.mark.long
def test_what_a_container_trains_another_serves(docker_service: Service, docker_image: str) -> None:
    """A training job's model is deployed; the endpoint's container is gone when the endpoint is."""
    sagemaker, s3 = docker_service.sagemaker, docker_service.s3
    s3.put_object(Bucket="lab", Key="rows/rows.csv", Body=b"a\nb\nc\n")
    sagemaker.create_training_job(
        TrainingJobName="fit",
        AlgorithmSpecification={"TrainingImage": docker_image, "TrainingInputMode": "File"},
        RoleArn=ROLE,
        InputDataConfig=[
            {
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://lab/rows"}},
            }
        ],
        OutputDataConfig={"S3OutputPath": "s3://lab/models"},
        ResourceConfig=CLUSTER,
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(
        TrainingJobName="fit", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    model = sagemaker.describe_training_job(TrainingJobName="fit")["ModelArtifacts"]["S3ModelArtifacts"]
    body = s3.get_object(Bucket="lab", Key=model.removeprefix("s3://lab/"))["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        assert tar.extractfile("name").read() == b"3"  # type: ignore[union-attr]
    _deploy(sagemaker, docker_image, model)
    answer = docker_service.runtime.invoke_endpoint(EndpointName="fit", Body=b"abc")["Body"].read()
    assert answer == b"3cba"
    assert len(containers(docker_service)) == 1
    assert _transformed(docker_service) == b"3cba"
    until(lambda: len(containers(docker_service)) == 1, "the end of the transform's containers", 40)
    sagemaker.delete_endpoint(EndpointName="fit")
    until(lambda: not containers(docker_service), "the end of the container", 40)


def _transformed(service: Service) -> bytes:
    """What a transform by two instances makes of a file."""
    service.s3.put_object(Bucket="lab", Key="texts/text", Body=b"abc")
    service.sagemaker.create_transform_job(
        TransformJobName="turn",
        ModelName="fit",
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://lab/texts"}}
        },
        TransformOutput={"S3OutputPath": "s3://lab/turned"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 2},
    )
    service.sagemaker.get_waiter("transform_job_completed_or_stopped").wait(
        TransformJobName="turn", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    body: bytes = service.s3.get_object(Bucket="lab", Key="turned/text.out")["Body"].read()
    return body


def _deploy(sagemaker: Any, image: str, model: str) -> None:
    sagemaker.create_model(
        ModelName="fit", PrimaryContainer={"Image": image, "ModelDataUrl": model}, ExecutionRoleArn=ROLE
    )
    variant = {
        "VariantName": "all",
        "ModelName": "fit",
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }
    sagemaker.create_endpoint_config(EndpointConfigName="fit", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="fit", EndpointConfigName="fit")
    sagemaker.get_waiter("endpoint_in_service").wait(
        EndpointName="fit", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
