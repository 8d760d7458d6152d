"""The services of the stack: what starts each, which port it has, and what tells that it is ready."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from include.cli.environment import airflow_url, sagemaker_url, uses_local_sagemaker
from include.cli.health import airflow_health, is_answering
from include.cli.home import Home
from include.cli.processes import Daemon, log_end
from include.cli.terminal import StackError
from include.core.settings import PROJECT, Settings


@dataclass(frozen=True)
class Service(Daemon):
    """A background process of the stack."""

    #: the module that is run, and its arguments
    arguments: tuple[str, ...]
    #: whether it does its work
    is_ready: Callable[[], bool]
    #: port it listens on, and the setting that changes it
    port: tuple[int, str] | None = None
    #: how long it may take to stop by itself, in seconds
    stop_timeout_s: float = 10

    def bring_up(self, environment: dict[str, str]) -> None:
        """Start it unless it lives; raise if another program has its port."""
        if self.process() is None:
            self.sweep()
            self.refuse_taken_port()
            self.start([sys.executable, "-m", *self.arguments], environment=environment, directory=PROJECT)

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

    def evidence(self) -> str:
        """Return the end of its log, for an error."""
        return f"The end of its log, {self.log}:\n{log_end(self.log)}Run again once the cause is gone."


def services(settings: Settings) -> list[Service]:
    """Return the stack's services in the order they are started in; they are stopped in reverse."""
    home = Home(settings)
    service = partial(Service, run=home.run, logs=home.logs)

    def airflow(command: str, part: str, *options: str, stop_timeout_s: float = 10) -> Service:
        return service(
            command,
            arguments=("airflow", command, *options),
            is_ready=lambda: airflow_health(settings).get(part) == "healthy",
            stop_timeout_s=stop_timeout_s,
        )

    image, notebooks = PROJECT / "include/image/image.toml", PROJECT / "include/notebooks"
    paths = ("--root", str(home.sagemaker), "--image", str(image), "--notebooks", str(notebooks))
    local_sagemaker = service(
        "local-sagemaker",
        arguments=("local_sagemaker", "--port", str(settings.sagemaker_port), *paths),
        is_ready=lambda: is_answering(f"{sagemaker_url(settings)}/health"),
        port=(settings.sagemaker_port, "FLYWHEEL_SAGEMAKER_PORT"),
        stop_timeout_s=15,
    )
    api_server = service(
        "api-server",
        arguments=("airflow", "api-server"),
        # Airflow makes the application that tasks talk to at the first request to it, which takes seconds:
        # the first task would pay for that
        is_ready=lambda: (
            "metadatabase" in airflow_health(settings)
            and is_answering(f"{airflow_url(settings)}/execution/health")
        ),
        port=(settings.airflow_port, "FLYWHEEL_AIRFLOW_PORT"),
    )
    return [
        *([local_sagemaker] if uses_local_sagemaker(settings) else []),
        api_server,
        airflow("dag-processor", "dag_processor"),
        airflow("scheduler", "scheduler", "--skip-serve-logs", stop_timeout_s=20),
        airflow("triggerer", "triggerer", "--skip-serve-logs"),
    ]
