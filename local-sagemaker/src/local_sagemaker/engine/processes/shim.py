"""Runs one process for the service and outlives it: a program whose argument is the folder of its records.

It reads `spec.json` there and writes `process.json` (its own pid and when it started) and, when the process
has ended, `exit.json`. Every line of output goes to the log as `<milliseconds since 1970> <line>`, in
UTF-8, with bytes that are none replaced. SIGTERM is passed on to the whole process group; SIGUSR1 means
SIGKILL for it. Standard library only, and little of it: this is on the way of every job's start.

zygote.py does the same in a process it has forked, with `spawn` replaced: the process is then a fork, too.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable

#: lines longer than this are cut in two, bytes
LINE_LIMIT = 262_144
#: room of a record, bytes
RECORD_BYTES = 256
#: how long output is read after the process has ended, for children that keep the pipe open
DRAIN_S = 0.5


def main(folder: str, spawn: Callable[[dict[str, object], int], int] | None = None) -> int:
    """Run what `spec.json` says; return 0 once its exit status is recorded.

    `spawn` starts the process of a specification with its output to a descriptor, and returns its pid.
    """
    lock = os.open(f"{folder}/lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 3  # another one runs this workspace already: there must be one alone
    if not os.path.samestat(os.fstat(lock), os.stat(f"{folder}/lock")):  # noqa: PTH116
        return 3  # the folder was made anew meanwhile, for another one
    with open(f"{folder}/spec.json", encoding="utf-8") as file:  # noqa: PTH123 (pathlib costs time at the start)
        spec = json.load(file)
    runner = Runner(spec, spawn or posix_spawn)
    signal.signal(signal.SIGTERM, lambda *_: runner.signal(signal.SIGTERM))
    signal.signal(signal.SIGUSR1, lambda *_: runner.signal(signal.SIGKILL))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # take the room that a record will need: how a job ended must not be lost for a full disk
    with open(f"{folder}/exit.json.new", "wb") as file:  # noqa: PTH123
        file.write(b" " * RECORD_BYTES)
        file.flush()
        os.fsync(file.fileno())
    record(folder, "process.json", {"pid": os.getpid(), "started": started(os.getpid())})
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)  # the service waits for the end of this pipe: from here on it can find the process
    os.dup2(null, 2)
    record(folder, "exit.json", {"status": runner.run(), "ended": time.time()})
    return 0


class Runner:
    """The process, its group and its output."""

    def __init__(self, spec: dict[str, object], spawn: Callable[[dict[str, object], int], int]) -> None:
        self.spec, self.spawn = spec, spawn
        self.log = os.open(str(spec["log_path"]), os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
        self.pid = 0
        self.pending = b""
        self.stop: int | None = None

    def signal(self, number: int) -> None:
        """Send a signal to the process's whole group, or remember it until there is one."""
        self.stop = number
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def run(self) -> int:
        """Start, read until the end, and return the exit status (negative: the signal)."""
        for note in self.spec["notes"]:  # type: ignore[attr-defined]
            self.write([str(note).encode()])
        reader, writer = os.pipe()
        try:
            self.pid = self.spawn(self.spec, writer)
        except OSError as error:
            words = self.spec["argv"]
            self.write([f"Cannot start {words[0]}: {error.strerror}.".encode()])  # type: ignore[index]
            return 127 if isinstance(error, FileNotFoundError) else 126
        os.close(writer)
        if self.stop is not None:
            self.signal(self.stop)
        return self.wait(reader)

    def wait(self, reader: int) -> int:
        """Copy output to the log until the process has ended; nothing of its group is left then."""
        import select  # noqa: PLC0415 (read while the process starts, not before)

        ended, alarm = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(alarm, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            ready = select.select([reader, ended], [], [])[0]
            if ended in ready:
                os.read(ended, 4096)
            if reader in ready and not self.copy(reader):
                select.select([ended], [], [], 1)  # output is closed: only the end is waited for
        self.signal(signal.SIGKILL)  # what it left running ends with it, as in a container
        deadline = time.monotonic() + DRAIN_S
        while time.monotonic() < deadline and select.select([reader], [], [], 0.05)[0] and self.copy(reader):
            pass
        if self.pending:
            self.write([self.pending])
        os.fsync(self.log)
        return os.waitstatus_to_exitcode(status)

    def copy(self, reader: int) -> bool:
        """Copy what can be read; False at the end of the output."""
        try:
            chunk = os.read(reader, 65_536)
        except BlockingIOError:
            return True
        *lines, self.pending = (self.pending + chunk).split(b"\n")
        while len(self.pending) > LINE_LIMIT:
            lines.append(self.pending[:LINE_LIMIT])
            self.pending = self.pending[LINE_LIMIT:]
        if lines:
            self.write(lines)
        return bool(chunk)

    def write(self, lines: list[bytes]) -> None:
        """Write lines with the time at which they were read; a full disk loses lines, not the process."""
        stamp = b"%d " % (time.time_ns() // 1_000_000)
        text = b"".join(
            stamp + line.rstrip(b"\r").decode("utf-8", "replace").encode() + b"\n" for line in lines
        )
        with contextlib.suppress(OSError):
            os.write(self.log, text)


def posix_spawn(spec: dict[str, object], output: int) -> int:
    """Start a process in a group of its own, with its output to one pipe, and return its pid."""
    if spec["cwd"]:
        os.chdir(str(spec["cwd"]))
    argv: list[str] = spec["argv"]  # type: ignore[assignment]
    environment: dict[str, str] = spec["environment"]  # type: ignore[assignment]
    os.environ["PATH"] = environment.get("PATH", os.defpath)  # posix_spawnp looks in the caller's
    null = os.open(os.devnull, os.O_RDONLY)
    return os.posix_spawnp(
        argv[0],
        argv,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, null, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
        ],
        setpgroup=0,
        setsigmask=[],
        setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGXFSZ],
    )


def started(pid: int) -> str:
    """When a process started, in words no other process with this pid will have; empty if it does not run."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            fields = file.read().rpartition(")")[2].split()
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:  # noqa: PTH123
            return "" if fields[0] in "ZX" else f"{file.read().strip()}:{fields[19]}"
    except OSError:
        if os.path.exists("/proc/self/stat"):  # noqa: PTH110
            return ""
    with os.popen(f"ps -o lstart= -p {pid}") as answer:  # noqa: S605 (a number; where there is no /proc)
        return answer.read().strip()


def record(folder: str, name: str, content: dict[str, object]) -> None:
    """Write a record durably: whole or not at all, into the room that was reserved for it, if it was."""
    descriptor = os.open(f"{folder}/{name}.new", os.O_CREAT | os.O_WRONLY, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps(content).ljust(RECORD_BYTES))
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{folder}/{name}.new", f"{folder}/{name}")  # noqa: PTH105
    directory = os.open(folder, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
