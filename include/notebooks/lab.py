"""What the notebooks share: a month of flights, a bucket of their own, and one way to run a job.

The requests come from `include.core.sagemaker.requests`, as the project's DAGs send them. Nothing here touches what the DAGs have
made: the bucket is another one.
"""

import hashlib
import io
import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import boto3
import pandas as pd
from botocore.exceptions import ClientError
from include.core.code import archive, archive_files, digest_of
from include.core.layout import Interval, Places, join_uri, split_uri
from include.core.sagemaker.requests import Job

from include.cycles.flights.cycle import CYCLE
from include.core.settings import settings

# AWS_ENDPOINT_URL and the region are in the environment: this code is the same on AWS
s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")
logs, runtime = boto3.client("logs"), boto3.client("sagemaker-runtime")

SETTINGS = replace(settings(), bucket=f"{settings().bucket}-lab")
PLACES = Places(SETTINGS.bucket, CYCLE.name)
JANUARY = Interval(datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 2, 1, tzinfo=UTC))


def make_bucket():
    """Make the notebooks' bucket, if it is not there."""
    try:
        s3.create_bucket(Bucket=SETTINGS.bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
            raise
    return SETTINGS.bucket


def place(step):
    """Where a step's output is. The DAGs compute the key from code and inputs; here it is the step's name."""
    return PLACES.output(step, JANUARY, _key(step))


def job(step):
    """A new job of a step, told which month, where its code is and where its output goes."""
    return Job(
        name=f"lab-{step}-{datetime.now(UTC):%Y%m%d%H%M%S%f}",
        step=step,
        cycle=CYCLE,
        interval=JANUARY,
        key=_key(step),
        code_uri=_put_code(),
        output_uri=place(step),
        settings=SETTINGS,
    )


def finish(kind, name):
    """Wait for a job's end and show its log; `kind` is Processing or Training."""
    describe = getattr(sagemaker, f"describe_{kind.lower()}_job")
    while (found := describe(**{f"{kind}JobName": name}))[f"{kind}JobStatus"] in {"InProgress", "Stopping"}:
        time.sleep(0.5)
    print(*log_lines(f"/aws/sagemaker/{kind}Jobs", name), sep="\n")
    if found[f"{kind}JobStatus"] != "Completed":
        raise RuntimeError(f"{name}: {found.get('ExitMessage') or found.get('FailureReason')}")
    return found


def log_lines(group, name):
    """What a job has logged."""
    events = logs.get_paginator("filter_log_events").paginate(logGroupName=group, logStreamNamePrefix=f"{name}/")
    return [event["message"] for page in events for event in page["events"]]


def read(uri):
    """The bytes of an object."""
    bucket, key = split_uri(uri)
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey as error:
        raise FileNotFoundError(f"{uri} is not there: run the notebooks before this one first.") from error


def read_json(uri):
    """A JSON document."""
    return json.loads(read(uri))


def read_table(uri):
    """A Parquet file, or all below a prefix that ends with a slash."""
    if not uri.endswith("/"):
        return pd.read_parquet(io.BytesIO(read(uri)))
    bucket, prefix = split_uri(uri)
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    names = [item["Key"] for item in found if item["Key"].endswith(".parquet")]
    return pd.concat([read_table(join_uri(bucket, name)) for name in names], ignore_index=True)


def write_json(uri, content):
    """Write a JSON document."""
    return _write(uri, json.dumps(content).encode())


def write_table(uri, table):
    """Write a Parquet file."""
    return _write(uri, table.to_parquet(index=False))


def newest_model():
    """The archive of the last training job of these notebooks."""
    found = sagemaker.list_training_jobs(NameContains="lab-train-", StatusEquals="Completed", SortBy="CreationTime")
    if not found["TrainingJobSummaries"]:
        raise FileNotFoundError("Nothing was trained yet: run 3_train first.")
    name = found["TrainingJobSummaries"][0]["TrainingJobName"]
    return sagemaker.describe_training_job(TrainingJobName=name)["ModelArtifacts"]["S3ModelArtifacts"]


def _write(uri, content):
    bucket, key = split_uri(uri)
    s3.put_object(Bucket=bucket, Key=key, Body=content)
    return uri


def _key(step):
    return hashlib.sha256(f"lab/{step}".encode()).hexdigest()


def _put_code():
    files = archive_files(CYCLE.name)
    return _write(PLACES.code(digest_of(files)), archive(files))
