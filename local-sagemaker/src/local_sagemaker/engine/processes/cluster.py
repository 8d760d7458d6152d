"""Runs the containers of a job's instances side by side, and feeds their pipes: a program of its own.

Run under a job's shim with the folder that has `cluster.json`, so that it goes on when the service is killed.
The first instance that fails ends all others, and its status is the job's.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from local_sagemaker.engine.processes.isolation import Isolation, wrap

#: how often the instances are looked at, in seconds
PAUSE_S = 0.05


class ClusterInstance:
    """One running container."""

    def __init__(self, note: dict[str, Any]) -> None:
        self.name = note["name"]
        workspace = Path(note["workspace"])
        for folder in ("ml", "linked", "work"):
            (workspace / folder).mkdir(parents=True, exist_ok=True)
        inner = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', note["cwd"], *note["argv"]]
        self.process = subprocess.Popen(  # noqa: S603 (running what it is given is its purpose)
            wrap(Isolation(note["isolation"]), workspace, inner),
            env=note["environment"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if self.process.stdout is None:
            raise RuntimeError("A container has no output.")
        self.copier = threading.Thread(target=_copy, args=(self.process.stdout, note["log"]), daemon=True)
        self.copier.start()

    def status(self) -> int | None:
        """Return the exit status, None while it runs; a signal counts as a shell counts it."""
        status = self.process.poll()
        return 128 - status if status is not None and status < 0 else status


def main(folder: Path) -> int:
    """Run all instances; the exit status of the job."""
    note = json.loads((folder / "cluster.json").read_text(encoding="utf-8"))
    for feed in note["feeds"]:
        # made before any container starts, which may open it at once
        _pipe(feed, 0)
        threading.Thread(target=_feed, args=(feed,), daemon=True).start()
    instances = [ClusterInstance(host) for host in note["hosts"]]

    signal.signal(signal.SIGTERM, lambda *_: _signal(instances, signal.SIGTERM))
    status = _watch(instances, note["grace_s"])
    for instance in instances:
        instance.copier.join(2)  # until the last line is in the log
    return status


def _watch(instances: list[ClusterInstance], grace_s: float) -> int:
    """Wait for all instances, which are ended when one has failed."""
    failed, kill_at = 0, 0.0
    while True:
        statuses = [instance.status() for instance in instances]
        if not failed and any(statuses):
            failed = next(status for status in statuses if status)
            kill_at = time.monotonic() + grace_s
            _signal(instances, signal.SIGTERM)
        if all(status is not None for status in statuses):
            return failed
        if failed and time.monotonic() >= kill_at:
            _signal(instances, signal.SIGKILL)
        time.sleep(PAUSE_S)


def _signal(instances: list[ClusterInstance], number: signal.Signals) -> None:
    """Send a signal to the containers; they share the group of this program, which the shim ends as one."""
    for instance in instances:
        instance.process.send_signal(number)


def _copy(source: IO[bytes], log: str | None) -> None:
    """Bring a container's lines to its log: the program's own output, or a file as logs.py describes it."""
    if log is None:
        for line in source:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        return
    with Path(log).open("ab", buffering=0) as target:
        for line in source:
            target.write(b"%d %s\n" % (time.time() * 1000, line.rstrip(b"\n")))


def _pipe(feed: dict[str, Any], epoch: int) -> Path:
    path = Path(feed["data"]) / f"{feed['channel']}_{epoch}"
    with suppress(FileExistsError):
        os.mkfifo(path)
    return path


def _feed(feed: dict[str, Any]) -> None:
    """Write a channel's objects, one behind the other, to a pipe for every epoch that is read."""
    epoch = 0
    while True:
        path = _pipe(feed, epoch)
        # a reader that stops early has read enough
        with suppress(BrokenPipeError), path.open("wb") as pipe:
            # the next epoch's pipe is there before this one ends
            _pipe(feed, epoch + 1)
            for source in sorted(Path(feed["folder"]).iterdir()):
                with source.open("rb") as file:
                    shutil.copyfileobj(file, pipe)
        epoch += 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
