"""The logs of jobs and endpoints: one file per stream, a line per event, `<milliseconds since 1970> <line>`.

The time is when the line was read from the process, at most a few milliseconds after it was written; a
process that buffers its output (Python without -u) is stamped when it flushes. A place in a log is an
offset in bytes, so that what reads it needs no memory of its own and goes on where it was after a restart.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

SUFFIX = ".log"
#: longer than the longest line (shim.py)
TAIL_BYTES = 1024 * 1024


@dataclass(frozen=True)
class LogEvent:
    """One line of a log."""

    #: milliseconds since 1970
    timestamp: int
    message: str
    #: where the line begins and where the next one does, in bytes
    offset: int
    end: int


def path(root: Path, group: str, stream: str) -> Path:
    """Return the file of a stream: `path(root, "/aws/sagemaker/TrainingJobs", "job/algo-1-17000")`."""
    return folder(root, group) / (quote(stream, safe="") + SUFFIX)


def folder(root: Path, group: str) -> Path:
    """Return the folder of a group's streams."""
    return root / "logs" / quote(group, safe="")


def groups(root: Path) -> list[str]:
    """Return the names of all log groups, sorted."""
    parent = root / "logs"
    return sorted(unquote(entry.name) for entry in parent.iterdir()) if parent.is_dir() else []


def streams(root: Path, group: str, prefix: str = "") -> list[str] | None:
    """Return the names of a group's streams, sorted; None if there is no such group."""
    if not folder(root, group).is_dir():
        return None
    names = (unquote(entry.name.removesuffix(SUFFIX)) for entry in folder(root, group).iterdir())
    return sorted(name for name in names if name.startswith(prefix))


def read(log: Path, offset: int = 0) -> Iterator[LogEvent]:
    """Yield the events from `offset` on; a last line that is still being written is left for later."""
    with log.open("rb") as file:
        file.seek(offset)
        for line in file:
            end = offset + len(line)
            if not line.endswith(b"\n"):
                return
            stamp, _, message = line.decode("utf-8", "replace").partition(" ")
            yield LogEvent(int(stamp), message.rstrip("\n"), offset, end)
            offset = end


def tail(log: Path, count: int) -> list[LogEvent]:
    """Return the last events, found from the end: `count` of them, or fewer if they are very long."""
    size = log.stat().st_size
    offset = 0
    if size > TAIL_BYTES:
        with log.open("rb") as file:
            file.seek(size - TAIL_BYTES)
            # the line in the middle of which this begins is left out
            offset = size - TAIL_BYTES + len(file.readline())
    return list(deque(read(log, offset), maxlen=count))


def last(log: Path) -> LogEvent | None:
    """Return the last event; None if there is none."""
    return next(iter(tail(log, 1)), None)


def last_words(log: Path, count: int = 8, characters: int = 700) -> str:
    """Return the end of a log in words, for a failure's reason."""
    events = deque(read(log), maxlen=count) if log.exists() else ()
    text = "\n".join(event.message for event in events).strip()
    if not text:
        return "It has written nothing to its log."
    return f"The last lines of its log: {text[-characters:]}"
