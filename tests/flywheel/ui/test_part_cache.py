"""Parts of the page are read once in a while, and say how old they are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

from flywheel.ui.readers import PartCache


def test_a_fresh_part_is_not_read_again() -> None:
    """Within its time a part stays as it was; then it is read anew."""
    now = [0.0]
    cache = PartCache(5, lambda: now[0])
    values = iter(["first", "second"])
    told = [cache.part("a", lambda: next(values))["value"]]
    now[0] = 4.9
    told.append(cache.part("a", lambda: next(values))["value"])
    now[0] = 5.0
    told.append(cache.part("a", lambda: next(values))["value"])
    assert told == ["first", "first", "second"]


def test_what_cannot_be_read_stays_as_it_was_and_says_so() -> None:
    """With an error comes the last value and the time of that value, never the time of the failure."""
    now = [0.0]
    cache = PartCache(5, lambda: now[0])
    good = cache.part("a", lambda: "value")
    now[0] = 10.0

    def fails() -> None:
        raise ConnectionError("nobody answers")

    old = cache.part("a", fails)
    assert old == {"as_of": good["as_of"], "value": "value", "error": "ConnectionError: nobody answers"}
    now[0] = 20.0
    assert cache.part("a", lambda: "new")["error"] is None


def test_what_was_never_read_has_no_age() -> None:
    """A part whose first reading fails has neither a value nor a time."""

    def fails() -> None:
        raise ValueError("no")

    assert PartCache(5).part("a", fails) == {"as_of": None, "value": None, "error": "ValueError: no"}


def test_of_several_requests_at_once_one_reads() -> None:
    """The others wait for it and get the same."""
    cache, begun, go = PartCache(60), Barrier(3), Event()
    reads = []

    def read() -> str:
        reads.append(1)
        go.wait(10)
        return "value"

    def ask(_: int) -> str:
        begun.wait(10)
        return str(cache.part("a", read)["value"])

    with ThreadPoolExecutor(3) as pool:
        asked = pool.map(ask, range(3))
        go.set()
        assert list(asked) == ["value"] * 3
    assert len(reads) == 1
