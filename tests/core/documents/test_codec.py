"""How documents are read and written: values come back as they were, and errors name document and field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal

import pytest

from include.core.documents.codec import OMIT_NONE, Document, canonical
from include.core.exceptions import InvalidDocument
from include.core.layout import Interval

START, END = datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 2, 1, 6, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Part:
    """A part of a document."""

    share: float | None


@dataclass(frozen=True, kw_only=True)
class Sample(Document):
    """A document with a field of every kind."""

    at: datetime
    interval: Interval
    kind: Literal["one", "other"] = "one"
    parts: tuple[Part, ...] = ()
    named: Mapping[str, Part] = field(default_factory=dict)
    count: int = 0
    cell: float | str | None = None
    free: Any = None
    omitted: str | None = field(default=None, metadata=OMIT_NONE)


SAMPLE = Sample(
    at=END,
    interval=Interval(START, END),
    parts=(Part(0.5), Part(None)),
    named={"a": Part(1.0)},
    count=3,
    cell="JFK",
    free={"b": [1]},
)


def test_a_document_comes_back_as_it_was() -> None:
    """Times, intervals, lists and parts are values again."""
    assert Sample.from_text(canonical(SAMPLE.as_json())) == SAMPLE


def test_times_are_written_in_utc() -> None:
    """Whatever the offset of a time, its text has that of UTC."""
    local = END.astimezone(timezone(timedelta(hours=2)))
    assert Sample(at=local, interval=Interval(START, END)).as_json()["at"] == "2013-02-01T06:30:00+00:00"


def test_an_undefined_number_is_null() -> None:
    """JSON has no NaN."""
    assert Sample(at=END, interval=Interval(START, END), parts=(Part(float("nan")),)).as_json()["parts"] == [
        {"share": None}
    ]


def test_fields_of_a_later_version_are_ignored() -> None:
    """An earlier version reads what a later one wrote."""
    assert Sample.from_json({**SAMPLE.as_json(), "later": 1}) == SAMPLE


def test_a_field_that_says_nothing_is_left_out() -> None:
    """Documents whose digest is kept elsewhere must not get longer."""
    assert "omitted" not in SAMPLE.as_json()


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"at": "2013-01-01"}, "Sample.at"),
        ({"at": 3}, "Sample.at"),
        ({"interval": ["2013-01-01T00:00:00+00:00"]}, "Sample.interval"),
        ({"interval": ["2013-01-01T00:00:00+00:00", "x"]}, "Sample.interval[1]"),
        ({"kind": "third"}, "Sample.kind"),
        ({"parts": [{"share": 0.5}, {"share": "much"}]}, "Sample.parts[1].share"),
        ({"parts": {}}, "Sample.parts"),
        ({"named": {"a": {}}}, "Sample.named.a"),
        ({"named": {"a": 1}}, "Sample.named.a"),
        ({"count": 0.5}, "Sample.count"),
        ({"count": True}, "Sample.count"),
        ({"cell": []}, "Sample.cell"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], place: str) -> None:
    """The error begins with the document and the path of the field."""
    with pytest.raises(InvalidDocument) as error:
        Sample.from_json({**SAMPLE.as_json(), **changes})
    assert str(error.value).split()[0] == place


def test_a_missing_field_is_named() -> None:
    """So is what is there instead."""
    with pytest.raises(InvalidDocument) as error:
        Sample.from_json({"at": "2013-01-01T00:00:00+00:00"})
    assert {"Sample", "interval;", "at."} <= set(str(error.value).split())


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_what_is_no_object_is_refused(text: str) -> None:
    """A file that was cut off is no document."""
    with pytest.raises(InvalidDocument):
        Sample.from_text(text)
