"""A step's identity: the SHA-256 of everything its output depends on; and what differs between two of them.

Two runs whose steps have the same key would compute the same bytes, so the second takes the first one's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache

from include.core.code import step_digest
from include.core.cycle import Cycle
from include.core.documents.manifest import KeyRecord
from include.core.layout import Interval
from include.core.settings import PROJECT, Settings


@cache
def environment_digest() -> str:
    """Return the SHA-256 of the lock: other versions of the libraries may give other results."""
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

#: SHA-256 of each file, by its name
Files = Mapping[str, str]


def differing_files(first: Files, second: Files, one: str = "A", other: str = "B") -> list[str]:
    """Return the files that are not the same in both, each with what is the matter.

    >>> differing_files({"a.py": "1", "b.py": "2"}, {"a.py": "3"})
    ['a.py differs', 'b.py is in A only']
    """
    lines = []
    for name in sorted({*first, *second}):
        if name not in second:
            lines.append(f"{name} is in {one} only")
        elif name not in first:
            lines.append(f"{name} is in {other} only")
        elif first[name] != second[name]:
            lines.append(f"{name} differs")
    return lines


def differences(first: KeyRecord, second: KeyRecord, code: tuple[Files, Files] | None = None) -> list[str]:
    """Return what differs between two key records, a line each; none where they are the same.

    :param code: the files of each step's code with their digests, where both are known: the record has one
        digest for all of them
    """
    one, other = _parts(first), _parts(second)
    lines = []
    for name in [name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name)]:
        values = f"{_short(one.get(name, 'none'))} and {_short(other.get(name, 'none'))}"
        if name != "code":
            lines.append(f"{name}: {values}")
        elif code and (named := differing_files(*code)):
            lines += [f"code: {line}" for line in named]
        else:
            lines.append(f"code: {values}; an archive of it is gone, so the files cannot be named")
    return lines


def _parts(record: KeyRecord) -> dict[str, str]:
    """Return the parts of a record by what people call them."""
    return {
        "step": record.step,
        "cycle": record.cycle,
        "threads": str(record.threads),
        "forced by": str(record.forced_by),
        "interval": " to ".join(record.interval.iso),
        "code": record.code,
        **{f"input {name}": value for name, value in sorted(record.inputs.items())},
        **{f"parameter {name}": value for name, value in sorted(record.parameters.items())},
        "requirements.txt differs": record.environment,
    }


def _short(text: str) -> str:
    """Return the beginning of a digest; any other text as it is."""
    is_digest = len(text) == 64 and set(text) <= set("0123456789abcdef")  # noqa: PLR2004 - of SHA-256
    return text[:DIGITS] if is_digest else text
