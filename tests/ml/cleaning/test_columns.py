"""Each type of Arrow's, with and without nulls, is read exactly or refused by the column's name."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.ml.cleaning.arrow_types import readable, refuse_type
from include.ml.cleaning.columns import read_column
from include.ml.exceptions import InvalidInput

BIG = 9007199254740993
DAY = dt.date(2013, 1, 5)
NOON = dt.datetime(2013, 1, 5, 12, tzinfo=dt.UTC)
#: type, a value of it, and the same as number, as text and as time; None where it is refused
TYPES: list[tuple[pa.DataType, Any, float | None, str | None, dt.datetime | None]] = [
    *((kind, 7, 7.0, "7", None) for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64())),
    *((kind, 7, 7.0, "7", None) for kind in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())),
    *((kind, 7.0, 7.0, "7", None) for kind in (pa.float16(), pa.float32(), pa.float64())),
    (pa.float64(), 0.1, 0.1, "0.1", None),
    (pa.float32(), 0.5, 0.5, "0.5", None),
    (pa.bool_(), True, 1.0, "true", None),
    (pa.decimal32(7, 2), Decimal("7.10"), 7.1, "7.10", None),
    (pa.decimal64(12, 2), Decimal("7.10"), 7.1, "7.10", None),
    (pa.decimal128(12, 2), Decimal("7.10"), 7.1, "7.10", None),
    (pa.decimal256(50, 2), Decimal("7.10"), 7.1, "7.10", None),
    *((kind, "7", 7.0, "7", None) for kind in (pa.string(), pa.large_string(), pa.string_view())),
    (pa.dictionary(pa.int8(), pa.string()), "7", 7.0, "7", None),
    (pa.dictionary(pa.int32(), pa.int64()), 7, 7.0, "7", None),
    (pa.string(), "2013-01-05T12", None, "2013-01-05T12", NOON),
    (pa.date32(), DAY, None, "2013-01-05", NOON.replace(hour=0)),
    (pa.date64(), DAY, None, "2013-01-05", NOON.replace(hour=0)),
    *(
        (pa.timestamp(unit, zone), NOON, None, None, NOON)
        for unit in ("s", "ms", "us", "ns")
        for zone in ("UTC", "America/New_York", None)
    ),
    (pa.time32("s"), dt.time(12), None, "12:00:00", None),
    *((kind, b"a1", None, "a1", None) for kind in (pa.binary(), pa.large_binary(), pa.binary_view())),
    (pa.binary(2), b"a1", None, "a1", None),
]
NULLS = ["none", "some", "all"]


def column(kind: pa.DataType, value: Any, nulls: str) -> pa.Array:  # noqa: ANN401 - a value of any type
    """Two rows of a type."""
    values = {"none": [value, value], "some": [value, None], "all": [None, None]}[nulls]
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
    if isinstance(value, dt.datetime) and kind.tz is None:
        values = [None if value is None else value.replace(tzinfo=None) for value in values]
    return pa.array(values, kind)


@pytest.mark.parametrize("nulls", NULLS)
@pytest.mark.parametrize("row", TYPES, ids=lambda row: f"{row[0]}: {row[1]}")
def test_a_value_is_read_as_it_stands_beside_nulls_and_without(row: tuple[Any, ...], nulls: str) -> None:
    """Nulls change neither the type nor the text of the values beside them."""
    kind, value, number, text, time = row
    for wanted, expected in (("number", number), ("string", text), ("time", time)):
        if expected is None:
            continue
        assert readable(kind, wanted)
        read = read_column(column(kind, value, nulls), wanted)
        rows = {"none": [expected, expected], "some": [expected, None], "all": [None, None]}[nulls]
        assert (read.column.array().to_pylist(), list(read.reasons("c"))) == (rows, [])


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.int64()),
        pa.large_list(pa.string()),
        pa.list_(pa.int8(), 2),
        pa.struct([("a", pa.int64())]),
        pa.map_(pa.string(), pa.int64()),
        pa.duration("s"),
        pa.month_day_nano_interval(),
        pa.dictionary(pa.int8(), pa.list_(pa.int64())),
        pa.uuid(),
        pa.bool8(),
    ],
    ids=str,
)
@pytest.mark.parametrize("wanted", ["number", "string", "time"])
def test_a_type_without_a_meaning_is_refused_by_its_column(kind: pa.DataType, wanted: str) -> None:
    """The refusal names table, column and type, and what could be read."""
    with pytest.raises(InvalidInput, match=r"Table t, column c: type .* cannot be read as a"):
        refuse_type("t", "c", wanted, kind)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (pa.int64(), "time"),
        (pa.float64(), "time"),
        (pa.bool_(), "time"),
        (pa.time64("us"), "time"),
        (pa.time32("s"), "number"),
        (pa.date32(), "number"),
        (pa.timestamp("us"), "number"),
        (pa.binary(), "number"),
        (pa.binary(), "time"),
    ],
    ids=str,
)
def test_a_type_is_not_read_as_another_kind(kind: pa.DataType, wanted: str) -> None:
    """An integer is no time: nothing says from when and in which unit it counts."""
    assert not readable(kind, wanted)


@pytest.mark.parametrize("nulls", [[], [None]])
def test_whole_numbers_keep_their_digits_as_text(nulls: list[None]) -> None:
    """Ids beyond 2**53 are exact, in columns with a null as without."""
    ids = [BIG, BIG + 2, BIG + 4, 7, *nulls]
    read = read_column(pa.array(ids, pa.int64()), "string")
    assert read.column.array().to_pylist() == [str(number) for number in ids[:4]] + nulls


@pytest.mark.parametrize("array", [pa.array([BIG]), pa.array([str(BIG)]), pa.array([2**64 - 1], pa.uint64())])
def test_a_whole_number_that_no_double_holds_is_no_number(array: pa.Array) -> None:
    """It is not rounded to another one: the reason says what to do."""
    read = read_column(array, "number")
    assert read.column.array().to_pylist() == [None]
    ((_, reason),) = read.reasons("c")
    assert "is a whole number that no double holds; a column of ids or codes is text (str)" in reason.text


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2013-01-05T12:00:00Z", 12),
        ("2013-01-05 12:00", 12),
        ("2013-01-05T12", 12),
        ("2013-01-05T12+01", 11),
        ("2013-01-05T12:00:00+0100", 11),
        ("2013-01-05 12:00:00 +01:00", 11),
        ("20130105T12", 12),
        ("20130105T1200Z", 12),
        ("2013-01-05T12:00:00,0Z", 12),
        ("2013-01-05T12:00:00.000000000Z", 12),
        *((text, None) for text in ("-5", "2400", "2013", "20130101", "2013-01", "2013-01-05", "2013-W01-6")),
        *((text, None) for text in ("12:00", "2013-13-01T00:00Z", "2013-02-30T00:00Z", "2013-01-05T24:00Z")),
        *((text, None) for text in ("soon", "1357387200", "2013-01-05T", "0000-01-05T12:00Z", "NaT", "now")),
        ("٢٠١٣-01-05T12:00Z", None),
        ("9999-12-31T23:59:59-05:00", None),
    ],
)
def test_a_time_has_its_date_and_its_hour(text: str, hour: int | None) -> None:
    """Alone and beside a time of the common form, which Arrow reads at once."""
    for others in ([], ["2013-01-05T12:00:00Z"], ["2013-01-05T12:00:00"]):
        read = read_column(pa.array([text, *others]), "time")
        first = read.column.array().to_pylist()[0]
        assert (first and first.hour) == hour
        reasons = [reason.text for _, reason in read.reasons("c")]
        assert reasons == ([] if hour is not None else [f"c: {text!r} is no time"])


@given(st.lists(st.one_of(st.none(), st.datetimes(timezones=st.just(dt.UTC))), max_size=5))
def test_times_come_back_as_they_went(times: list[dt.datetime | None]) -> None:
    """From text of any of Python's years, and from timestamps."""
    texts = pa.array([time and time.isoformat() for time in times], pa.string())
    for array in (texts, texts.dictionary_encode(), pa.array(times, pa.timestamp("us", "UTC"))):
        assert read_column(array, "time").column.array().to_pylist() == times


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_a_timestamp_that_no_calendar_holds_is_set_aside(unit: str) -> None:
    """Years below 1 and above 9999 cannot be written; the others of the chunk stay."""
    per_second = {"s": 1, "ms": 1000, "us": 10**6}[unit]
    raw = [year * 31_556_952 * per_second for year in (-5000, 10, 9000)]
    read = read_column(pa.array(raw, pa.int64()).view(pa.timestamp(unit, "UTC")), "time")
    assert [value is None for value in read.column.array().to_pylist()] == [True, False, True]
    assert all(reason.text.endswith("lies outside the years 1 to 9999") for _, reason in read.reasons("c"))


