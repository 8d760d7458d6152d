"""Brings the database's tables to what this program knows, step by step, and never back.

`schema.sql` holds the steps: blocks that begin with `-- migration <number>`, numbered from 1. A block is run
once, in one transaction with the number that says so (`PRAGMA user_version`): killed at any instant, a
database has a whole number of steps. A database with data is copied before its first step.
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from local_sagemaker.storage import queries
from local_sagemaker.storage.objects import files

SCHEMA = Path(__file__).parent / "schema.sql"
HEAD = re.compile(r"^-- migration (\d+)\b.*$", re.MULTILINE)


class SchemaError(Exception):
    """The database cannot be used by this program; the text says why, and what to do."""


def blocks(text: str) -> list[str]:
    """Return the steps of a schema in order; raise ValueError if their numbers are not 1, 2, 3, ..."""
    _, *parts = HEAD.split(text)
    numbers = [int(number) for number in parts[::2]]
    if numbers != list(range(1, len(numbers) + 1)):
        raise ValueError(f"The migrations are numbered {numbers}: give the new one the next number.")
    return parts[1::2]


def migrate(connection: sqlite3.Connection, path: Path, steps: list[str] | None = None) -> None:
    """Run the steps that the database at `path` has not had; SchemaError if it had others, or one fails."""
    steps = blocks(SCHEMA.read_text(encoding="utf-8")) if steps is None else steps
    version = connection.execute(queries.VERSION).fetchone()[0]
    if version > len(steps):
        raise SchemaError(
            f"Cannot open {path}: it has schema {version}, and this program knows only up to {len(steps)}. A "
            "newer version of the program has written it. Use that one, or another root; or put the copy "
            f"of before ({_copy(path, len(steps)).name}, if there is one) in its place: later data is lost."
        )
    if 0 < version < len(steps):
        # the copy comes whole or not at all
        kept = _copy(path, version)
        unfinished = kept.with_name(f"{kept.name}.new")
        try:
            unfinished.unlink(missing_ok=True)
            connection.execute(queries.COPY, {"path": str(unfinished)})
            unfinished.replace(kept)
            files.sync_folder(kept.parent)
        except (sqlite3.Error, OSError) as error:
            raise SchemaError(
                f"Cannot copy {path} to {kept.name} before it is migrated: {error}. Nothing was changed. "
                "Make room for a copy, or move the root to a larger disk."
            ) from error
    for number, statements in enumerate(steps[version:], start=version + 1):
        _run(connection, path, number, statements)


def _run(connection: sqlite3.Connection, path: Path, number: int, statements: str) -> None:
    try:
        connection.executescript(queries.MIGRATION.format(statements=statements, number=number))
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute(queries.ROLLBACK)
        raise SchemaError(
            f"Cannot bring {path} to schema {number}: {error}. It is as it was, at schema {number - 1}. Make "
            "room if the disk is full; else use the program that wrote it, and report this."
        ) from error


def _copy(path: Path, version: int) -> Path:
    return path.with_name(f"{path.name}.schema-{version}")
