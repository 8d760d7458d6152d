"""The official Airflow hook for SageMaker works against the local service."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from sagemaker_kit.jobs import ROLE, Lab


@pytest.fixture
def connection(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> str:
    """An Airflow connection to the service; nothing else decides where the hook's calls go."""
    extra = {"endpoint_url": lab.service.url, "region_name": "us-east-1"}
    content = {"conn_type": "aws", "login": "local", "password": "local", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_LAB", json.dumps(content))
    return "aws_lab"


@pytest.mark.skipif(find_spec("airflow") is None, reason="Airflow is not installed")
@pytest.mark.long  # the hook asks every 30 seconds
@pytest.mark.filterwarnings("default")  # Airflow's own imports warn
def test_the_hook_trains_with_its_log_and_sees_the_end(lab: Lab, connection: str) -> None:
    """It checks the inputs in S3, creates the job, follows its log and returns when it has completed."""
    from airflow.providers.amazon.aws.hooks.sagemaker import SageMakerHook  # noqa: PLC0415 (heavy)

    lab.put(data__a_csv="1\n")
    hook = SageMakerHook(aws_conn_id=connection)  # type: ignore[no-untyped-call]
    config = {
        "TrainingJobName": "by-hook",
        "AlgorithmSpecification": {"TrainingImage": "script:1", "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://lab/data"}},
            }
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://lab/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "Environment": {"SCRIPT": "echo hello; sleep 0.3"},
    }
    hook.create_training_job(config, wait_for_completion=True, print_log=True, check_interval=1)
    assert hook.describe_training_job("by-hook")["TrainingJobStatus"] == "Completed"
    assert lab.lines("TrainingJobs", "by-hook") == ["hello"]
    assert [job["TrainingJobName"] for job in hook.list_training_jobs(name_contains="by-h")] == ["by-hook"]
