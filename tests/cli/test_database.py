"""The embedded PostgreSQL: it starts anywhere, is started again, and lets nobody else in."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import sqlalchemy

from include.cli import database
from include.cli.home import Home
from include.cli.terminal import StackError
from include.core.settings import Settings

#: what a URL, a shell, a list of PostgreSQL's or the socket's length would stumble over
FOLDERS = ["plain", "a b+c%d&e", 'it\'s "quoted", $HOME', "long-" * 30]


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Iterator[Settings]:
    """An installation in a folder of the test's choice, stopped afterwards.

    Not below pytest's own folder: what another session of pytest does to its mode would shut the server out.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = Settings(home=Path(folder) / getattr(request, "param", "plain"))
        Home(made).make()
        yield made
        database.stop_database(made)


def ask(settings: Settings, statement: str) -> object:
    """Ask through the URL that Airflow is given."""
    engine = sqlalchemy.create_engine(database.database_urls(settings)[0])
    with engine.connect() as connection:
        answer = connection.execute(sqlalchemy.text(statement)).scalar()
    engine.dispose()
    return answer


@pytest.mark.parametrize("settings", FOLDERS, indirect=True)
def test_the_database_starts_in_any_folder(settings: Settings) -> None:
    """And keeps to a socket that nobody else can reach."""
    database.start_database(settings)
    assert ask(settings, "show listen_addresses") == ""
    socket = Path(str(ask(settings, "show unix_socket_directories")))
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    assert ask(settings, "select string_agg(distinct auth_method, ' ') from pg_hba_file_rules") == "peer"
    assert not Home(settings).root.stat().st_mode & 0o067


def test_a_database_that_was_killed_is_started_again(settings: Settings) -> None:
    """At the first try, by the same process, with what was committed."""
    database.start_database(settings)
    engine = sqlalchemy.create_engine(database.database_urls(settings)[0])
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("create table kept as select 7 as number"))
    busy = engine.connect()  # a process of the server that outlives its head for a moment
    for _ in range(3):
        server = database.database_process(settings)
        assert server is not None
        server.kill()
        psutil.wait_procs([server], 10)
        database.start_database(settings)
        assert ask(settings, "select number from kept") == 7
    busy.close()
    engine.dispose()


def test_a_pid_file_of_another_program_is_no_server(settings: Settings) -> None:
    """After a power cut its number may belong to anybody: nobody is signalled, and the server starts."""
    database.start_database(settings)
    database.stop_database(settings)
    stale = Home(settings).postgres / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{Home(settings).postgres}\n")
    assert database.database_process(settings) is None
    database.start_database(settings)
    assert ask(settings, "select 1") == 1


def test_a_lock_of_the_socket_that_a_killed_server_left_hinders_nothing(settings: Settings) -> None:
    """Its process is gone, and may still be known while nobody has waited for it."""
    database.start_database(settings)
    socket = Path(str(ask(settings, "show unix_socket_directories")))
    lock = (socket / ".s.PGSQL.5432.lock").read_text().splitlines()
    owner = Home(settings).postgres.stat().st_uid
    database.stop_database(settings)
    # PostgreSQL heeds a process of its own user's
    sleep = ["/bin/sleep", "600"]
    with subprocess.Popen(sleep, user=owner if owner != os.getuid() else None) as known:
        try:
            left = socket / ".s.PGSQL.5432.lock"
            left.write_text("\n".join([str(known.pid), *lock[1:]]) + "\n")
            os.chown(left, owner, -1)
            database.start_database(settings)
            assert ask(settings, "select 1") == 1
        finally:
            known.kill()


def test_a_server_that_recovers_is_waited_for(settings: Settings) -> None:
    """A process of its that is killed makes it end the others, and take nobody in for a moment."""
    database.start_database(settings)
    for _ in range(5):
        server = database.database_process(settings)
        assert server is not None
        server.children()[0].kill()
        database.start_database(settings)
        assert database.database_process(settings) == server


@pytest.mark.skipif(os.getuid() != 0, reason="only root can try it as another user")
@pytest.mark.parametrize("settings", ["plain", "long-" * 30], indirect=True)
def test_another_user_is_not_let_in(settings: Settings) -> None:
    """Neither by the socket nor by reading the files."""
    database.start_database(settings)
    socket = ask(settings, "show unix_socket_directories")
    asked = subprocess.run(
        ["/bin/sh", "-c", f"ls '{Home(settings).root}' || ls '{socket}' || cat '{socket}/.s.PGSQL.5432'"],
        user=65534,
        group=65534,
        extra_groups=[],
        capture_output=True,
        check=False,
    )
    assert asked.returncode != 0
    assert asked.stdout == b""


def test_a_server_that_cannot_start_says_why(settings: Settings) -> None:
    """In the server's own words, with the place of its data."""
    database.start_database(settings)
    database.stop_database(settings)
    folder = Home(settings).postgres
    (folder / "postgresql.conf").write_text("shared_buffers = 'much'\n")
    with pytest.raises(StackError) as caught:
        database.start_database(settings)
    assert "shared_buffers" in str(caught.value)
    assert str(folder) in str(caught.value)


def test_a_set_up_that_was_killed_leaves_nothing_behind(settings: Settings) -> None:
    """What a killed initdb left is made anew."""
    half = Home(settings).postgres.with_suffix(".new")
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    database.start_database(settings)
    assert ask(settings, "select 1") == 1
    assert not half.exists()
