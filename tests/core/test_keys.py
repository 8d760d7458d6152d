"""A step's identity."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from include.core.cycle import Cycle
from include.core.documents.codec import canonical, digest
from include.core.documents.manifest import KeyRecord
from include.core.keys import key_record
from include.core.layout import Interval
from include.core.settings import Settings

RECORD = KeyRecord(
    step="clean",
    cycle="flights",
    interval=Interval(datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 2, 1, tzinfo=UTC)),
    code="c",
    inputs={"fetch": "d"},
    parameters={"limit": "1"},
    environment="e",
    threads=2,
)


def test_canonical_json_does_not_depend_on_the_order_of_names() -> None:
    """Equal values are equal text."""
    assert canonical({"b": 1, "a": [True, None, "ü"]}) == '{"a":[true,null,"ü"],"b":1}'


def test_a_digest_is_the_sha256_of_the_canonical_text() -> None:
    """The value is known: of the two characters {}."""
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@pytest.mark.parametrize(
    "change",
    [
        {"step": "fetch"},
        {"cycle": "digits"},
        {"interval": Interval(datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 1, 2, tzinfo=UTC))},
        {"code": "x"},
        {"inputs": {"fetch": "x"}},
        {"inputs": {"other": "d"}},
        {"parameters": {}},
        {"environment": "x"},
        {"threads": 1},
        {"forced_by": "dag/run/2"},
    ],
)
def test_a_key_changes_with_everything_in_its_record(change: dict[str, Any]) -> None:
    """Nothing in it is for show."""
    assert replace(RECORD, **change).key != RECORD.key


def test_what_nobody_forced_says_nothing_of_force() -> None:
    """An ordinary key is made from the ordinary things."""
    assert "forced_by" not in RECORD.as_json()
    assert RECORD.key == digest(RECORD.as_json())


def test_a_record_takes_the_thread_count_from_the_settings(cycle: Cycle) -> None:
    """Results may depend on it."""
    month = Interval(datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 2, 1, tzinfo=UTC))
    given: dict[str, Any] = {
        "step": "train",
        "cycle": cycle,
        "interval": month,
        "inputs": {},
        "parameters": {},
    }
    one = key_record(**given, settings=Settings(threads=1))
    assert one.threads == 1
    assert one.key != key_record(**given, settings=Settings(threads=2)).key
    assert one.key == key_record(**given, settings=Settings(threads=1, bucket="another")).key
