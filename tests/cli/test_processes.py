"""Background processes are found again, and only they are stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from include.cli.processes import Daemon

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
STUBBORN_PROGRAM = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""
STUBBORN = [sys.executable, "-c", STUBBORN_PROGRAM]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A process that is not started yet, and gone in the end."""
    found = Daemon("service", tmp_path, tmp_path)
    yield found
    found.stop(0)


def start(daemon: Daemon, command: list[str]) -> str:
    """Start it and wait for its first line."""
    daemon.start(command, environment=os.environ, directory=daemon.run)
    wait_for(lambda: "\n" in daemon.log.read_text())
    return daemon.log.read_text()


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until something holds; the suite's timeout ends it otherwise."""
    while not holds():
        time.sleep(0.01)


def test_a_started_process_is_found_by_its_file(daemon: Daemon) -> None:
    """Another command of the same installation finds it."""
    start(daemon, SLEEP)
    found = Daemon("service", daemon.run, daemon.logs).process()
    assert found is not None
    assert found.is_running()


def test_stopping_ends_the_process_and_forgets_it(daemon: Daemon) -> None:
    """Afterwards it is neither alive nor known."""
    start(daemon, SLEEP)
    daemon.ask_to_stop()
    daemon.stop(30)
    assert (daemon.process(), daemon.is_known()) == (None, False)


def test_what_does_not_listen_is_killed_with_its_children(daemon: Daemon) -> None:
    """A process that ignores SIGTERM leaves nothing behind."""
    child = int(start(daemon, STUBBORN))
    daemon.ask_to_stop()
    daemon.stop(0.1)
    wait_for(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)
    assert daemon.process() is None


def test_a_process_is_stopped_whose_starter_has_not_noticed_its_end(daemon: Daemon) -> None:
    """`make run` may be waiting for `make down`, which must not wait for it."""
    starter = f"""
import os, pathlib, time
from include.cli.processes import Daemon
place = pathlib.Path({str(daemon.run)!r})
Daemon("service", place, place).start({SLEEP!r}, environment=os.environ, directory=place)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", starter], cwd=Path(__file__).parents[2]) as parent:
        try:
            wait_for(lambda: daemon.log.exists() and "\n" in daemon.log.read_text())
            process = daemon.process()
            assert process is not None
            daemon.ask_to_stop()
            daemon.stop(30)
            assert process.status() == psutil.STATUS_ZOMBIE
            assert not daemon.is_known()
        finally:
            parent.kill()


def test_children_of_a_killed_process_are_found_by_its_session(daemon: Daemon) -> None:
    """After a kill -9 of a service its children are still stopped."""
    child = int(start(daemon, STUBBORN))
    process = daemon.process()
    assert process is not None
    process.kill()
    process.wait()
    daemon.stop(0.1)
    wait_for(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)
    assert not daemon.is_known()


def test_a_number_that_belongs_to_another_program_by_now_is_left_alone(daemon: Daemon) -> None:
    """The pid file of a process that is gone does not make this test's own process a service."""
    own = psutil.Process()
    daemon.pid_file.write_text(json.dumps({"pid": own.pid, "started": own.create_time() - 60}))
    assert daemon.process() is None
    daemon.ask_to_stop()
    assert own.is_running()


def test_a_process_that_died_is_still_known(daemon: Daemon) -> None:
    """That tells a crash from a stop."""
    start(daemon, SLEEP)
    process = daemon.process()
    assert process is not None
    process.kill()
    process.wait()
    assert (daemon.process(), daemon.is_known()) == (None, True)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_a_broken_pid_file_names_no_process(daemon: Daemon, text: str) -> None:
    """A file that was cut off by a full disk is as good as none."""
    daemon.pid_file.write_text(text)
    assert daemon.process() is None
    daemon.pid_file.unlink()
