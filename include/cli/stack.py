"""Bringing the services up, keeping them up, and taking them down."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from include.cli.database import database_process, start_database, stop_database
from include.cli.environment import stack_environment
from include.cli.errors import StackError
from include.cli.home import home_of
from include.cli.services import Service, services
from include.cli.terminal import Terminal
from include.core.settings import PROJECT, Settings

#: a busy machine without compiled bytecode has needed a minute, in seconds
START_TIMEOUT_S = 240.0
#: between two questions to services that are starting, in seconds
LOOK_INTERVAL_S = 0.3
#: a service that dies this often in one run is not started again
RESTARTS = 3


class Stack:
    """The services of one installation."""

    def __init__(self, settings: Settings, terminal: Terminal) -> None:
        self.settings = settings
        self.terminal = terminal
        self.home = home_of(settings)
        self.services = services(settings)
        self._restarts: dict[str, int] = {}

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
            self._start(service, environment)
        for service in self.services:
            with self.terminal.timed(service.name):
                self._wait_until_ready(service)

    def down(self) -> None:
        """Stop everything: Airflow first, so that no task sees its job's service go away."""
        self.home.make()
        with self._lock():
            for service in reversed(self.services):
                service.daemon(self.settings).ask_to_stop()
                if service.name == "api-server":
                    break
            for service in reversed(self.services):
                daemon = service.daemon(self.settings)
                if daemon.is_known():
                    with self.terminal.timed(service.name, done="stopped"):
                        daemon.ask_to_stop()
                        daemon.stop(service.stop_timeout_s)
            if database_process(self.settings) is not None:
                with self.terminal.timed("database", done="stopped"):
                    stop_database(self.settings)

    def is_wanted(self) -> bool:
        """Whether nobody took the stack down since it was brought up."""
        return all(service.daemon(self.settings).is_known() for service in self.services)

    def heal(self) -> None:
        """Start again what has died without being stopped."""
        if not self._is_ill():
            return
        with self._lock():
            # what has died may have been about to be stopped, by the command that held the lock until now
            if not self.is_wanted() or not self._is_ill():
                return
            for service in self._dead():
                log = service.daemon(self.settings).log
                self.terminal.say(f"{service.name} has died; starting it again (its log: {log})")
                self._count_restart(service)
            self._up()

    def _is_ill(self) -> bool:
        has_database = bool(self.settings.database_url) or database_process(self.settings) is not None
        return not has_database or bool(self._dead())

    def _dead(self) -> list[Service]:
        return [s for s in self.services if s.daemon(self.settings).is_known() and not self._is_alive(s)]

    def _start(self, service: Service, environment: dict[str, str]) -> None:
        if self._is_alive(service):
            return
        daemon = service.daemon(self.settings)
        daemon.sweep()
        service.refuse_taken_port()
        daemon.start(service.command(), environment=environment, directory=PROJECT)

    def _wait_until_ready(self, service: Service) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not service.is_ready():
            if not self._is_alive(service):
                raise StackError(f"{service.name} ended while it started. {self._evidence(service)}")
            if time.monotonic() > deadline:
                raise StackError(
                    f"{service.name} runs but is not ready after {START_TIMEOUT_S:.0f} s. "
                    f"{self._evidence(service)}"
                )
            time.sleep(LOOK_INTERVAL_S)

    def _is_alive(self, service: Service) -> bool:
        return service.daemon(self.settings).process() is not None

    def _evidence(self, service: Service) -> str:
        daemon = service.daemon(self.settings)
        return f"The end of its log, {daemon.log}:\n{daemon.last_words()}Run again once the cause is gone."

    def _count_restart(self, service: Service) -> None:
        self._restarts[service.name] = self._restarts.get(service.name, 0) + 1
        if self._restarts[service.name] > RESTARTS:
            raise StackError(f"{service.name} died {RESTARTS + 1} times. {self._evidence(service)}")

    def _migrate(self) -> None:
        """Bring the database's tables to this Airflow's version, unless that was done."""
        stamp = self.home.run / "migrated"
        wanted = self._migration()
        if stamp.exists() and stamp.read_text() == wanted:
            return
        with self.terminal.timed("database tables"):
            done = subprocess.run(
                [sys.executable, "-m", "airflow", "db", "migrate"],
                env=stack_environment(self.settings),
                cwd=PROJECT,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
        (self.home.logs / "migrate.log").write_text(done.stdout + done.stderr)
        if done.returncode != 0:
            end = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
            raise StackError(
                f"Airflow could not set up its database (exit status {done.returncode}):\n{end}\n"
                "If FLYWHEEL_DATABASE_URL is set: can it be reached, and may its user create tables?"
            )
        stamp.write_text(wanted)

    def _migration(self) -> str:
        """What the tables depend on: the lock, and which database it is."""
        lock = hashlib.sha256((PROJECT / "requirements.txt").read_bytes()).hexdigest()
        born = self.home.postgres / "PG_VERSION"
        database = self.settings.database_url or (born.stat().st_mtime_ns if born.exists() else 0)
        return hashlib.sha256(f"{lock} {database}".encode()).hexdigest()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Only one command at a time starts or stops services."""
        with (self.home.run / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
