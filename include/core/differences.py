"""What differs between two steps' keys, or between what was recorded and what is there now, in words.

Pure functions of the key records (keys.py) and of digests by file name; needs no Airflow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: digits of a digest that tell it apart for people
DIGITS = 12
#: what people call the parts of a record that are one value
SIMPLE = {"step": "step", "cycle": "cycle", "threads": "threads", "forced_by": "forced by"}

Record = Mapping[str, Any]
#: SHA-256 of each file, by its name
Files = Mapping[str, str]


def differing_files(first: Files, second: Files, one: str = "A", other: str = "B") -> list[str]:
    """The files that are not the same in both, each with what is the matter.

    >>> differing_files({"a.py": "1", "b.py": "2"}, {"a.py": "3"})
    ['a.py differs', 'b.py is in A only']
    """
    found = []
    for name in sorted({*first, *second}):
        if name not in second:
            found.append(f"{name} is in {one} only")
        elif name not in first:
            found.append(f"{name} is in {other} only")
        elif first[name] != second[name]:
            found.append(f"{name} differs")
    return found


def differences(first: Record, second: Record, code: tuple[Files, Files] | None = None) -> list[str]:
    """What differs between two key records, a line each; none where they are the same.

    :param code: the files of each step's code with their digests, where both are known: the record has one
        digest for all of them
    """
    found = [
        f"{word}: {first.get(name)} and {second.get(name)}"
        for name, word in SIMPLE.items()
        if first.get(name) != second.get(name)
    ]
    if first["interval"] != second["interval"]:
        found.append(f"interval: {' to '.join(first['interval'])} and {' to '.join(second['interval'])}")
    found += _code(first, second, code)
    found += _entries("input", first["inputs"], second["inputs"])
    found += _entries("parameter", first["parameters"], second["parameters"])
    if first["environment"] != second["environment"]:
        found.append(
            f"requirements.txt differs: {_short(first['environment'])} and {_short(second['environment'])}"
        )
    return found


def _code(first: Record, second: Record, code: tuple[Files, Files] | None) -> list[str]:
    if first["code"] == second["code"]:
        return []
    if code and (named := differing_files(*code)):
        return [f"code: {line}" for line in named]
    digests = f"{_short(first['code'])} and {_short(second['code'])}"
    return [f"code: {digests}; an archive of it is gone, so the files cannot be named"]


def _entries(word: str, first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    """Differences of two dictionaries, by name."""
    return [
        f"{word} {name}: {_value(first, name)} and {_value(second, name)}"
        for name in sorted({*first, *second})
        if first.get(name) != second.get(name)
    ]


def _value(entries: Mapping[str, str], name: str) -> str:
    return _short(entries[name]) if name in entries else "none"


def _short(text: str) -> str:
    """The beginning of a digest; any other text as it is."""
    is_digest = len(text) == 64 and set(text) <= set("0123456789abcdef")  # noqa: PLR2004 - of SHA-256
    return text[:DIGITS] if is_digest else text
