"""What differs between two keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from include.core.documents.manifest import KeyRecord
from include.core.keys import differences, differing_files
from include.core.layout import Interval

DIGEST, OTHER = "ab" * 32, "cd" * 32
JANUARY = Interval(datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 2, 1, tzinfo=UTC))
FEBRUARY = Interval(datetime(2013, 2, 1, tzinfo=UTC), datetime(2013, 3, 1, tzinfo=UTC))
RECORD = KeyRecord(
    step="train",
    cycle="flights",
    interval=JANUARY,
    code=DIGEST,
    inputs={"train": DIGEST},
    parameters={},
    environment=DIGEST,
    threads=2,
)


def test_equal_records_do_not_differ() -> None:
    """There is nothing to name."""
    assert differences(RECORD, replace(RECORD)) == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"step": "fetch"}, "step: train and fetch"),
        ({"cycle": "digits"}, "cycle: flights and digits"),
        (
            {"interval": FEBRUARY},
            f"interval: {' to '.join(JANUARY.iso)} and {' to '.join(FEBRUARY.iso)}",
        ),
        ({"inputs": {"train": OTHER}}, "input train: abababababab and cdcdcdcdcdcd"),
        ({"inputs": {}}, "input train: abababababab and none"),
        ({"parameters": {"limit": "1"}}, "parameter limit: none and 1"),
        ({"environment": OTHER}, "requirements.txt differs: abababababab and cdcdcdcdcdcd"),
        ({"threads": 1}, "threads: 2 and 1"),
        ({"forced_by": "dag/run/2"}, "forced by: None and dag/run/2"),
    ],
)
def test_each_difference_is_named_alone(change: dict[str, Any], line: str) -> None:
    """One change in the record is one line."""
    assert differences(RECORD, replace(RECORD, **change)) == [line]


def test_code_that_differs_is_named_by_its_files() -> None:
    """Changed, added and removed files, where the archives are there."""
    code = ({"a.py": "1", "b.py": "1", "c.py": "1"}, {"a.py": "1", "b.py": "2", "d.py": "1"})
    assert differences(RECORD, replace(RECORD, code=OTHER), code) == [
        "code: b.py differs",
        "code: c.py is in A only",
        "code: d.py is in B only",
    ]


def test_code_without_its_archives_is_said_to_differ() -> None:
    """The digests tell that much, and the line says why there is no more."""
    (line,) = differences(RECORD, replace(RECORD, code=OTHER))
    assert line.startswith("code: abababababab and cdcdcdcdcdcd")
    assert "cannot be named" in line


def test_files_can_be_called_by_where_they_are() -> None:
    """The same comparison serves records and the project of now."""
    assert differing_files({"a": "1"}, {}, "the record", "the project") == ["a is in the record only"]
