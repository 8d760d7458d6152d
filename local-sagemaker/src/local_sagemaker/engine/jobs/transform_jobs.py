"""Batch transform jobs as the supervisor sees them; transform.py is the program that does the work."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_sagemaker.domain.lifecycle import JobOutcome, Phase, State
from local_sagemaker.engine.jobs import channels, failures, model_data, transform, upload
from local_sagemaker.engine.jobs.channels import Source
from local_sagemaker.engine.jobs.failures import JobError
from local_sagemaker.engine.jobs.jobs import Document, JobRecord, reason, status
from local_sagemaker.engine.processes.isolation import Isolation
from local_sagemaker.engine.processes.process import ProcessSpec
from local_sagemaker.errors import AwsError

#: members of the request that the program works by
REQUEST = (
    "TransformInput",
    "TransformOutput",
    "DataProcessing",
    "ModelClientConfig",
    "MaxConcurrentTransforms",
    "MaxPayloadInMB",
    "BatchStrategy",
)


class TransformJobs:
    """What is particular to batch transform jobs."""

    kind = "transform-job"
    log_group = "/aws/sagemaker/TransformJobs"
    noun = "TransformJob"

    def prepare(self, job: JobRecord) -> None:
        """Bring the inputs and the model, and write down all that the program needs."""
        try:
            definition = model_data.container_definition(job.context, job.document["ModelName"])
            image = job.image(definition["Image"])
            isolation = job.clear()
            model_data.install_model_data(definition, job.context.objects, job.ml / "model")
        except (AwsError, model_data.ModelDataError) as error:
            raise JobError(f"ClientError: {error}") from error
        source = job.document["TransformInput"]["DataSource"]["S3DataSource"]
        found = Source("TransformInput", source["S3Uri"], source["S3DataType"])
        # The inputs are not shown to the container, so links to the stored objects are safe from it.
        is_linked = isolation is not Isolation.NONE
        channels.materialize(found, job.context.objects, _folder(job) / "input", is_linked=is_linked)
        given = {
            **job.context.container_variables(),
            **definition.get("Environment", {}),
            **job.document.get("Environment", {}),
        }
        note = {
            "request": {name: job.document[name] for name in REQUEST if name in job.document},
            "argv": image.command("serve"),
            "environment": image.variables(given, job.workspace),
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
        return failures.read_message(_folder(job) / "message")

    def upload(self, job: JobRecord, state: State) -> Document:
        """Upload the outputs of all transformed files, also of a job in which other files failed."""
        if state.outcome is not JobOutcome.STOPPED:
            output = job.document["TransformOutput"]["S3OutputPath"]
            objects = job.context.objects
            put = upload.folder(_folder(job) / "output", output, objects, "TransformOutput")
            if state.started is not None:
                write_capture(job.name, job.document, put, state.started, objects)
        return {}

    def describe(self, document: Document, state: State, at: float) -> Document:
        """Status, times and reason."""
        described = {**document, "TransformJobStatus": status(state), "FailureReason": reason(state)}
        if state.started is not None:
            described["TransformStartTime"] = datetime.fromtimestamp(state.started, UTC)
        if state.phase is Phase.ENDED:
            described["TransformEndTime"] = datetime.fromtimestamp(at, UTC)
        return described


def _folder(job: JobRecord) -> Path:
    """Where the program works; beside what the container sees."""
    return job.workspace / "transform"


if TYPE_CHECKING:
    from local_sagemaker.storage.objects.objects import ObjectStore


def write_capture(
    name: str, request: Mapping[str, Any], outputs: Iterable[str], started: float, objects: ObjectStore
) -> None:
    """Put the two lists of a job below its DestinationS3Uri, under `input/` and `output/` and the hour.

    They are manifests that name objects and hold no data, as SageMaker's are. The job's name is theirs, so
    that doing it twice gives the same objects.

    :param outputs: URIs of the outputs, each its input's name with `.out`
    :param started: when the job began, in seconds since 1970
    """
    config = request.get("DataCaptureConfig")
    if not config:
        return
    made = list(outputs)
    hour = f"{datetime.fromtimestamp(started, UTC):%Y/%m/%d/%H}"
    bucket, prefix = channels.split(config["DestinationS3Uri"], "DataCaptureConfig")
    for kind, uris in (("input", _inputs(request, made, objects)), ("output", made)):
        key = "/".join(part for part in (prefix.rstrip("/"), kind, hour, f"{name}.jsonl") if part)
        try:
            objects.put_bytes(bucket, key, json.dumps(_manifest(uris)).encode())
        except AwsError as error:
            raise JobError(
                f"ClientError: Cannot capture to s3://{bucket}/{key}: {error.message} "
                "Create the bucket, or correct DataCaptureConfig."
            ) from error


def _inputs(request: Mapping[str, Any], outputs: list[str], objects: ObjectStore) -> list[str]:
    """Return the objects that were transformed: those whose output is there."""
    given = request["TransformInput"]["DataSource"]["S3DataSource"]
    base = request["TransformOutput"]["S3OutputPath"].rstrip("/")
    done = {uri.removeprefix(f"{base}/").removesuffix(".out") for uri in outputs}
    found = channels.find(Source("TransformInput", given["S3Uri"], given["S3DataType"]), objects)
    return [f"s3://{item.info.bucket}/{item.info.key}" for item in found if str(item.relative) in done]


def _manifest(uris: list[str]) -> list[Any]:
    """Return the manifest as SageMaker writes it: the common prefix up to a slash, then the rest of each."""
    first, last = min(uris, default=""), max(uris, default="")
    same = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    prefix = first[: first.rfind("/", 0, same) + 1]
    return [{"prefix": prefix}, *(uri.removeprefix(prefix) for uri in uris)]
