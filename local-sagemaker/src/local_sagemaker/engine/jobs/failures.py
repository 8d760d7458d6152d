"""Why a job did not complete, in SageMaker's words.

A FailureReason begins with `ClientError` (the request is at fault), `AlgorithmError` (the container is) or
`InternalServerError` (this service is), and has at most 1,024 characters.
"""

from __future__ import annotations

import signal
from pathlib import Path

from local_sagemaker.engine.processes import logs

LIMIT = 1024


class JobError(Exception):
    """A job cannot go on; the message is its FailureReason."""


def shorten(text: str, limit: int = LIMIT) -> str:
    """Return the first `limit` characters of a text."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def describe_exit(status: int, message: str, log: Path, *, is_lost: bool = False) -> str:
    """Return why a container failed: the text of its message file, its exit status, the end of its log."""
    if is_lost:
        return shorten(
            "InternalServerError: the container ended and left no exit status: the machine went down, "
            f"or its supervising process was killed. Start the job again. {logs.last_words(log)}"
        )
    ending = f"by signal {-status} ({_name(-status)})" if status < 0 else f"with exit code {status}"
    if message:
        tail = f", exit code: {status}" if status >= 0 else f", ended {ending}"
        return shorten("AlgorithmError: " + message, LIMIT - len(tail)) + tail
    hint = " The system kills a process so when memory runs out." if -status == signal.SIGKILL else ""
    verb = "was ended" if status < 0 else "ended"
    return shorten(f"AlgorithmError: the container {verb} {ending}.{hint} {logs.last_words(log)}")


def read_message(path: Path, limit: int = LIMIT) -> str:
    """Return the text of a container's message file, with broken UTF-8 replaced; empty if there is none.

    A link, which leads to where only the service may read, or a pipe, which nobody writes to, is nothing.
    """
    try:
        if path.resolve() != path or not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(limit * 4).decode("utf-8", "replace").strip()[:limit]
    except OSError:
        return ""


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
