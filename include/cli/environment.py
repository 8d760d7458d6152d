"""The environment every process of the stack is started with."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from include.cli.database import database_urls
from include.cli.home import ADMIN, home_of, installation_secrets
from include.cli.urls import airflow_url, sagemaker_url
from include.core.settings import PREFIX, PROJECT, Settings

#: Airflow hides a connection's password wherever it stands in a log, so it is a text that stands nowhere else
ACCESS_KEY, SECRET_KEY = "local", "any-key-will-do"
#: a job on this machine is often done in seconds, and asking costs next to nothing
LOCAL_POLL_INTERVAL_S = "0.5"


def read_env_file(path: Path) -> dict[str, str]:
    """The variables of a `.env` file: `NAME=value` lines; blank lines and `#` comments are skipped."""
    found: dict[str, str] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            found[name.strip()] = value.strip().strip("\"'")
    return found


def aws_connection_variable(settings: Settings) -> str:
    """The variable Airflow reads the jobs' connection from."""
    return f"AIRFLOW_CONN_{settings.aws_conn_id.upper()}"


def uses_local_sagemaker(settings: Settings, environment: Mapping[str, str]) -> bool:
    """Whether jobs run on this machine: so it is unless the user gives the connection."""
    return aws_connection_variable(settings) not in environment


def local_connection(settings: Settings) -> dict[str, Any]:
    """Airflow's connection to the local SageMaker, which takes any key on the loopback."""
    extra = {"region_name": "us-east-1", "endpoint_url": sagemaker_url(settings)}
    return {"conn_type": "aws", "login": ACCESS_KEY, "password": SECRET_KEY, "extra": extra}


def stack_environment(settings: Settings, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The caller's environment, and in it everything that Airflow and Flywheel need.

    What is set here wins over the caller's: an AIRFLOW_HOME or a database of another Airflow on the
    machine must not be used.
    """
    return {
        **environment,
        **_python(),
        **_flywheel(settings),
        **_airflow(settings),
        **_connection(settings, environment),
        **_polling(settings, environment),
    }


def _python() -> dict[str, str]:
    path = os.pathsep.join([str(PROJECT), str(PROJECT / "config")])
    return {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": ""}


def _flywheel(settings: Settings) -> dict[str, str]:
    return {PREFIX + field.name.upper(): str(getattr(settings, field.name)) for field in fields(settings)}


def _connection(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    if not uses_local_sagemaker(settings, environment):
        return {}
    return {aws_connection_variable(settings): json.dumps(local_connection(settings))}


def _polling(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    """How often tasks ask for their jobs, where nobody has said so."""
    name = f"{PREFIX}POLL_INTERVAL_S"
    is_said = name in environment or settings.poll_interval_s != Settings.poll_interval_s
    is_local = uses_local_sagemaker(settings, environment)
    return {name: LOCAL_POLL_INTERVAL_S} if is_local and not is_said else {}


def _airflow(settings: Settings) -> dict[str, str]:
    home = home_of(settings)
    keys = installation_secrets(home)
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
        # a task whose process was killed is tried again after these, not after five minutes
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
    }
