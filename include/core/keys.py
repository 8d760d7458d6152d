"""A step's identity: the SHA-256 of everything its output depends on.

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
        """The record as it is kept; what nobody forced does not speak of it."""
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
