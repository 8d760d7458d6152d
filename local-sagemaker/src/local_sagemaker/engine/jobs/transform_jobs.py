"""Batch transform jobs as the pool sees them; transform.py is the program that does the work."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_sagemaker.domain.lifecycle import JobOutcome, State
from local_sagemaker.engine.jobs import channels, outputs, transform
from local_sagemaker.engine.jobs.channels import Source
from local_sagemaker.engine.jobs.jobs import JobError, JobKind, JobRecord, read_message
from local_sagemaker.engine.processes.isolation import Isolation
from local_sagemaker.engine.processes.process import ProcessSpec
from local_sagemaker.errors import AwsError
from local_sagemaker.storage.documents import Document, moment
from local_sagemaker.storage.objects.objects import ObjectStore

#: members of the request that the program works by
REQUEST = (
    *("TransformInput", "TransformOutput", "DataProcessing", "ModelClientConfig", "MaxConcurrentTransforms"),
    *("MaxPayloadInMB", "BatchStrategy"),
)


class TransformJobs(JobKind):
    """What is particular to batch transform jobs."""

    kind = "transform-job"
    log_group = "/aws/sagemaker/TransformJobs"
    noun = "TransformJob"

    def prepare(self, job: JobRecord) -> None:
        """Bring the inputs and the model, and write down all that the program needs."""
        try:
            definition = channels.container_definition(job.service, job.document["ModelName"])
            image = job.image(definition["Image"])
            job.clear()
            channels.install_model_data(definition, job.service.objects, job.ml / "model")
        except (AwsError, channels.ModelDataError) as error:
            raise JobError(f"ClientError: {error}") from error
        # The inputs are not shown to the container, so links to the stored objects are safe from it.
        is_linked = job.isolation() is not Isolation.NONE
        source, objects = _source(job.document), job.service.objects
        channels.materialize(source, objects, _folder(job) / "input", is_linked=is_linked)
        variables = {
            **job.service.container_variables(),
            **definition.get("Environment", {}),
            **job.document.get("Environment", {}),
        }
        note = {
            "request": {name: job.document[name] for name in REQUEST if name in job.document},
            "argv": image.command("serve"),
            "environment": image.variables(variables, job.workspace),
            "instances": job.document["TransformResources"]["InstanceCount"],
        }
        (_folder(job) / "job.json").write_text(json.dumps(note), encoding="utf-8")

    def spec(self, job: JobRecord) -> ProcessSpec:
        """Return the program, in this service's own interpreter."""
        environment = {"PATH": os.environ.get("PATH", os.defpath)}
        argv = (sys.executable, "-P", "-m", transform.__name__, str(_folder(job)))
        return ProcessSpec(argv, environment, job.workspace, job.log)

    def read_message(self, job: JobRecord) -> str:
        """Return the reason that the program wrote."""
        return read_message(_folder(job) / "message")

    def upload(self, job: JobRecord, state: State) -> Document:
        """Upload the outputs of all transformed files, also of a job in which other files failed."""
        if state.outcome is not JobOutcome.STOPPED:
            target, objects = job.document["TransformOutput"]["S3OutputPath"], job.service.objects
            uris = outputs.put_folder(_folder(job) / "output", target, objects, "TransformOutput")
            if state.started is not None and job.document.get("DataCaptureConfig"):
                _write_capture(job, uris, state.started)
        return {}


def _folder(job: JobRecord) -> Path:
    """Where the program works; beside what the container sees."""
    return job.workspace / "transform"


def _source(request: Mapping[str, Any]) -> Source:
    s3 = request["TransformInput"]["DataSource"]["S3DataSource"]
    return Source("TransformInput", s3["S3Uri"], s3["S3DataType"])


def _write_capture(job: JobRecord, uris: list[str], started: float) -> None:
    """Put the two lists of a job below its DestinationS3Uri, under `input/` and `output/` and the hour.

    They are manifests that name objects and hold no data, as SageMaker's are. The job's name is theirs, so
    that doing it twice gives the same objects.

    :param uris: of the outputs, each its input's name with `.out`
    :param started: when the job began, in seconds since 1970
    """
    owner, objects = "DataCaptureConfig", job.service.objects
    bucket, prefix = channels.split_uri(job.document[owner]["DestinationS3Uri"], owner)
    for kind, listed in (("input", _inputs(job.document, uris, objects)), ("output", uris)):
        name = f"{kind}/{moment(started):%Y/%m/%d/%H}/{job.name}.jsonl"
        key = "/".join(filter(None, (prefix.rstrip("/"), name)))
        try:
            objects.put_bytes(bucket, key, json.dumps(_manifest(listed)).encode())
        except AwsError as error:
            raise JobError(
                f"ClientError: Cannot capture to s3://{bucket}/{key}: {error.message} "
                "Create the bucket, or correct DataCaptureConfig."
            ) from error


def _inputs(request: Mapping[str, Any], uris: list[str], objects: ObjectStore) -> list[str]:
    """Return the objects that were transformed: those whose output is there."""
    base = request["TransformOutput"]["S3OutputPath"].rstrip("/")
    done = {uri.removeprefix(f"{base}/").removesuffix(".out") for uri in uris}
    items = channels.find_objects(_source(request), objects)
    return [f"s3://{item.info.bucket}/{item.info.key}" for item in items if str(item.relative) in done]


def _manifest(uris: list[str]) -> list[Any]:
    """Return the manifest as SageMaker writes it: the common prefix up to a slash, then the rest of each."""
    first, last = min(uris, default=""), max(uris, default="")
    same = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    prefix = first[: first.rfind("/", 0, same) + 1]
    return [{"prefix": prefix}, *(uri.removeprefix(prefix) for uri in uris)]
