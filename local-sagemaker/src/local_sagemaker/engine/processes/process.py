"""Processes that outlive the service.

`start` runs a process under a small program of ours (shim.py) in a session of its own. The shim records who
it is and how the process ended in the workspace's folder `run`, so that a service that was killed and
started again can `adopt` what still runs and learn how the rest ended.

A workspace has `ml` (seen as /opt/ml), `linked` (links to stored objects, laid under `ml`; see isolation.py)
and `run` (the records).
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from local_sagemaker.engine.processes import docker, shim
from local_sagemaker.engine.processes.forks import Forks
from local_sagemaker.engine.processes.image import STOP_GRACE_S
from local_sagemaker.engine.processes.isolation import Isolation, available, wrap

#: exit status of a process whose end nobody saw: the machine went down, or somebody killed the shim
LOST = -int(signal.SIGKILL)
#: how often the end is looked for where the system cannot tell of it
POLL_S = 0.02
#: how long a shim may take to record itself
RECORD_S = 10.0
#: variable that tells a process its folder where it cannot be shown at /opt/ml
BASE_DIR = "SAGEMAKER_BASE_DIR"


class LaunchError(Exception):
    """A process could not be started."""


@dataclass(frozen=True)
class ProcessSpec:
    """What to run."""

    argv: tuple[str, ...]
    #: the whole environment; nothing is inherited
    environment: Mapping[str, str]
    #: its directory `ml` is seen as /opt/ml
    workspace: Path
    #: receives standard output and error, see logs.py
    log_path: Path
    #: working directory; None: /opt/ml, or what stands for it
    cwd: Path | None = None
    #: None: the best that the machine allows
    isolation: Isolation | None = None
    #: for whoever stops it: seconds between SIGTERM and SIGKILL
    stop_grace_s: float = STOP_GRACE_S


def start(spec: ProcessSpec, forks: Forks | None = None) -> Process:
    """Start a process; returns when it can be adopted. One that runs in the workspace already is returned.

    It is forked from a process of `forks` that has done its imports, where there is one. LaunchError if it
    could not be started at all; a program that is not found is an exit status, 127.
    """
    run = spec.workspace / "run"
    running = _running(spec.workspace, run)
    if running is not None:
        return running
    isolation, environment = _prepare(spec, run)
    if forks is not None and forks.launch(spec.argv, environment, spec.workspace, isolation.value):
        forked = adopt(spec.workspace)
        if forked is not None:
            return forked
    command = [sys.executable, "-I", "-S", str(Path(shim.__file__)), str(run)]
    child = subprocess.Popen(  # noqa: S603 (running what it is given is its purpose)
        wrap(isolation, spec.workspace, command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        cwd="/",
    )
    if child.stdout is None or child.stderr is None:
        raise LaunchError("The shim has no pipes.")
    child.stdout.read()  # the shim has recorded itself: from now on it is found after a restart
    record = _read(spec.workspace / "run/process.json")
    if record is None:
        reason = child.stderr.read().decode("utf-8", "replace").strip()
        child.wait()
        raise LaunchError(
            f"Cannot start a process in {spec.workspace}: {reason or 'its shim ended at once'}."
        )
    child.stdout.close()
    child.stderr.close()
    # it is waited for by Process; Popen would complain of a child that is meant to outlive it
    child.returncode = 0
    return Process(spec.workspace, int(record["pid"]), str(record["started"]), is_child=True)


def _running(workspace: Path, run: Path) -> Process | None:
    """Return the living process of a workspace, or None after removing the records of the last one."""
    with ExitStack() as ends:
        with suppress(FileNotFoundError):
            lock = ends.enter_context((run / "lock").open("rb+"))
            # a shim that somebody started just before he was killed holds it; it records itself at once
            deadline = time.monotonic() + RECORD_S
            while not _locked(lock):
                running = adopt(workspace)
                if running is not None and running.is_alive():
                    return running
                if time.monotonic() > deadline:
                    raise LaunchError(f"A process is being started in {workspace} and does not come up.")
                time.sleep(POLL_S)
        running = adopt(workspace)
        if running is not None and running.is_alive():
            return running
        shutil.rmtree(run, ignore_errors=True)
    return None


def _locked(lock: BinaryIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def adopt(workspace: Path) -> Process | None:
    """Return the process started last in `workspace`, running or ended; None if there never was one."""
    record = _read(workspace / "run/process.json")
    return None if record is None else Process(workspace, int(record["pid"]), str(record["started"]))


class Process:
    """A process under its shim; ask it as often as you like."""

    def __init__(self, workspace: Path, pid: int, started: str, *, is_child: bool = False) -> None:
        self.workspace = workspace
        #: of the shim, the leader of the session
        self.pid = pid
        self._started = started
        self._is_child = is_child

    def is_alive(self) -> bool:
        """Whether the process runs, or its end is not yet recorded."""
        if self._is_child:
            with suppress(ChildProcessError):
                self._is_child = os.waitpid(self.pid, os.WNOHANG)[0] == 0
        return bool(self._started) and shim.started(self.pid) == self._started

    def exit_status(self) -> int | None:
        """How the process ended: its exit code, the negative number of a signal, None while it runs."""
        is_alive = self.is_alive()  # asked first: the record may come in between
        record = _read(self.workspace / "run/exit.json")
        if record is not None:
            return int(record["status"])
        if is_alive:
            return None
        _end_session(self.pid, self._started)
        return LOST

    def is_lost(self) -> bool:
        """Whether the process ended without anybody seeing how."""
        return not self.is_alive() and not (self.workspace / "run/exit.json").exists()

    def wait(self, timeout_s: float | None = None, wake: int | None = None) -> int | None:
        """Wait for the exit status; return None after `timeout_s`, or when `wake` can be read."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        descriptor = open_pidfd(self.pid)
        sources = [number for number in (descriptor, wake) if number is not None]
        try:
            while (status := self.exit_status()) is None:
                left = None if deadline is None else deadline - time.monotonic()
                limit = left if descriptor is not None else min(POLL_S, POLL_S if left is None else left)
                if (left is not None and left <= 0) or wake in select.select(sources, [], [], limit)[0]:
                    return self.exit_status()
            return status
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def terminate(self) -> None:
        """SIGTERM to the process and all it started."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the process and all it started."""
        self._signal(signal.SIGUSR1)

    def end(self, grace_s: float) -> None:
        """End the process: SIGKILL if it has not ended `grace_s` after SIGTERM."""
        self.terminate()
        if self.wait(grace_s) is None:
            self.kill()
            self.wait(grace_s)

    def _signal(self, number: signal.Signals) -> None:
        if self.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def shown_base(environment: Mapping[str, str], workspace: Path) -> str:
    """Return where a process finds its /opt/ml: there, or below its workspace where mounts are refused."""
    made = next(folder for folder in (workspace, *workspace.parents) if folder.exists())
    is_shown = docker.WORKSPACE in environment or available(made) is not Isolation.NONE
    return "/opt/ml" if is_shown else str(workspace / "ml")


