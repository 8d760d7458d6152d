"""Where the services are: the environment they are started with, their addresses, and clients of AWS."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from include.cli.database import database_urls
from include.cli.home import ADMIN, Home
from include.cli.terminal import StackError
from include.core.documents.codec import D
from include.core.exceptions import InvalidDocument
from include.core.layout import split_uri
from include.core.sagemaker.client import SageMaker
from include.core.settings import PREFIX, PROJECT, Settings

#: Airflow hides a connection's password wherever it stands in a log, so it is a text that stands nowhere else
ACCESS_KEY, SECRET_KEY = "local", "any-key-will-do"
#: a job on this machine is often done in seconds, and asking costs next to nothing
LOCAL_POLL_INTERVAL_S = "0.5"
#: a service that restarts answers again within this, in seconds
CONFIG = Config(retries={"max_attempts": 5, "mode": "standard"}, connect_timeout=5, read_timeout=60)


def read_env_file(path: Path) -> dict[str, str]:
    """Return the variables of a `.env` file: `NAME=value` lines; blank lines and `#` comments are skipped."""
    variables: dict[str, str] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            variables[name.strip()] = value.strip().strip("\"'")
    return variables


def airflow_url(settings: Settings) -> str:
    """Return the address of Airflow's UI and API."""
    return f"http://127.0.0.1:{settings.airflow_port}"


def sagemaker_url(settings: Settings) -> str:
    """Return the address of the local SageMaker."""
    return f"http://127.0.0.1:{settings.sagemaker_port}"


def login(settings: Settings) -> str:
    """Return how one gets into Airflow's UI."""
    return f"UI: {airflow_url(settings)}  user: {ADMIN}  password: {Home(settings).secrets().password}"


def uses_local_sagemaker(settings: Settings, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether jobs run on this machine, as they do unless the user gives the connection."""
    return _connection_variable(settings) not in environment


def stack_environment(settings: Settings, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the caller's environment, and in it everything that Airflow and Flywheel need.

    What is set here wins over the caller's: an AIRFLOW_HOME or a database of another Airflow on the
    machine must not be used.
    """
    given = {
        **environment,
        "PYTHONPATH": os.pathsep.join([str(PROJECT), str(PROJECT / "config")]),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "",
        **{PREFIX + field.name.upper(): str(getattr(settings, field.name)) for field in fields(settings)},
        **_airflow(settings),
    }
    if uses_local_sagemaker(settings, environment):
        given[_connection_variable(settings)] = json.dumps(_local_connection(settings))
        poll_interval = f"{PREFIX}POLL_INTERVAL_S"
        if poll_interval not in environment and settings.poll_interval_s == Settings.poll_interval_s:
            given[poll_interval] = LOCAL_POLL_INTERVAL_S
    return given


#: a task, and the program that watches over it, wait for an API server that is away. The first three make it
#: at least 200 seconds, whatever Airflow draws between them; missed heartbeats and a token must bear that
PATIENCE = {
    "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "100",
    "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MIN": "2",
    "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX": "5",
    "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "240",
    "AIRFLOW__EXECUTION_API__JWT_EXPIRATION_TIME": "3600",
}


def _airflow(settings: Settings) -> dict[str, str]:
    home = Home(settings)
    keys = home.secrets()
    url = airflow_url(settings)
    sync_url, async_url = database_urls(settings)
    return {
        "AIRFLOW_HOME": str(home.airflow),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__FERNET_KEY": keys.fernet,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home.passwords),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": sync_url,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": async_url,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home.airflow / "logs"),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(settings.airflow_port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__SECRET_KEY": keys.api,
        "AIRFLOW__API_AUTH__JWT_SECRET": keys.jwt,
        # the time between two tasks of a chain is the scheduler's idle sleep and the worker's last heartbeat
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        **PATIENCE,
        # what a scheduler that was killed had queued is taken back after this, not after five minutes
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
    }


# The connection that decides where jobs run, and clients by it


def client(settings: Settings, service: Any, **config: Any) -> Any:  # noqa: ANN401 - boto3 types a client by its service's name
    """Return a boto3 client by the same connection that decides where jobs run."""
    connection = _connection(settings)
    extra = connection.get("extra") or {}
    return boto3.client(
        service,
        region_name=extra.get("region_name"),
        endpoint_url=extra.get("endpoint_url"),
        aws_access_key_id=connection.get("login"),
        aws_secret_access_key=connection.get("password"),
        aws_session_token=extra.get("aws_session_token"),
        config=CONFIG.merge(Config(**config)),
    )


def sagemaker_of(settings: Settings) -> SageMaker:
    """Return SageMaker and S3 by the same connection."""
    return SageMaker(partial(client, settings))


def make_bucket(settings: Settings) -> None:
    """Create the bucket of the local service; on AWS a bucket is made by whoever owns the account."""
    if uses_local_sagemaker(settings):
        try:
            client(settings, "s3").create_bucket(Bucket=settings.bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                raise


def read_object(s3: Any, uri: str) -> bytes:  # noqa: ANN401 - a boto3 client
    """Return the bytes of an object in S3, by its `s3://` URI."""
    bucket, key = split_uri(uri)
    content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def read_document(s3: Any, uri: str, kind: type[D]) -> D:  # noqa: ANN401 - a boto3 client
    """Return a document in S3, by its `s3://` URI."""
    try:
        return kind.from_text(read_object(s3, uri))
    except InvalidDocument as error:
        raise StackError(f"{uri} cannot be read: {error} Clear the task that wrote it.") from error


def _connection_variable(settings: Settings) -> str:
    """Return the variable Airflow reads the jobs' connection from."""
    return f"AIRFLOW_CONN_{settings.aws_conn_id.upper()}"


def _local_connection(settings: Settings) -> dict[str, Any]:
    """Return Airflow's connection to the local SageMaker, which takes any key on the loopback."""
    extra = {"region_name": "us-east-1", "endpoint_url": sagemaker_url(settings)}
    return {"conn_type": "aws", "login": ACCESS_KEY, "password": SECRET_KEY, "extra": extra}


def _connection(settings: Settings) -> dict[str, Any]:
    """Return the connection as Airflow would read it: JSON, or a URI."""
    if uses_local_sagemaker(settings):
        return _local_connection(settings)
    text = os.environ[_connection_variable(settings)]
    if text.lstrip().startswith("{"):
        connection: dict[str, Any] = json.loads(text)
        extra = connection.get("extra")
        return {**connection, "extra": json.loads(extra) if isinstance(extra, str) and extra else extra}
    uri = urlsplit(text)
    username, password = (unquote(part) if part else None for part in (uri.username, uri.password))
    return {"login": username, "password": password, "extra": dict(parse_qsl(uri.query))}
