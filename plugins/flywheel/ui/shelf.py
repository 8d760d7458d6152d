"""What was read lately, with the time at which it was read.

Nothing is shown without its age: a part that cannot be read again stays as it was, and says since when, and
why.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any

log = logging.getLogger(__name__)

#: how much of an error's text is shown
ERROR_LIMIT = 400


@dataclass
class _Place:
    """One part's place on the shelf."""

    lock: Lock = field(default_factory=Lock)
    value: Any = None
    #: when the value was read, in ISO 8601; None if it never was
    as_of: str | None = None
    error: str | None = None
    #: when reading was last tried, on a clock that never goes back, in seconds
    tried: float | None = None


class Shelf:
    """Parts of the page by name; of several requests for one at the same time one reads, the others wait.

    :param fresh_s: a part that was read within so many seconds is not read again
    :param clock: seconds on a clock that never goes back
    """

    def __init__(self, fresh_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._fresh_s, self._clock = fresh_s, clock
        self._places: dict[str, _Place] = {}
        self._lock = Lock()

    def part(self, name: str, read: Callable[[], Any]) -> dict[str, Any]:
        """`{"as_of", "value", "error"}`: with an error, the value is the last that could be read, or null."""
        with self._lock:
            place = self._places.setdefault(name, _Place())
        with place.lock:
            now = self._clock()
            if place.tried is None or now - place.tried >= self._fresh_s:
                self._read(name, place, read)
            return {"as_of": place.as_of, "value": place.value, "error": place.error}

    def _read(self, name: str, place: _Place, read: Callable[[], Any]) -> None:
        as_of = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            place.value, place.as_of, place.error = read(), as_of, None
        except Exception as error:
            log.warning("Cannot read %s for the page", name, exc_info=True)
            place.error = f"{type(error).__name__}: {error}"[:ERROR_LIMIT]
        place.tried = self._clock()
