"""A prediction from the live endpoint, as something to copy and paste; it is tried before it is shown."""

from __future__ import annotations

import json
import shlex
from typing import Any

from include.cli.aws import client
from include.cli.environment import ACCESS_KEY, SECRET_KEY
from include.cli.urls import sagemaker_url
from include.core.layout import GOLDEN_ROWS, split_uri
from include.core.settings import Settings

PYTHON = """\
import boto3
runtime = boto3.client("sagemaker-runtime", endpoint_url="{url}", region_name="us-east-1",
                       aws_access_key_id="{access_key}", aws_secret_access_key="{secret_key}")
answer = runtime.invoke_endpoint(EndpointName="{endpoint}", ContentType="application/json",
                                 Body=r'''{body}''')
print(answer["Body"].read().decode())"""


def first_golden_row(s3: Any, evaluation_uri: str) -> str:  # noqa: ANN401 - a boto3 client
    """One real row that the evaluation kept with its prediction, as the body of a request."""
    bucket, prefix = split_uri(evaluation_uri)
    lines = s3.get_object(Bucket=bucket, Key=f"{prefix.rstrip('/')}/{GOLDEN_ROWS}")["Body"].iter_lines()
    return json.dumps(json.loads(next(lines))["row"])


def ask(settings: Settings, endpoint: str, body: str) -> str:
    """The endpoint's answer to a JSON body."""
    answer = client(settings, "sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, ContentType="application/json", Body=body
    )
    text: str = answer["Body"].read().decode()
    return text


def python_example(settings: Settings, endpoint: str, body: str) -> str:
    """The same in Python, whole."""
    return PYTHON.format(
        url=sagemaker_url(settings),
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        endpoint=endpoint,
        body=body,
    )


def curl_example(settings: Settings, endpoint: str, body: str) -> str:
    """The same in a shell."""
    url = f"{sagemaker_url(settings)}/endpoints/{endpoint}/invocations"
    return f"curl -s {url} -H 'Content-Type: application/json' -d {shlex.quote(body)}"
