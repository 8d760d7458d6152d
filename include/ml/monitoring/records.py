"""What capture records and ground-truth records of SageMaker have in common: encoded data, and faults."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

#: faults that are told with their place; the others are only counted
EXAMPLES = 5


class MalformedError(ValueError):
    """A record that cannot be used; its text says why, and quotes no data, which may be private."""


class Faults:
    """Counts records that cannot be used, and names the first few.

    Examples
    --------
    >>> faults = Faults()
    >>> faults.add("10/a.jsonl", 3, MalformedError("it is cut off"))
    >>> faults.told()
    {'count': 1, 'examples': ['10/a.jsonl, line 3: it is cut off']}
    """

    def __init__(self) -> None:
        self.count = 0
        self._examples: list[str] = []

    def add(self, file: str, line: int, error: MalformedError) -> None:
        """Note one record."""
        self.count += 1
        if len(self._examples) < EXAMPLES:
            self._examples.append(f"{file}, line {line}: {error}")

    def told(self) -> dict[str, Any]:
        """How many there were, and which were the first."""
        return {"count": self.count, "examples": list(self._examples)}


def parse_object(line: str) -> dict[str, Any]:
    """A line as a JSON object.

    Raises
    ------
    MalformedError
        The line is cut off, or is something else.
    """
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        raise MalformedError(f"it is no JSON ({error.msg} at character {error.pos})") from error
    if not isinstance(found, dict):
        raise MalformedError("it is no JSON object")
    return found


def member(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A member that is an object itself.

    Raises
    ------
    MalformedError
        There is none of that name.
    """
    found = record.get(name)
    if not isinstance(found, dict):
        raise MalformedError(f"it has no {name}")
    return found


def text_of(part: Mapping[str, Any]) -> str:
    """The data of a record's part as text, whatever its encoding: CSV, JSON or BASE64.

    Raises
    ------
    MalformedError
        There is no data, or it is not what its encoding says.

    Examples
    --------
    >>> text_of({"data": "MQ==", "encoding": "BASE64"})
    '1'
    """
    data, encoding = part.get("data"), part.get("encoding")
    if encoding in {"CSV", "JSON"} and isinstance(data, str):
        return data
    if encoding == "JSON" and data is not None:
        return json.dumps(data)
    if encoding != "BASE64" or not isinstance(data, str):
        raise MalformedError("its data is in none of the encodings CSV, JSON and BASE64")
    try:
        return base64.b64decode(data, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise MalformedError("its data is no text in BASE64") from error


def parse_moment(text: object, name: str) -> datetime:
    """An ISO 8601 time, in UTC; one without an offset is UTC.

    Raises
    ------
    MalformedError
        It is no such time.
    """
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise MalformedError(f"its {name} is no ISO 8601 time") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
