"""The services: what starts each and tells that it is ready; all of them brought up, kept up, taken down."""

from __future__ import annotations

import fcntl
import hashlib
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import httpx

from include.cli.database import database_process, start_database, stop_database
from include.cli.environment import (
    airflow_url,
    login,
    make_bucket,
    sagemaker_url,
    stack_environment,
    uses_local_sagemaker,
)
from include.cli.home import Home
from include.cli.processes import Daemon, log_end
from include.cli.terminal import StackError, Terminal
from include.core.settings import PROJECT, Settings

#: one question to a service that answers within milliseconds when it is well, in seconds
QUESTION_TIMEOUT_S = 5.0
#: a busy machine without compiled bytecode has needed a minute, in seconds
START_TIMEOUT_S = 240.0
#: between two questions to services that are starting, in seconds
LOOK_INTERVAL_S = 0.3
#: a service that dies this often in one run is not started again
RESTARTS = 3


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


def is_answering(url: str) -> bool:
    """Return whether an address answers with success."""
    try:
        return httpx.get(url, timeout=QUESTION_TIMEOUT_S).is_success
    except httpx.HTTPError:
        return False


def airflow_health(settings: Settings) -> dict[str, str]:
    """Return what Airflow says of its own components: "healthy", "unhealthy", or nothing."""
    try:
        answer = httpx.get(f"{airflow_url(settings)}/api/v2/monitor/health", timeout=QUESTION_TIMEOUT_S)
        answer.raise_for_status()
        return {part: state["status"] or "" for part, state in answer.json().items()}
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return {}


class Stack:
    """The services of one installation."""

    def __init__(self, settings: Settings, terminal: Terminal) -> None:
        self.settings = settings
        self.terminal = terminal
        self.home = Home(settings)
        self.services = services(settings)
        self._restarts = Counter[str]()

    def start(self) -> None:
        """Bring the services up, all or none, and show how one gets in."""
        self.terminal.say(f"Flywheel in {self.settings.home}")
        try:
            self.up()
        except StackError:
            self.down()
            raise
        make_bucket(self.settings)
        self.terminal.say(f"  {login(self.settings)}")

    def up(self) -> None:
        """Start what does not run, and wait until all of it is ready."""
        self.home.make()
        with self._lock():
            self._up()

    def _up(self) -> None:
        if not self.settings.database_url:
            with self.terminal.timed("database"):
                start_database(self.settings)
        self._migrate()
        environment = stack_environment(self.settings)
        for service in self.services:
            service.bring_up(environment)
        for service in self.services:
            with self.terminal.timed(service.name):
                self._wait_until_ready(service)

    def down(self) -> None:
        """Stop everything: Airflow first, so that no task sees its job's service go away."""
        self.home.make()
        with self._lock():
            for service in reversed(self.services):
                service.ask_to_stop()
                if service.name == "api-server":
                    break
            for service in reversed(self.services):
                if service.is_known():
                    with self.terminal.timed(service.name, done="stopped"):
                        service.ask_to_stop()
                        service.stop(service.stop_timeout_s)
            if database_process(self.settings) is not None:
                with self.terminal.timed("database", done="stopped"):
                    stop_database(self.settings)

    def is_wanted(self) -> bool:
        """Return whether nobody took the stack down since it was brought up."""
        return all(service.is_known() for service in self.services)

    def keep(self) -> None:
        """Start again what died; raise if somebody took the services down."""
        if not self.is_wanted():
            raise StackError("The services were stopped from elsewhere (`make down`). Run again to go on.")
        self.heal()

    def heal(self) -> None:
        """Start again what has died without being stopped."""
        if not self._is_ill():
            return
        with self._lock():
            # what has died may have been about to be stopped, by the command that held the lock until now
            if not self.is_wanted() or not self._is_ill():
                return
            for service in self._dead():
                self.terminal.say(f"{service.name} has died; starting it again (its log: {service.log})")
                self._restarts[service.name] += 1
                if self._restarts[service.name] > RESTARTS:
                    raise StackError(f"{service.name} died {RESTARTS + 1} times. {service.evidence()}")
            self._up()

    def _is_ill(self) -> bool:
        has_database = bool(self.settings.database_url) or database_process(self.settings) is not None
        return not has_database or bool(self._dead())

    def _dead(self) -> list[Service]:
        return [service for service in self.services if service.is_known() and service.process() is None]

    def _wait_until_ready(self, service: Service) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not service.is_ready():
            if service.process() is None:
                raise StackError(f"{service.name} ended while it started. {service.evidence()}")
            if time.monotonic() > deadline:
                late = f"is not ready after {START_TIMEOUT_S:.0f} s"
                raise StackError(f"{service.name} runs but {late}. {service.evidence()}")
            time.sleep(LOOK_INTERVAL_S)

    def _migrate(self) -> None:
        """Bring the database's tables to this Airflow's version, unless that was done."""
        stamp = self.home.run / "migrated"
        # what the tables depend on: the lock, and which database it is
        lock = hashlib.sha256((PROJECT / "requirements.txt").read_bytes()).hexdigest()
        born = self.home.postgres / "PG_VERSION"
        database = self.settings.database_url or (born.stat().st_mtime_ns if born.exists() else 0)
        wanted = hashlib.sha256(f"{lock} {database}".encode()).hexdigest()
        if stamp.exists() and stamp.read_text() == wanted:
            return
        log = self.home.logs / "migrate.log"
        with self.terminal.timed("database tables"), log.open("w") as file:
            status = subprocess.run(
                [sys.executable, "-m", "airflow", "db", "migrate"],
                env=stack_environment(self.settings),
                cwd=PROJECT,
                stdout=file,
                stderr=file,
                check=False,
            ).returncode
        if status != 0:
            raise StackError(
                f"Airflow could not set up its database (exit status {status}):\n{log_end(log)}"
                "If FLYWHEEL_DATABASE_URL is set: can it be reached, and may its user create tables?"
            )
        stamp.write_text(wanted)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Let only one command at a time start or stop services."""
        with (self.home.run / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
