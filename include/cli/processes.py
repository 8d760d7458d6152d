"""Processes that outlive the command that started them, found again by id and start time.

A pid file holds both, because the system gives a number to another program once its owner is gone: a process
whose start time differs is not ours and is never signalled.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

#: start times are read from the kernel in its ticks; two readings may differ by one, in seconds
START_TIME_TOLERANCE_S = 0.05
#: the kernel needs no longer to end a process, in seconds
KILL_TIMEOUT_S = 10.0
LOOK_INTERVAL_S = 0.1
#: what this process started; kept, because a Popen that is dropped while its child lives warns of it
_STARTED: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Daemon:
    """One named background process of an installation."""

    name: str
    #: directory of pid files
    run: Path
    #: directory of log files
    logs: Path

    @property
    def pid_file(self) -> Path:
        """Return where the process is remembered."""
        return self.run / f"{self.name}.json"

    @property
    def log(self) -> Path:
        """Return where everything it prints goes."""
        return self.logs / f"{self.name}.log"

    def is_known(self) -> bool:
        """Return whether it was started and not stopped since, alive or not."""
        return self.pid_file.exists()

    def process(self) -> psutil.Process | None:
        """Return the living process, or None."""
        try:
            known = json.loads(self.pid_file.read_text())
            process = psutil.Process(known["pid"])
            is_ours = abs(process.create_time() - known["started"]) < START_TIME_TOLERANCE_S
            return process if is_ours and process.status() != psutil.STATUS_ZOMBIE else None
        except (FileNotFoundError, ValueError, TypeError, KeyError, psutil.Error):
            return None

    def start(self, command: Sequence[str], *, environment: Mapping[str, str], directory: Path) -> None:
        """Start it in a session of its own, so that a Ctrl-C in the terminal does not reach it."""
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                command,
                env=environment,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        _STARTED.append(child)
        started = psutil.Process(child.pid).create_time()
        draft = self.pid_file.with_suffix(".new")
        draft.write_text(json.dumps({"pid": child.pid, "started": started}))
        draft.replace(self.pid_file)

    def ask_to_stop(self) -> None:
        """Send SIGTERM, once."""
        if process := self.process():
            process.terminate()

    def stop(self, timeout_s: float) -> None:
        """Wait until it ended by itself; after `timeout_s` seconds kill it, then what is left of its session.

        A job of the local SageMaker has a session of its own and is not touched.
        """
        if self.process() and not self._ends_within(timeout_s):
            self.kill()
        self.sweep()
        self.pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """Kill it, and wait until it is gone; it stays known, as one that died."""
        if process := self.process():
            with suppress(psutil.NoSuchProcess):
                process.kill()
            self._ends_within(KILL_TIMEOUT_S)

    def _ends_within(self, timeout_s: float) -> bool:
        """Wait for its end, whether or not the command that started it has noticed."""
        deadline = time.monotonic() + timeout_s
        while self.process() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_INTERVAL_S)
        for child in _STARTED:
            child.poll()
        return True

    def sweep(self) -> None:
        """Kill what its session still holds; of a scheduler that was killed, its workers."""
        try:
            known = json.loads(self.pid_file.read_text())
            held = [p for p in psutil.process_iter() if _is_of_session(p, known["pid"], known["started"])]
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return
        for left in held:
            with suppress(psutil.NoSuchProcess):
                left.kill()


def _is_of_session(process: psutil.Process, leader: int, started: float) -> bool:
    try:
        # while a session has members its number is given to no other process
        return os.getsid(process.pid) == leader and process.create_time() >= started
    except (ProcessLookupError, PermissionError, psutil.Error):
        return False


def log_end(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log, indented; nothing if there is no log."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return "".join(f"    {line}\n" for line in text.splitlines()[-lines:])
