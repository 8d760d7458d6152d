"""What the notebooks share: a month of flights, a bucket of their own, and one way to run a job.

Requests and the waiting come from `include.core.sagemaker`, as in the project's DAGs. Nothing here touches
what the DAGs have made: the bucket is another one.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pandas as pd
from botocore.exceptions import ClientError

from include.core.layout import Interval, join_uri, split_uri
from include.core.places import Places
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.inputs import put_input_lists
from include.core.sagemaker.kinds import KINDS
from include.core.sagemaker.requests import JobSpec, Source, StepInput
from include.core.sagemaker.runner import AttachedJob, JobRunner, put_code
from include.core.settings import settings
from include.cycles.flights.cycle import CYCLE

# AWS_ENDPOINT_URL and the region are in the environment: this code is the same on AWS
s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")
runtime = boto3.client("sagemaker-runtime")
service = SageMaker(boto3.client)  # type: ignore[arg-type]  # it is called with names of services

SETTINGS = replace(settings(), bucket=f"{settings().bucket}-lab")
PLACES = Places(SETTINGS.bucket, CYCLE.name)
JANUARY = Interval(datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 2, 1, tzinfo=UTC))


def make_bucket() -> str:
    """Make the notebooks' bucket, if it is not there."""
    try:
        s3.create_bucket(Bucket=SETTINGS.bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
            raise
    return SETTINGS.bucket


def output_of(step: str) -> str:
    """Return where a step's output is: the DAGs' key comes from code and inputs, this one from the name."""
    return PLACES.output(step, JANUARY, _key(step))


def own_folder(name: str) -> str:
    """Return a folder for what no step has written: its files are known by their ETags, not by a manifest."""
    return join_uri(SETTINGS.bucket, f"own/{name}/")


def job(step: str, output: str | None = None, inputs: Mapping[str, Source] | None = None) -> JobSpec:
    """Return a new job of a step for the month, with its output at the place of its or of another name.

    :param inputs: what the job is given; the digests of their files are written for it to check
    """
    output = output or step
    given = {name: StepInput(source, source.uri) for name, source in (inputs or {}).items()}
    return JobSpec(
        name=f"lab-{output}-{datetime.now(UTC):%Y%m%d%H%M%S%f}",
        step=step,
        cycle=CYCLE,
        interval=JANUARY,
        key=_key(output),
        code_uri=put_code(service, SETTINGS.bucket, CYCLE.name),
        output_uri=output_of(output),
        settings=SETTINGS,
        inputs_uri=put_input_lists(service, PLACES, given),
    )


def finish(kind: str, name: str) -> dict[str, Any]:
    """Wait for a job's end, show its log, and return its description; `kind` is Processing or Training."""
    runner = JobRunner(service, KINDS[f"{kind.lower()} job"], poll_interval_s=0.5, on_line=print)
    return runner.finish(AttachedJob(job=name, key="", uri="", interval=[]))


def read(uri: str) -> bytes:
    """Return the bytes of an object."""
    bucket, key = split_uri(uri)
    try:
        body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey as error:
        raise FileNotFoundError(f"{uri} is not there: run the notebooks before this one first.") from error
    return body


def read_json(uri: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON document."""
    return json.loads(read(uri))


def read_table(uri: str) -> pd.DataFrame:
    """Return a Parquet file, or all below a prefix that ends with a slash."""
    if not uri.endswith("/"):
        return pd.read_parquet(io.BytesIO(read(uri)))
    bucket, prefix = split_uri(uri)
    objects = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    names = [item["Key"] for item in objects if item["Key"].endswith(".parquet")]
    return pd.concat([read_table(join_uri(bucket, name)) for name in names], ignore_index=True)


def write_json(uri: str, content: Any) -> str:  # noqa: ANN401 - any JSON value
    """Write a JSON document."""
    return _write(uri, json.dumps(content).encode())


def write_table(uri: str, table: pd.DataFrame) -> str:
    """Write a Parquet file."""
    return _write(uri, table.to_parquet(index=False))


def newest_model() -> str:
    """Return the archive of the last training job of these notebooks."""
    jobs = sagemaker.list_training_jobs(
        NameContains="lab-train-", StatusEquals="Completed", SortBy="CreationTime", SortOrder="Descending"
    )
    if not jobs["TrainingJobSummaries"]:
        raise FileNotFoundError("Nothing was trained yet: run 3_train first.")
    name = jobs["TrainingJobSummaries"][0]["TrainingJobName"]
    description = sagemaker.describe_training_job(TrainingJobName=name)
    return str(description["ModelArtifacts"]["S3ModelArtifacts"])


def _write(uri: str, content: bytes) -> str:
    bucket, key = split_uri(uri)
    s3.put_object(Bucket=bucket, Key=key, Body=content)
    return uri


def _key(step: str) -> str:
    return hashlib.sha256(f"lab/{step}".encode()).hexdigest()
