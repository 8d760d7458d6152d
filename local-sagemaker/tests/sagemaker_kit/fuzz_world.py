"""A service with one of everything in it, and the words that lead to it.

Whatever a request said or an answer told while the world was made is a word, kept under its member's name:
made-up requests that use them reach far into the handlers. Containers end at once, so that a job which a
made-up request starts costs little; only the two endpoints of the world itself keep a process.
"""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from sagemaker_kit import asynchronous
from sagemaker_kit import fuzz_contents as contents
from sagemaker_kit import notebooks as instances
from sagemaker_kit.service import Service
from sagemaker_kit.serving import deploy, image, make_model, until, variant

IMAGE = """
uri = ["script:*"]
stop_grace_s = 0.1
[entry_points]
train = ["sh", "-c", "echo loss=1", "train"]
process = ["sh", "-c", "true", "process"]
serve = ["sh", "-c", "exit 1", "serve"]
"""
#: a traceback of the log, and its last lines: where it happened, and what
TRACE = re.compile(r"^Traceback .*\n(?:(?:[ ].*)?\n)*?((?:  File .*\n(?:    .*\n)*){1,2}\S.*)$", re.MULTILINE)
#: statuses of what goes on
UNDER_WAY = {"InProgress", "Stopping", "Executing", "Pending", "Updating"}


class World:
    """A service, the words of what is in it, and whether it is still sound."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._words: defaultdict[str, set[str]] = defaultdict(set)
        #: parameters that were good for an operation
        self.known: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        self._fill()
        #: frozen: what is drawn from must not change while hypothesis draws
        self.words = {name: sorted(found) for name, found in self._words.items()}

    def call(self, service: str, operation: str, **parameters: Any) -> Any:
        """Ask for an operation, and keep the words of both sides."""
        self._keep("", parameters)
        answer = getattr(self.service.client(service), xform_name(operation))(**parameters)
        answer.pop("ResponseMetadata")
        self.known[service, operation].append(parameters)
        self._keep("", answer)
        return answer

    def check(self) -> None:
        """Fail unless the service answers, lists what it has, and wrote of no mistake of its own."""
        for operation in contents.LISTS:
            getattr(self.service.sagemaker, xform_name(operation))()
        self.service.s3.list_objects_v2(Bucket=contents.BUCKET)
        log = self.service.log.read_text(encoding="utf-8", errors="replace")
        found = {trace.group(1): trace.group() for trace in TRACE.finditer(log)}
        assert not found, "\n\n".join(found.values())

    def _keep(self, name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, item in value.items():
                self._keep(key, item)
        elif isinstance(value, list):
            for item in value:
                self._keep(name, item)
        elif isinstance(value, str):
            self._words[name].add(value)

    def _fill(self) -> None:
        for name in (contents.BUCKET, "spare"):
            self.call("s3", "CreateBucket", Bucket=name)
        for operation, parameters in contents.OBJECTS:
            self.call("s3", operation, **parameters)
        part = self.call("s3", "CreateMultipartUpload", Bucket=contents.BUCKET, Key="parts")
        upload = {"Bucket": contents.BUCKET, "Key": "parts", "UploadId": part["UploadId"]}
        self.call("s3", "UploadPart", PartNumber=1, Body=b"part", **upload)
        asynchronous.prepare(self.service)
        make_model(self.service, "echo")
        deploy(self.service, "now", variant("echo"))
        for service, operation, parameters in contents.REQUESTS:
            self.call(service, operation, **parameters)
        execution = self.call("sagemaker", "StartPipelineExecution", PipelineName="flow")
        instances.configure(self.service, contents.FAILING, OnCreate="exit 1", OnStart="exit 1")
        instances.configure(self.service, "spare", OnStart="exit 1")
        instances.begin(self.service, "book", LifecycleConfigName=contents.FAILING)
        self._settle()
        self.call("sagemaker", "ListPipelineExecutions", PipelineName="flow")
        self.call("sagemaker", "ListPipelineExecutionSteps", **execution)
        for operation in contents.LISTS:
            self.call("sagemaker", operation, MaxResults=1)
            self.call("sagemaker", operation)
        for operation in ("DescribeLogGroups", "DescribeAlarms", "ListMetrics"):
            with suppress(ClientError):
                self.call("cloudwatch" if operation != "DescribeLogGroups" else "logs", operation)
        for group in self._words["logGroupName"].copy():
            self.call("logs", "DescribeLogStreams", logGroupName=group, limit=1)

    def _settle(self) -> None:
        """Wait until every job of the world, its execution and its notebook instance have ended."""
        asked = [
            ("ListTrainingJobs", {}),
            ("ListProcessingJobs", {}),
            ("ListTransformJobs", {}),
            ("ListHyperParameterTuningJobs", {}),
            ("ListNotebookInstances", {}),
            ("ListPipelineExecutions", {"PipelineName": "flow"}),
        ]
        for operation, parameters in asked:
            until(partial(self._is_idle, operation, parameters), f"the end of {operation}")

    def _is_idle(self, operation: str, parameters: Mapping[str, str]) -> bool:
        answer = json.dumps(self.call("sagemaker", operation, **parameters), default=str)
        return not any(f'Status": "{status}"' in answer for status in UNDER_WAY)


def images(folder: Path) -> tuple[str, ...]:
    """The options that tell a service of the images."""
    path = folder / "script.toml"
    path.write_text(IMAGE, encoding="utf-8")
    return ("--image", str(path), "--image", str(image(folder / "echo")), "--jobs", "4")
