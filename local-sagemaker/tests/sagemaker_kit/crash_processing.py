"""The jobs of the load: each leaves a mark for every time it runs, and a result."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from sagemaker_kit.connections import answered
from sagemaker_kit.service import Service
from sagemaker_kit.serving import until

BUCKET, ROLE = "crash", "arn:aws:iam::000000000000:role/crash"
#: jobs that may be unfinished before no more are created
WAITING = 12
#: the job of the load: one line for each run, then a result
JOB = """
import os, sys, time
base = os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")
with open(os.environ["MARK"], "a") as file:
    file.write("run\\n")
time.sleep(float(os.environ["NAP"]))
with open(f"{base}/processing/output/result", "w") as file:
    file.write(os.environ["MARK"])
"""
#: forked from a zygote where there is one already, started anew where there is none
IMAGE = """
uri = ["crash:*"]
[entry_points]
process = ["{python}", "-I", "-S", "-u", "{dir}/job.py"]
[preload]
modules = ["json"]
free = ["MARK", "NAP"]
"""


class Jobs:
    """Processing jobs that leave a mark for each time they run."""

    def __init__(self, marks: Path) -> None:
        self._marks = marks
        marks.mkdir()
        self.asked: list[str] = []
        self.acknowledged: set[str] = set()
        self.ended: dict[str, str] = {}

    def create(self, sagemaker: Any, dice: random.Random) -> None:
        """Create one job, with tags."""
        if len(self.asked) - len(self.ended) > WAITING:
            time.sleep(0.05)
            return
        name = f"job-{len(self.asked)}"
        self.asked.append(name)
        with answered():
            sagemaker.create_processing_job(
                ProcessingJobName=name,
                AppSpecification={"ImageUri": "crash:1"},
                RoleArn=ROLE,
                ProcessingResources={
                    "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
                },
                Environment={"MARK": str(self._marks / name), "NAP": f"{dice.uniform(0, 0.3):.3f}"},
                ProcessingOutputConfig={
                    "Outputs": [
                        {
                            "OutputName": "result",
                            "S3Output": {
                                "S3Uri": f"s3://{BUCKET}-results/{name}",
                                "LocalPath": "/opt/ml/processing/output",
                                "S3UploadMode": "EndOfJob",
                            },
                        }
                    ]
                },
                Tags=[{"Key": "name", "Value": name}],
            )
        self.acknowledged.add(name)

    def check(self, sagemaker: Any) -> None:
        """What was created is known, with its tags, and an end is final."""
        for name in list(self.asked):
            if name in self.ended:
                continue
            found = self._find(sagemaker, name)
            assert found is not None or name not in self.acknowledged, f"{name} is lost"
            if found is None:
                self.ended[name] = "never was"
            elif found["ProcessingJobStatus"] not in {"InProgress", "Stopping"}:
                assert found["ProcessingJobStatus"] == "Completed", found
                tags = sagemaker.list_tags(ResourceArn=found["ProcessingJobArn"])["Tags"]
                assert tags == [{"Key": "name", "Value": name}]
                self.ended[name] = "Completed"

    def finish(self, service: Service) -> None:
        """All jobs come to their end, each has run once, and its result is there."""

        def is_over() -> bool:
            self.check(service.sagemaker)
            return len(self.ended) == len(self.asked)

        until(is_over, "the end of all jobs", 120)
        for name, end in self.ended.items():
            mark = self._marks / name
            runs = mark.read_text().count("run") if mark.exists() else 0
            found = self._find(service.sagemaker, name)
            assert (name, runs, found is not None) == (name, int(end == "Completed"), end == "Completed")
        done = {f"{name}/result" for name, end in self.ended.items() if end == "Completed"}
        pages = service.s3.get_paginator("list_objects_v2").paginate(Bucket=f"{BUCKET}-results")
        assert {item["Key"] for page in pages for item in page.get("Contents", [])} == done

    @staticmethod
    def _find(sagemaker: Any, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = sagemaker.describe_processing_job(ProcessingJobName=name)
        except ClientError as error:
            assert "Could not find" in str(error), error  # noqa: PT017 (the code is that of every other mistake)
            return None
        return found
