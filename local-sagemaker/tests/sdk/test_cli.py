"""The AWS CLI, in an environment of its own, works with the service: objects, jobs, models, endpoints."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sagemaker_kit.environments import HERE, environment
from sagemaker_kit.service import Service

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
ROLE = "arn:aws:iam::000000000000:role/lab"
KIND = "ml.m5.large"

Aws = Callable[..., str]


@pytest.fixture
def aws(sagemaker: Service, tmp_path: Path) -> Aws:
    """The program `aws`, with nothing but the endpoint's URL and any key; its output."""
    program = str(environment("cli") / "aws")
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": sagemaker.url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_DEFAULT_OUTPUT": "json",
    }

    def run(*words: str, given: str | None = None, **request: Any) -> str:  # noqa: ANN401 (any JSON)
        more = ["--cli-input-json", json.dumps(request)] if request else []
        done = subprocess.run(
            [program, *words, *more],
            env=variables,
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_cli_copies_lists_and_signs(aws: Aws, tmp_path: Path) -> None:
    """`aws s3`: mb, cp by pipe and in parts, ls, sync both ways, mv, presign, rm, rb."""
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "deep").mkdir(parents=True)
    (here / "deep/words.txt").write_text("some words", encoding="utf-8")
    # above the size from which the program uploads in parts
    (here / "large.bin").write_bytes(os.urandom(9 * 1024 * 1024))
    aws("s3", "mb", "s3://lab")
    aws("s3", "cp", "-", "s3://lab/piped.txt", given="piped words")
    assert aws("s3", "cp", "s3://lab/piped.txt", "-") == "piped words"
    aws("s3", "sync", str(here), "s3://lab/copy")
    listed = aws("s3", "ls", "s3://lab/", "--recursive").splitlines()
    assert {tuple(line.split()[2:]) for line in listed} == {
        ("10", "copy/deep/words.txt"),
        (str(9 * 1024 * 1024), "copy/large.bin"),
        ("11", "piped.txt"),
    }
    (here / "large.bin").unlink()
    aws("s3", "sync", str(here), "s3://lab/copy", "--delete")
    aws("s3", "sync", "s3://lab/copy", str(there))
    found = {path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file()}
    assert found == {"deep/words.txt"}
    aws("s3", "mv", "s3://lab/piped.txt", "s3://lab/with space/é.txt")
    url = aws("s3", "presign", "s3://lab/with space/é.txt").strip()
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 (the service's own address)
        assert answer.read() == b"piped words"
    aws("s3", "rm", "s3://lab", "--recursive")
    aws("s3", "rb", "s3://lab")
    assert aws("s3", "ls") == ""


def test_the_cli_trains_and_serves(aws: Aws, tmp_path: Path) -> None:
    """`aws sagemaker` create, describe, list, wait and delete; `aws sagemaker-runtime invoke-endpoint`."""
    bring_data(aws, tmp_path)
    train(aws)
    names = json.loads(aws("sagemaker", "list-training-jobs", "--status-equals", "Completed"))
    assert [job["TrainingJobName"] for job in names["TrainingJobSummaries"]] == ["fit"]
    job = json.loads(aws("sagemaker", "describe-training-job", "--training-job-name", "fit"))
    serve(aws, job["ModelArtifacts"]["S3ModelArtifacts"])
    (tmp_path / "question.csv").write_text("4,0\n5,1\n", encoding="utf-8")
    answer = tmp_path / "answer.csv"
    told = aws(
        *("sagemaker-runtime", "invoke-endpoint", "--endpoint-name", "lines", "--content-type", "text/csv"),
        *("--accept", "text/csv", "--body", f"fileb://{tmp_path / 'question.csv'}", str(answer)),
    )
    assert json.loads(told)["ContentType"] == "text/csv"
    assert [float(line) for line in answer.read_text().split()] == pytest.approx([8.0, 11.0])
    aws("sagemaker", "delete-endpoint", "--endpoint-name", "lines")
    aws("sagemaker", "wait", "endpoint-deleted", "--endpoint-name", "lines")
    assert json.loads(aws("sagemaker", "list-endpoints"))["Endpoints"] == []


def bring_data(aws: Aws, folder: Path) -> None:
    """Rows of `2 first + second` as both channels, and the script as script mode wants it."""
    rows = folder / "rows.csv"
    rows.write_text("".join(f"{2 * x + y},{x},{y}\n" for x in range(5) for y in range(5)), encoding="utf-8")
    with tarfile.open(folder / "source.tar.gz", "w:gz") as archive:
        archive.add(HERE / "jobs/fit.py", "fit.py")
    aws("s3", "mb", "s3://lab")
    aws("s3", "cp", str(rows), "s3://lab/rows/")
    aws("s3", "cp", str(folder / "source.tar.gz"), "s3://lab/")


def train(aws: Aws) -> None:
    """A training job to its end, by the program's waiter."""
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://lab/rows/"}
    aws(
        *("sagemaker", "create-training-job"),
        TrainingJobName="fit",
        RoleArn=ROLE,
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        HyperParameters={
            "sagemaker_program": "fit.py",
            "sagemaker_submit_directory": "s3://lab/source.tar.gz",
        },
        InputDataConfig=[
            {"ChannelName": name, "DataSource": {"S3DataSource": source}} for name in ("train", "validation")
        ],
        OutputDataConfig={"S3OutputPath": "s3://lab/models"},
        ResourceConfig={"InstanceCount": 1, "InstanceType": KIND, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )
    aws("sagemaker", "wait", "training-job-completed-or-stopped", "--training-job-name", "fit")


def serve(aws: Aws, model: str) -> None:
    """A model, its endpoint configuration and its endpoint, until that is in service."""
    container = {
        "Image": IMAGE,
        "ModelDataUrl": model,
        "Environment": {
            "SAGEMAKER_PROGRAM": "fit.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "s3://lab/source.tar.gz",
        },
    }
    aws("sagemaker", "create-model", ModelName="lines", PrimaryContainer=container, ExecutionRoleArn=ROLE)
    variant = {"VariantName": "all", "ModelName": "lines", "InitialInstanceCount": 1, "InstanceType": KIND}
    aws(
        *("sagemaker", "create-endpoint-config"),
        EndpointConfigName="lines",
        ProductionVariants=[variant],
    )
    aws(
        *("sagemaker", "create-endpoint", "--endpoint-name", "lines"),
        *("--endpoint-config-name", "lines"),
    )
    aws("sagemaker", "wait", "endpoint-in-service", "--endpoint-name", "lines")
