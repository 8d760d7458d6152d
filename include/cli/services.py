"""Which services there are, what starts each, and how one sees that it is ready."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

import httpx

from include.cli.environment import uses_local_sagemaker
from include.cli.errors import StackError
from include.cli.home import home_of
from include.cli.processes import Daemon
from include.cli.urls import airflow_url, sagemaker_url
from include.core.settings import PROJECT, Settings

#: one question to a service that answers within milliseconds when it is well, in seconds
QUESTION_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Service:
    """A background process of the stack."""

    #: name of its pid file and its log
    name: str
    #: arguments after the interpreter
    arguments: tuple[str, ...]
    #: port it listens on, and the setting that changes it
    port: tuple[int, str] | None
    #: whether it does its work
    is_ready: Callable[[], bool]
    #: how long it may take to stop by itself, in seconds
    stop_timeout_s: float

    def command(self) -> list[str]:
        """What is started."""
        return [sys.executable, *self.arguments]

    def daemon(self, settings: Settings) -> Daemon:
        """Its process."""
        home = home_of(settings)
        return Daemon(self.name, home.run, home.logs)

    def refuse_taken_port(self) -> None:
        """Raise if another program has the port."""
        if self.port is None:
            return
        number, setting = self.port
        with socket.socket() as probe:
            # connections of a service that has just stopped do not hold the port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError as error:
                raise StackError(
                    f"{self.name} cannot start: port {number} is in use by another program. "
                    f"Stop that program, or choose another port: {setting}={number + 1} in the environment "
                    "or in .env."
                ) from error


def services(settings: Settings) -> list[Service]:
    """The stack's services in the order they are started in; they are stopped in reverse."""
    airflow = [
        _airflow_service(settings, "dag-processor", "dag_processor"),
        _airflow_service(settings, "scheduler", "scheduler", "--skip-serve-logs", stop_timeout_s=20),
        _airflow_service(settings, "triggerer", "triggerer", "--skip-serve-logs"),
    ]
    first = [_local_sagemaker(settings)] if uses_local_sagemaker(settings, os.environ) else []
    return [*first, _api_server(settings), *airflow]


def is_answering(url: str) -> bool:
    """Whether an address answers with success."""
    try:
        return httpx.get(url, timeout=QUESTION_TIMEOUT_S).is_success
    except httpx.HTTPError:
        return False


def airflow_health(settings: Settings) -> dict[str, str]:
    """What Airflow says of its own components: "healthy", "unhealthy", or nothing."""
    try:
        answer = httpx.get(f"{airflow_url(settings)}/api/v2/monitor/health", timeout=QUESTION_TIMEOUT_S)
        answer.raise_for_status()
        return {part: said["status"] or "" for part, said in answer.json().items()}
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return {}


def _local_sagemaker(settings: Settings) -> Service:
    root = home_of(settings).sagemaker
    options = {
        "--root": str(root),
        "--port": str(settings.sagemaker_port),
        "--image": str(PROJECT / "include/image/image.toml"),
        "--notebooks": str(PROJECT / "include/notebooks"),
    }
    return Service(
        name="local-sagemaker",
        arguments=("-m", "local_sagemaker", *chain.from_iterable(options.items())),
        port=(settings.sagemaker_port, "FLYWHEEL_SAGEMAKER_PORT"),
        is_ready=lambda: is_answering(f"{sagemaker_url(settings)}/health"),
        stop_timeout_s=15,
    )


def _api_server(settings: Settings) -> Service:
    return Service(
        name="api-server",
        arguments=("-m", "airflow", "api-server"),
        port=(settings.airflow_port, "FLYWHEEL_AIRFLOW_PORT"),
        # Airflow makes the application that tasks talk to at the first request to it, which takes seconds:
        # the first task would pay for that
        is_ready=lambda: (
            "metadatabase" in airflow_health(settings)
            and is_answering(f"{airflow_url(settings)}/execution/health")
        ),
        stop_timeout_s=10,
    )


def _airflow_service(
    settings: Settings, command: str, part: str, *options: str, stop_timeout_s: float = 10
) -> Service:
    return Service(
        name=command,
        arguments=("-m", "airflow", command, *options),
        port=None,
        is_ready=lambda: airflow_health(settings).get(part) == "healthy",
        stop_timeout_s=stop_timeout_s,
    )
