"""Data capture of batch transform jobs: lists of what was transformed, and of what came out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local_sagemaker.engine.jobs.failures import JobError
from local_sagemaker.engine.processes import channels
from local_sagemaker.engine.processes.channels import Source
from local_sagemaker.errors import AwsError

if TYPE_CHECKING:
    from local_sagemaker.storage.objects.objects import ObjectStore


def write(
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
    """The objects that were transformed: those whose output is there."""
    given = request["TransformInput"]["DataSource"]["S3DataSource"]
    base = request["TransformOutput"]["S3OutputPath"].rstrip("/")
    done = {uri.removeprefix(f"{base}/").removesuffix(".out") for uri in outputs}
    found = channels.find(Source("TransformInput", given["S3Uri"], given["S3DataType"]), objects)
    return [f"s3://{item.info.bucket}/{item.info.key}" for item in found if str(item.relative) in done]


def _manifest(uris: list[str]) -> list[Any]:
    """The list as SageMaker writes it: what all names begin with, up to a slash, then the rest of each."""
    first, last = min(uris, default=""), max(uris, default="")
    same = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    prefix = first[: first.rfind("/", 0, same) + 1]
    return [{"prefix": prefix}, *(uri.removeprefix(prefix) for uri in uris)]
