"""Arrow values as numbers, texts and times, and what is wrong with those that cannot be read."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types as pt

from include.core.documents.model import LARGEST_NUMBER
from include.ml.cleaning.arrow_types import is_text

TIME = pa.timestamp("us", tz="UTC")
#: up to here double precision holds every whole number
EXACT = 2.0**53
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
#: ISO 8601, extended or basic: a date and at least an hour
MOMENT = re.compile(
    r"(\d{4}-?\d{2}-?\d{2}[T ]\d{2}(?::?\d{2}(?::?\d{2}(?:[.,]\d+)?)?)?) ?(Z|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)
#: [us since 1970] the years 1 to 9999, which Python and ISO 8601 can write
FIRST_US = int((datetime(1, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000
LAST_US = int((datetime(9999, 12, 31, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
LAST_US = (LAST_US + 86_400) * 1_000_000 - 1
#: units of times in microseconds; nanoseconds are cut
UNITS_US = {"s": 1_000_000, "ms": 1_000, "us": 1}
DAY_US = 86_400 * 1_000_000


class Fault(NamedTuple):
    """What is wrong with some values of a column."""

    #: for each value whether it is so
    where: np.ndarray
    #: the value at a place, for people
    shown: Callable[[int], object]
    #: what is wrong with it: "is no number"
    words: str


def read_texts(values: pa.Array) -> tuple[pa.Array, list[Fault]]:
    """Return values as text, each as it stands in its source: 7 is "7", also as a double."""
    if pt.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    try:
        return values.cast(pa.string()), []
    except pa.ArrowInvalid:  # bytes that are no UTF-8
        texts = [_decoded(value) for value in values.to_pylist()]
    read = pa.array(texts, pa.string())
    where = is_true(values.is_valid()) & is_true(read.is_null())
    return read, [_fault(where, values, "is no string")]


def _decoded(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def read_numbers(values: pa.Array) -> tuple[pa.Array, list[Fault]]:
    """Return values as doubles, missing where they are none that later steps can bear; and what is wrong."""
    numbers = _as_doubles(values)
    is_given = values.is_valid().to_numpy(zero_copy_only=False)
    if pt.is_floating(values.type):
        is_given = is_given & ~np.isnan(numbers)
    is_finite = np.isfinite(numbers)
    size = np.abs(numbers, where=is_finite, out=np.zeros_like(numbers))
    beyond = size > LARGEST_NUMBER
    inexact = np.zeros_like(beyond)
    for row in np.flatnonzero((size >= EXACT) & ~beyond).tolist():
        inexact[row] = _is_rounded(values[row].as_py(), numbers[row])
    is_kept = is_finite & ~beyond & ~inexact
    faults = [
        (is_given & ~is_finite, "is no number"),
        (beyond, "lies beyond single precision, in which models compute"),
        (inexact, "is a whole number that no double holds; a column of ids or codes is text (str)"),
    ]
    return pa.array(numbers, mask=~is_kept), [
        _fault(where, values, words) for where, words in faults if where.any()
    ]


def _as_doubles(values: pa.Array) -> np.ndarray:
    """Return values as doubles, NaN where there is none or it cannot be read."""
    if pt.is_decimal(values.type):
        # by its digits: Arrow divides by a power of ten, which is not the nearest double
        values = values.cast(pa.string())
    try:
        doubles = values.cast(pa.float64(), safe=not pt.is_integer(values.type))
    except pa.ArrowInvalid:
        texts = values.to_pylist()
        doubles = pa.array([float(text) if text and NUMBER.fullmatch(text) else None for text in texts])
        doubles = doubles.cast(pa.float64())
    numbers = np.array(doubles.to_numpy(zero_copy_only=False), dtype=np.float64)
    numbers[doubles.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return numbers


def _is_rounded(value: object, number: float) -> bool:
    """Return whether a whole number is another one as a double."""
    if isinstance(value, str):
        return WHOLE.fullmatch(value) is not None and int(value) != int(number)
    return isinstance(value, int) and value != int(number)


def read_times(values: pa.Array) -> tuple[pa.Array, list[Fault]]:
    """Return values as times in UTC, missing where they are none; and what is wrong."""
    is_given = values.is_valid().to_numpy(zero_copy_only=False)
    micros, is_read = _text_micros(values) if is_text(values.type) else _micros(values)
    is_kept = is_given & is_read
    times = pa.array(np.where(is_kept, micros, 0), pa.int64(), mask=~is_kept).view(TIME)
    where = is_given & ~is_read
    words = "is no time" if is_text(values.type) else "lies outside the years 1 to 9999"
    return times, [_fault(where, values, words)] if where.any() else []


def _micros(values: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return timestamps and dates as microseconds since 1970 in UTC, and which lie in the years 1 to 9999."""
    if pt.is_date(values.type):
        is_days = values.type == pa.date32()
        raw = values.cast(pa.int32() if is_days else pa.int64()).cast(pa.int64())
        factor = DAY_US if is_days else UNITS_US["ms"]
    else:
        raw, factor = values.cast(pa.int64()), UNITS_US.get(values.type.unit, 0)
    numbers = raw.fill_null(0).to_numpy(zero_copy_only=False)
    if not factor:
        return numbers // 1000, np.ones(len(numbers), dtype=bool)
    is_read = (numbers >= -(-FIRST_US // factor)) & (numbers <= LAST_US // factor)
    return np.where(is_read, numbers, 0) * factor, is_read


def _text_micros(values: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return texts as microseconds since 1970 in UTC, and which could be read; without offset it is UTC."""
    times = _fast_moments(values)
    if times is None:
        moments = [_moment(text) for text in values.to_pylist()]
        times = pa.array(moments, TIME)
    micros = times.view(pa.int64())
    is_read = micros.is_valid().to_numpy(zero_copy_only=False)
    return micros.fill_null(0).to_numpy(zero_copy_only=False), is_read


def _fast_moments(values: pa.Array) -> pa.Array | None:
    """Return the times of texts that are all alike, by Arrow; None if one of them is not as they are."""
    length = pc.min_max(pc.utf8_length(values))["min"].as_py()
    if length is None or length < len("2013-01-01T10"):
        return None
    for kind in (TIME, pa.timestamp("us")):
        try:
            times = values.cast(kind)
        except pa.ArrowInvalid:
            continue
        ends = pc.min_max(times.view(pa.int64()))
        if ends["min"].as_py() >= FIRST_US and ends["max"].as_py() <= LAST_US:
            return times.view(pa.int64()).view(TIME)
    return None


def _moment(text: str | None) -> datetime | None:
    match = MOMENT.fullmatch(text or "")
    try:
        if match is None:
            return None
        moment = datetime.fromisoformat(match[1].replace(",", ".") + (match[2] or "Z"))
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _fault(where: np.ndarray, values: pa.Array, words: str) -> Fault:
    def shown(position: int) -> str:
        value = values[position : position + 1]
        return repr(value.cast(pa.string())[0].as_py() if _is_moment(value.type) else value[0].as_py())

    return Fault(where, shown, words)


def _is_moment(arrow_type: pa.DataType) -> bool:
    return bool(pt.is_timestamp(arrow_type) or pt.is_date(arrow_type))


def is_true(mask: pa.Array) -> np.ndarray:
    """Return where a mask is true, and not null."""
    return np.asarray(mask.fill_null(pa.scalar(value=False)).to_numpy(zero_copy_only=False), dtype=bool)
