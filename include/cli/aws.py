"""The AWS clients the stack asks with: of the local SageMaker, or of the account the connection names."""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from include.cli.environment import aws_connection_variable, local_connection, uses_local_sagemaker
from include.core.layout import split_uri
from include.core.settings import Settings

#: a service that restarts answers again within this, in seconds
CONFIG = Config(retries={"max_attempts": 5, "mode": "standard"}, connect_timeout=5, read_timeout=60)


def client(settings: Settings, service: Any) -> Any:  # noqa: ANN401 - boto3 types a client by its service's name
    """A boto3 client by the same connection that decides where jobs run."""
    connection = _connection(settings)
    extra = connection.get("extra") or {}
    return boto3.client(
        service,
        region_name=extra.get("region_name"),
        endpoint_url=extra.get("endpoint_url"),
        aws_access_key_id=connection.get("login"),
        aws_secret_access_key=connection.get("password"),
        aws_session_token=extra.get("aws_session_token"),
        config=CONFIG,
    )


def make_bucket(settings: Settings) -> None:
    """Create the bucket of the local service; on AWS a bucket is made by whoever owns the account."""
    if uses_local_sagemaker(settings, os.environ):
        try:
            client(settings, "s3").create_bucket(Bucket=settings.bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                raise


def read_json(s3: Any, uri: str) -> dict[str, Any]:  # noqa: ANN401 - a boto3 client
    """A JSON object in S3, by its `s3://` URI."""
    bucket, key = split_uri(uri)
    found: dict[str, Any] = json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])
    return found


def _connection(settings: Settings) -> dict[str, Any]:
    """The connection as Airflow would read it: JSON, or a URI."""
    if uses_local_sagemaker(settings, os.environ):
        return local_connection(settings)
    text = os.environ[aws_connection_variable(settings)]
    if text.lstrip().startswith("{"):
        found: dict[str, Any] = json.loads(text)
        extra = found.get("extra")
        return {**found, "extra": json.loads(extra) if isinstance(extra, str) and extra else extra}
    uri = urlsplit(text)
    login, password = (unquote(part) if part else None for part in (uri.username, uri.password))
    return {"login": login, "password": password, "extra": dict(parse_qsl(uri.query))}