def _prepare(spec: ProcessSpec, run: Path) -> tuple[Isolation, dict[str, str]]:
    isolation = spec.isolation or available(spec.workspace)
    if isolation is Isolation.OVERLAY and not (spec.workspace / "linked").is_dir():
        isolation = Isolation.BIND
    for folder in (spec.workspace / "ml", spec.workspace / "work", spec.log_path.parent):
        folder.mkdir(parents=True, exist_ok=True)
    run.mkdir(mode=0o700)
    environment = dict(spec.environment)
    base, notes = Path("/opt/ml"), []
    if isolation is Isolation.NONE:
        base = spec.workspace / "ml"
        environment.setdefault(BASE_DIR, str(base))
        if docker.WORKSPACE not in environment:
            shown = f"/opt/ml is not shown, {BASE_DIR}={base} stands for it"
            notes = [f"Mount namespaces are refused here: {shown}."]
    document = {
        "argv": list(spec.argv),
        "environment": environment,
        "log_path": str(spec.log_path.absolute()),
        "cwd": str(spec.cwd or base),
        "notes": notes,
    }
    path = run / "spec.json"
    path.touch(mode=0o600)  # the environment may hold secrets
    path.write_text(json.dumps(document), encoding="utf-8")
    return isolation, environment


def _end_session(leader: int, started: str) -> None:
    """Kill what a lost shim left running: nobody would ever see its end."""
    boot = started.partition(":")[0]
    if not boot or not shim.started(os.getpid()).startswith(boot) or shim.started(leader):
        # another boot, or the number belongs to somebody else by now: what it leads is not ours
        return
    for entry in Path("/proc").iterdir():
        # each may go while it is looked at
        with suppress(OSError):
            if entry.name.isdecimal():
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
                if int(stat.rpartition(")")[2].split()[3]) == leader:
                    os.kill(int(entry.name), signal.SIGKILL)


def open_pidfd(pid: int) -> int | None:
    """Return a descriptor that can be read at a process's end; None where there is none, or it has ended."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return record
