"""A service with an image whose container runs the shell script in its environment variable SCRIPT."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Callable
from typing import Any

from sagemaker_kit.service import Service

IMAGE = """
uri = ["script:*"]
stop_grace_s = 0.5
[entry_points]
train = ["sh", "-c", 'eval "$SCRIPT"', "train"]
process = ["sh", "-c", 'eval "$SCRIPT"', "process"]
"""
BUCKET = "lab"
ROLE = "arn:aws:iam::000000000000:role/lab"
TIMEOUT_S = 60


class Lab:
    """A service and short ways to ask it for jobs."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.sagemaker, self.s3, self.logs = service.sagemaker, service.s3, service.logs
        self.s3.create_bucket(Bucket=BUCKET)

    def put(self, **objects: str) -> None:
        """Put objects; `__` in a name stands for `/`, and a trailing `_csv` for `.csv`."""
        for name, body in objects.items():
            self.s3.put_object(Bucket=BUCKET, Key=name.replace("__", "/").replace("_csv", ".csv"), Body=body)

    def read(self, key: str) -> bytes:
        """The bytes of an object."""
        body = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"]
        with body:
            content: bytes = body.read()
        return content

    def keys(self, prefix: str = "") -> list[str]:
        """The keys of all objects under a prefix."""
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"] for item in found.get("Contents", [])]

    def unpacked(self, key: str) -> dict[str, str]:
        """The files of a .tar.gz object by name."""
        with tarfile.open(fileobj=io.BytesIO(self.read(key)), mode="r:gz") as tar:
            return {
                member.name: tar.extractfile(member).read().decode()  # type: ignore[union-attr]
                for member in tar.getmembers()
                if member.isfile()
            }

    def train(self, name: str, script: str, **request: Any) -> str:  # noqa: ANN401
        """Create a training job that runs `script`."""
        given = {
            "TrainingJobName": name,
            "AlgorithmSpecification": {"TrainingImage": "script:1", "TrainingInputMode": "File"},
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            "Environment": {"SCRIPT": script},
        }
        arn: str = self.sagemaker.create_training_job(**given | request)["TrainingJobArn"]
        return arn

    def process(self, name: str, script: str, **request: Any) -> str:  # noqa: ANN401
        """Create a processing job that runs `script`."""
        given = {
            "ProcessingJobName": name,
            "AppSpecification": {"ImageUri": "script:1"},
            "RoleArn": ROLE,
            "ProcessingResources": {
                "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
            },
            "Environment": {"SCRIPT": script},
        }
        arn: str = self.sagemaker.create_processing_job(**given | request)["ProcessingJobArn"]
        return arn

    def trained(self, name: str) -> dict[str, Any]:
        """The description of a training job that has ended."""
        return self._ended(lambda: self.sagemaker.describe_training_job(TrainingJobName=name), "Training")

    def processed(self, name: str) -> dict[str, Any]:
        """The description of a processing job that has ended."""
        return self._ended(
            lambda: self.sagemaker.describe_processing_job(ProcessingJobName=name), "Processing"
        )

    def training(self, name: str) -> None:
        """Wait until a training job's log has its first line."""
        deadline = time.monotonic() + TIMEOUT_S
        while not self.lines("TrainingJobs", name):
            assert time.monotonic() < deadline, f"{name} has written nothing"
            time.sleep(0.02)

    def lines(self, group: str, name: str) -> list[str]:
        """The log of a job, as CloudWatch Logs gives it."""
        try:
            streams = self.logs.describe_log_streams(
                logGroupName=f"/aws/sagemaker/{group}", logStreamNamePrefix=f"{name}/"
            )["logStreams"]
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        return [
            event["message"]
            for stream in streams
            for event in self.logs.get_log_events(
                logGroupName=f"/aws/sagemaker/{group}",
                logStreamName=stream["logStreamName"],
                startFromHead=True,
            )["events"]
        ]

    def _ended(self, describe: Callable[[], dict[str, Any]], noun: str) -> dict[str, Any]:
        deadline = time.monotonic() + TIMEOUT_S
        while (found := describe())[f"{noun}JobStatus"] in {"InProgress", "Stopping"}:
            assert time.monotonic() < deadline, found
            time.sleep(0.02)
        return found
