"""The stack: all services brought up, kept up and taken down."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from include.cli.database import database_process, start_database, stop_database
from include.cli.environment import (
    login,
    make_bucket,
    stack_environment,
)
from include.cli.health import (
    HANG_LOOK_INTERVAL_S,
    HANG_S,
    Hangs,
    let_tasks_end,
    untaken_tasks,
)
from include.cli.home import Home
from include.cli.processes import log_end
from include.cli.services import Service, services
from include.cli.terminal import StackError, Terminal
from include.core.settings import PROJECT, Settings

#: a busy machine without compiled bytecode has needed a minute, in seconds
START_TIMEOUT_S = 240.0
#: between two questions to services that are starting, in seconds
LOOK_INTERVAL_S = 0.3
#: a service that died within so long after its start has not done its work, in seconds
SHORT_LIFE_S = 30.0
#: what has failed to start, or has died after a short life, this often in a row is not started again
SHORT_LIVES = 10
#: how long tasks that run may take to end before their scheduler is started again, in seconds
DRAIN_TIMEOUT_S = 60.0


class Stack:
    """The services of one installation."""

    def __init__(self, settings: Settings, terminal: Terminal) -> None:
        self.settings = settings
        self.terminal = terminal
        self.home = Home(settings)
        self.services = services(settings)
        #: service -> when the last of its lives that was counted began
        self._started: dict[str, float] = {}
        #: service -> how many short lives it had in a row
        self._short_lives = Counter[str]()
        self._failed_starts = 0
        self._hangs = Hangs()
        self._looked = 0.0

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
        """Start again what has died without being stopped, and what lives and does not do its work."""
        hung = [] if self._is_ill() else self._hung()
        if not hung and not self._is_ill():
            return
        with self._lock():
            # what has died may have been about to be stopped, by the command that held the lock until now
            if not self.is_wanted():
                return
            for service, reason in hung:
                self._end(service, reason)
            dead = [service for service in self._dead() if service not in [one for one, _ in hung]]
            for service in dead:
                self.terminal.say(f"{service.name} has died; starting it again (its log: {service.log})")
                self._count_life(service)
            self._up_again()

    def _up_again(self) -> None:
        """Start what does not run; what prevents that may be gone at the next look, and is told."""
        try:
            self._up()
        except StackError as error:
            self._failed_starts += 1
            if self._failed_starts >= SHORT_LIVES:
                raise
            self.terminal.say(f"  {error}")
        else:
            self._failed_starts = 0

    def _count_life(self, service: Service) -> None:
        """Count the life of a service that has died, once; raise if too many in a row were short."""
        started = service.pid_file.stat().st_mtime
        if started == self._started.get(service.name):
            return
        self._started[service.name] = started
        is_short = time.time() - started < SHORT_LIFE_S
        self._short_lives[service.name] = self._short_lives[service.name] + 1 if is_short else 0
        if self._short_lives[service.name] >= SHORT_LIVES:
            raise StackError(f"{service.name} died {SHORT_LIVES} times in a row. {service.evidence()}")

    def _hung(self) -> list[tuple[Service, str]]:
        """Return the services that live and do not do their work, each with what shows it."""
        now = time.monotonic()
        if now - self._looked < HANG_LOOK_INTERVAL_S:
            return []
        self._looked = now
        hung = []
        for index, service in enumerate(self.services):
            is_working = service.is_ready()
            process = service.process()
            if self._hangs.note(service.name, is_working=is_working, now=now):
                hung.append((service, f"lives and has not done its work for {HANG_S:.0f} s"))
            elif service.name == "scheduler" and process and (tasks := untaken_tasks(self.settings, process)):
                hung.append((service, f"has idle workers that do not take {', '.join(sorted(set(tasks)))}"))
            if service.name == "api-server" and not is_working:
                # of the others it alone can tell
                self._hangs.forget(other.name for other in self.services[index + 1 :])
                break
        return hung

    def _end(self, service: Service, reason: str) -> None:
        """End a service that hangs, so that it is started again; tasks that run may end first."""
        self.terminal.say(f"{service.name} {reason}; starting it again (its log: {service.log})")
        self._hangs.forget([service.name])
        if process := service.process():
            if service.name == "scheduler":
                let_tasks_end(process, DRAIN_TIMEOUT_S)
            service.kill()

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
