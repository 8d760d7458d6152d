"""Databases of earlier programs are brought forward, those of later ones are refused."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local_sagemaker.storage import migrations
from local_sagemaker.storage.migrations import SchemaError, blocks, migrate
from local_sagemaker.storage.store import Store

PROJECT = Path(__file__).resolve().parents[2]
STEPS = blocks(migrations.SCHEMA.read_text())
#: SHA-256 of the steps that databases out there have had, the first one first; white space does not count
RELEASED = ["9079256d56745bb0f7b4854df949f93f40c24ca3b57901610509caca289683b5"]
FIRST = "CREATE TABLE thing (name TEXT NOT NULL); INSERT INTO thing VALUES ('kept');"
SECOND = "ALTER TABLE thing ADD COLUMN size INTEGER NOT NULL DEFAULT 3; CREATE INDEX by_size ON thing (size);"
BROKEN = "CREATE TABLE half (name TEXT); INSERT INTO thing VALUES ('half', 1); DELETE FROM nowhere;"


def opened(path: Path) -> sqlite3.Connection:
    """A connection as the store has it."""
    return sqlite3.connect(path, isolation_level=None)


def at(path: Path, *steps: str) -> None:
    """Make a database that has had `steps`."""
    with closing(opened(path)) as connection:
        migrate(connection, path, list(steps))


def version(path: Path) -> int:
    """How many steps a database has had."""
    with closing(opened(path)) as connection:
        (count,) = connection.execute("PRAGMA user_version").fetchone()
    return int(count)


def test_released_steps_stay_as_they_are() -> None:
    """A changed step would leave old databases without the change: add a step; pin it with a release."""
    found = [hashlib.sha256(" ".join(step.split()).encode()).hexdigest() for step in STEPS]
    assert found[: len(RELEASED)] == RELEASED


def test_an_older_database_is_brought_forward_with_its_data(tmp_path: Path) -> None:
    """Each step that is missing is run once, and the database as it was is kept beside it."""
    path = tmp_path / "store.sqlite"
    at(path, FIRST)
    at(path, FIRST, SECOND)
    at(path, FIRST, SECOND)
    with closing(opened(path)) as connection:
        assert connection.execute("SELECT name, size FROM thing").fetchall() == [("kept", 3)]
    assert (version(path), version(tmp_path / "store.sqlite.schema-1")) == (2, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store.sqlite", "store.sqlite.schema-1"]


def test_a_step_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    """Nothing of it is kept, the message names the step, and the steps before it stand."""
    path = tmp_path / "store.sqlite"
    at(path, FIRST)
    with pytest.raises(SchemaError, match=r"schema 3: .*: nowhere.* schema 2"):
        at(path, FIRST, SECOND, BROKEN)
    with closing(opened(path)) as connection:
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        assert tables == ["thing"]
        assert connection.execute("SELECT count(*) FROM thing").fetchone() == (1,)
    assert version(path) == 2
    at(path, FIRST, SECOND, "CREATE TABLE whole (name TEXT);")
    assert version(path) == 3


def test_a_database_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    """Going back must not damage what the newer one wrote: the file stays byte for byte."""
    path = tmp_path / "store.sqlite"
    Store(path).close()
    with closing(opened(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(SchemaError, match=f"schema 99.* {len(STEPS)}.*schema-{len(STEPS)}"):
        Store(path)
    assert path.read_bytes() == before


def test_the_service_says_so_and_does_not_start(tmp_path: Path) -> None:
    """One line instead of a traceback, and the exit code of wrong usage."""
    path = tmp_path / "sagemaker.sqlite"
    with closing(opened(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    command = [sys.executable, "-m", "local_sagemaker", "--root", str(tmp_path), "--port", "0"]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False)
    assert f"Cannot open {path}: it has schema 99" in ended.stderr


def test_a_database_that_cannot_be_copied_is_not_migrated(tmp_path: Path) -> None:
    """Here a folder is in the copy's way; the message says what was to be done, and that nothing was."""
    path = tmp_path / "store.sqlite"
    at(path, FIRST)
    (tmp_path / "store.sqlite.schema-1.new").mkdir()
    with pytest.raises(SchemaError, match=r"store\.sqlite to store\.sqlite\.schema-1"):
        at(path, FIRST, SECOND)
    assert version(path) == 1


@pytest.mark.parametrize("numbers", [[2], [1, 1], [1, 3]])
def test_steps_are_numbered_from_one(numbers: list[int]) -> None:
    """Two people who add a step at the same time must see it."""
    with pytest.raises(ValueError, match=re.escape(str(numbers))):
        blocks("".join(f"-- migration {number}\nA;\n" for number in numbers))


def test_pipelines_of_before_versions_have_their_first(tmp_path: Path) -> None:
    """Their definition becomes version 1, created when they were."""
    path = tmp_path / "store.sqlite"
    at(path, *STEPS[:3])
    text = '{"PipelineDefinition":"{}","CreationTime":{"$time":7.5}}'
    with closing(opened(path)) as connection:
        connection.execute(
            "INSERT INTO resource (kind, name, parent, arn, status, created, modified, document, state) "
            "VALUES ('pipeline', 'p', '', 'arn:p', 'Active', 7.5, 8, ?, '{\"token\":\"t\"}')",
            (text,),
        )
    store = Store(path)
    pipeline, version = store.get("pipeline", "p"), store.get("pipeline-version", "p/00000001")
    store.close()
    assert pipeline is not None
    assert version is not None
    assert pipeline.state == {"token": "t", "version": 1}
    assert (version.parent, version.arn, version.created) == ("p", "arn:p/version/1", 7.5)
    assert version.document == {
        "PipelineArn": "arn:p",
        "PipelineVersionId": 1,
        "PipelineDefinition": "{}",
        "CreationTime": datetime.fromtimestamp(7.5, UTC),
    }
