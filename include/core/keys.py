"""A step's identity: the SHA-256 of everything its output depends on; and what differs between two of them.

Two runs whose steps have the same key would compute the same bytes, so the second takes the first one's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from include.core.code import step_digest
from include.core.cycle import Cycle
from include.core.documents.manifest import KeyRecord
from include.core.layout import Interval
from include.core.settings import PROJECT, Settings


def environment_digest() -> str:
    """SHA-256 of the lock: other versions of the libraries may give other results."""
    return hashlib.sha256((PROJECT / "requirements.txt").read_bytes()).hexdigest()


def key_record(
    *,
    step: str,
    cycle: Cycle,
    interval: Interval,
    inputs: Mapping[str, str],
    parameters: Mapping[str, str],
    settings: Settings,
    forced_by: str | None = None,
) -> KeyRecord:
    """Return the record of one step of one cycle for one interval."""
    return KeyRecord(
        step=step,
        cycle=cycle.name,
        interval=interval,
        code=step_digest(step, cycle.name),
        inputs=dict(inputs),
        parameters=dict(parameters),
        environment=environment_digest(),
        threads=settings.threads,
        forced_by=forced_by,
    )


#: digits of a digest that tell it apart for people
DIGITS = 12
#: what people call the parts of a record that are one value
SIMPLE = {"step": "step", "cycle": "cycle", "threads": "threads", "forced_by": "forced by"}

#: SHA-256 of each file, by its name
Files = Mapping[str, str]


def differing_files(first: Files, second: Files, one: str = "A", other: str = "B") -> list[str]:
    """Return the files that are not the same in both, each with what is the matter.

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


def differences(first: KeyRecord, second: KeyRecord, code: tuple[Files, Files] | None = None) -> list[str]:
    """Return what differs between two key records, a line each; none where they are the same.

    :param code: the files of each step's code with their digests, where both are known: the record has one
        digest for all of them
    """
    found = [
        f"{word}: {getattr(first, name)} and {getattr(second, name)}"
        for name, word in SIMPLE.items()
        if getattr(first, name) != getattr(second, name)
    ]
    if first.interval != second.interval:
        found.append(f"interval: {' to '.join(first.interval.iso)} and {' to '.join(second.interval.iso)}")
    found += _code(first, second, code)
    found += _entries("input", first.inputs, second.inputs)
    found += _entries("parameter", first.parameters, second.parameters)
    if first.environment != second.environment:
        found.append(
            f"requirements.txt differs: {_short(first.environment)} and {_short(second.environment)}"
        )
    return found


def _code(first: KeyRecord, second: KeyRecord, code: tuple[Files, Files] | None) -> list[str]:
    if first.code == second.code:
        return []
    if code and (named := differing_files(*code)):
        return [f"code: {line}" for line in named]
    digests = f"{_short(first.code)} and {_short(second.code)}"
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
    """Return the beginning of a digest; any other text as it is."""
    is_digest = len(text) == 64 and set(text) <= set("0123456789abcdef")  # noqa: PLR2004 - of SHA-256
    return text[:DIGITS] if is_digest else text
