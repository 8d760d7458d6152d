"""What differs between two keys."""

from __future__ import annotations

import pytest

from include.core.keys import differences, differing_files

DIGEST, OTHER = "ab" * 32, "cd" * 32
RECORD = {
    "step": "train",
    "cycle": "flights",
    "interval": ["a", "b"],
    "code": DIGEST,
    "inputs": {"train": DIGEST},
    "parameters": {},
    "environment": DIGEST,
    "threads": 2,
}


def test_equal_records_do_not_differ():
    """There is nothing to name."""
    assert differences(RECORD, dict(RECORD)) == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"step": "fetch"}, "step: train and fetch"),
        ({"cycle": "digits"}, "cycle: flights and digits"),
        ({"interval": ["a", "c"]}, "interval: a to b and a to c"),
        ({"inputs": {"train": OTHER}}, "input train: abababababab and cdcdcdcdcdcd"),
        ({"inputs": {}}, "input train: abababababab and none"),
        ({"parameters": {"limit": "1"}}, "parameter limit: none and 1"),
        ({"environment": OTHER}, "requirements.txt differs: abababababab and cdcdcdcdcdcd"),
        ({"threads": 1}, "threads: 2 and 1"),
        ({"forced_by": "dag/run/2"}, "forced by: None and dag/run/2"),
    ],
)
def test_each_difference_is_named_alone(change: dict, line: str):
    """One change in the record is one line."""
    assert differences(RECORD, {**RECORD, **change}) == [line]


def test_code_that_differs_is_named_by_its_files():
    """Changed, added and removed files, where the archives are there."""
    code = ({"a.py": "1", "b.py": "1", "c.py": "1"}, {"a.py": "1", "b.py": "2", "d.py": "1"})
    assert differences(RECORD, {**RECORD, "code": OTHER}, code) == [
        "code: b.py differs",
        "code: c.py is in A only",
        "code: d.py is in B only",
    ]


def test_code_without_its_archives_is_said_to_differ():
    """The digests tell that much, and the line says why there is no more."""
    (line,) = differences(RECORD, {**RECORD, "code": OTHER})
    assert line.startswith("code: abababababab and cdcdcdcdcdcd")
    assert "cannot be named" in line


def test_files_can_be_called_by_where_they_are():
    """The same comparison serves records and the project of now."""
    assert differing_files({"a": "1"}, {}, "the record", "the project") == ["a is in the record only"]
