"""The SageMaker Python SDK and the AWS CLI, each in an environment of its own, work against the service."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]

HERE = Path(__file__).resolve().parent
#: environments are kept here from one run to the next, since they are large
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "flywheel-tests"


def environment(name: str, *requirements: str) -> Path:
    """The programs of an environment with these packages; the test is skipped if it cannot be made."""
    folder = CACHE / name
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        install = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", *requirements]
        for command in ([sys.executable, "-m", "venv", str(folder)], install):
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
            if done.returncode:
                pytest.skip(f"Cannot make the environment {name}: {done.stderr[-500:]}")
        (folder / "complete").touch()
    return folder / "bin"


def test_the_sdk_v2_goes_from_training_to_registration(sagemaker: Any):
    """Estimator.fit, deploy, predict, Transformer, HyperparameterTuner, SKLearnProcessor, Model.register."""
    programs = environment("sdk-v2", "sagemaker>=2,<3")
    flow = [str(programs / "python"), str(HERE / "flow_v2.py"), sagemaker.url]
    done = subprocess.run(flow, capture_output=True, text=True, check=False, timeout=600)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"step"')]
    found = {line["step"]: line["found"] for line in lines}
    assert done.returncode == 0, (found, done.stderr[-3000:])
    assert found["fit"].endswith("/output/model.tar.gz")
    assert found["predict"] == pytest.approx([8.0])
    assert [float(line) for line in found["transform"].split()] == pytest.approx([8, 10])
    best, *tried = found["tune"]
    assert len(tried) == 2
    assert best in tried
    assert found["process"] == "1,2\n2,4\n3,6\n" * 2
    assert found["register"].endswith(":model-package/lines/1")


def test_the_cli_lists_what_is_there(sagemaker: Any):
    """`aws s3` and `aws sagemaker`, with nothing but AWS_ENDPOINT_URL."""
    programs = environment("cli", "awscli")
    variables = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": sagemaker.url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
    }

    def aws(*words: str, given: str | None = None) -> str:
        command = [str(programs / "aws"), *words]
        done = subprocess.run(
            command, env=variables, input=given, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    aws("s3", "mb", "s3://lab")
    aws("s3", "cp", "-", "s3://lab/words.txt", given="some words")
    assert aws("s3", "cp", "s3://lab/words.txt", "-") == "some words"
    arn = json.loads(
        aws(
            "sagemaker",
            "create-model-package-group",
            "--model-package-group-name",
            "lines",
            "--output",
            "json",
        )
    )["ModelPackageGroupArn"]
    listed = json.loads(aws("sagemaker", "list-model-package-groups", "--output", "json"))
    assert [one["ModelPackageGroupArn"] for one in listed["ModelPackageGroupSummaryList"]] == [arn]
