"""A step's identity: the SHA-256 of everything its output depends on; and what differs between two of them.

Two runs whose steps have the same key would compute the same bytes, so the second takes the first one's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from include.core.code import step_digest
from include.core.cycle import Cycle
from include.core.layout import Interval
from include.core.settings import PROJECT, Settings


def canonical(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """JSON with sorted names and no blanks: equal values have equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """SHA-256 of a value's canonical JSON, 64 hex digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class KeyRecord:
    """What goes into a step's key; kept as `keys/<key>.json`, so that two keys can be compared."""

    step: str
    cycle: str
    interval: list[str]
    #: digest of the step's code and the cycle's package
    code: str
    #: content digests of the inputs, by name
    inputs: Mapping[str, str]
    parameters: Mapping[str, str]
    #: digest of requirements.txt
    environment: str
    threads: int
    #: the task that was told to run its job again; None: anybody's
    forced_by: str | None = None

    @property
    def content(self) -> dict[str, Any]:
        """The record as it is kept: without `forced_by` where nobody forced the job."""
        return {name: value for name, value in asdict(self).items() if (name, value) != ("forced_by", None)}

    @property
    def key(self) -> str:
        """The step's key, 64 hex digits."""
        return digest(self.content)


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
    """The record of one step of one cycle for one interval."""
    return KeyRecord(
        step=step,
        cycle=cycle.name,
        interval=interval.iso,
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