@given(st.lists(st.one_of(st.none(), st.floats(width=32, allow_nan=False, allow_infinity=False)), max_size=6))
def test_numbers_come_back_as_they_went(numbers: list[float | None]) -> None:
    """From text and from doubles, whichever."""
    texts = pa.array([None if number is None else repr(number) for number in numbers], pa.string())
    for array in (texts, texts.dictionary_encode(), pa.array(numbers, pa.float64())):
        bounded = [
            None if number is not None and abs(number) > 3.4028234e38 else number for number in numbers
        ]
        assert read_column(array, "number").column.array().to_pylist() == bounded


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("1e39", "lies beyond single precision"),
        ("-1e39", "lies beyond single precision"),
        (1e39, "lies beyond single precision"),
        (float("inf"), "is no number"),
        (float("-inf"), "is no number"),
        *((text, "is no number") for text in ("inf", "-Infinity", "nan", "NaN", "1_000", "0x10", "\uff11")),
    ],
)
def test_what_single_precision_cannot_hold_is_no_number(value: str | float, words: str) -> None:
    """It has a reason, whatever the source's type."""
    read = read_column(pa.array([value]), "number")
    assert read.column.array().to_pylist() == [None]
    assert words in next(reason.text for _, reason in read.reasons("c"))


@pytest.mark.parametrize("text", ["", " ", "\t", "\u00a0 "])
@pytest.mark.parametrize("wanted", ["number", "string", "time"])
def test_blank_text_is_missing(text: str, wanted: str) -> None:
    """Alike in every kind of column."""
    read = read_column(pa.array([text]), wanted)
    assert (read.column.array().to_pylist(), list(read.reasons("c"))) == ([None], [])


def test_bytes_that_are_no_text_are_set_aside() -> None:
    """The others of the column are read."""
    read = read_column(pa.array([b"a", b"\xff", None]), "string")
    assert read.column.array().to_pylist() == ["a", None, None]
    assert [(row, reason.text) for row, reason in read.reasons("c")] == [(1, r"c: b'\xff' is no string")]
