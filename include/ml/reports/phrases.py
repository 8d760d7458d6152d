"""Numbers and times as text for reports."""

from __future__ import annotations

import math
from datetime import datetime

from include.core.documents.model import Bounds, Reason

#: seconds of each unit of ages, the largest first
UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
#: why a number, or its interval, is undefined
REASONS: dict[Reason, str] = {
    "one_class": "rows of one class",
    "few_events": "too few rows of a kind for an interval",
    "one_block": "rows of one block of time, no interval",
    "constant_labels": "labels that are all equal",
    "separated": "classes parted without an error, no interval",
    "empty": "no rows",
}
#: a month is no shorter
MONTH_DAYS = 28


def percent(share: float | None) -> str:
    """Return a share, 0 to 1, in per cent.

    >>> percent(0.243), percent(0.0002), percent(None)
    ('24 %', '0.02 %', 'unknown')
    """
    if share is None:
        return "unknown"
    value = share * 100
    small = 0 < abs(value) < 1
    return f"{value:.1g} %" if small else f"{value:.0f} %"


def number(value: float | None) -> str:
    """Return a number with three significant digits, or all digits of a whole one.

    >>> number(1234567), number(0.70449), number(29.8), number(None)
    ('1,234,567', '0.704', '29.8', 'undefined')
    """
    if value is None or math.isnan(value):
        return "undefined"
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - four digits are enough


def metric(value: float | None) -> str:
    """Return a metric with three decimals.

    >>> metric(0.7), metric(None)
    ('0.700', 'undefined')
    """
    return "undefined" if value is None else f"{value:.3f}"


def estimate(bounds: Bounds) -> str:
    """Return a number with its interval, with four decimals, or with the reason why there is none.

    >>> estimate(Bounds(0.7, 0.69, None))
    '0.7000 [0.6900, undefined]'
    """
    numbers = bounds.value, bounds.low, bounds.high
    value, low, high = ("undefined" if number is None else f"{number:.4f}" for number in numbers)
    return f"{value} [{low}, {high}]" if bounds.reason is None else f"{value} ({reason(bounds.reason)})"


def reason(why: Reason) -> str:
    """Return in words why a number, or its interval, is undefined.

    >>> reason("one_class")
    'rows of one class'
    """
    return REASONS[why]


def interval(bounds: Bounds) -> str:
    """Return a value with the bounds of its interval, if it has any.

    >>> interval(Bounds(0.7, 0.69, 0.71))
    '0.700 [0.690, 0.710]'
    """
    value, low, high = metric(bounds.value), bounds.low, bounds.high
    return value if low is None or high is None else f"{value} [{metric(low)}, {metric(high)}]"


def chance(p_value: float | None) -> str:
    """Return how likely such a distance is by chance alone.

    >>> chance(1e-30), chance(0.034)
    ('p < 1e-9', 'p = 0.034')
    """
    if p_value is None:
        return ""
    return "p < 1e-9" if p_value < 1e-9 else f"p = {p_value:.2g}"  # noqa: PLR2004 - smaller ones say no more


def age(seconds: float) -> str:
    """Return a length of time in its largest unit.

    >>> age(7200), age(86400 * 1.5), age(90), age(0)
    ('2 h', '1.5 d', '1.5 min', '0 s')
    """
    for size, unit in UNITS:
        if abs(seconds) >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def count(n: int, one: str, many: str = "") -> str:
    """Return a number with its noun.

    >>> count(1, "feature"), count(1200, "row")
    ('1 feature', '1,200 rows')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def moment(time: datetime) -> str:
    """Return a time in UTC; at midnight without its clock.

    >>> moment(datetime(2013, 2, 1)), moment(datetime(2013, 2, 1, 6, 30))
    ('1 Feb 2013', '1 Feb 2013 06:30 UTC')
    """
    clock = f"{time:%H:%M}"
    return f"{time.day} {time:%b %Y}" + ("" if clock == "00:00" else f" {clock} UTC")


def window(start: datetime, end: datetime) -> str:
    """Return a window in words.

    >>> window(datetime(2013, 2, 1), datetime(2013, 3, 1))
    'February 2013'
    >>> window(datetime(2013, 2, 1), datetime(2013, 2, 2))
    '1 Feb 2013 to 2 Feb 2013'
    """
    is_month = (start.day, start.hour, end.day, end.hour) == (1, 0, 1, 0)
    if is_month and MONTH_DAYS <= (end - start).days <= MONTH_DAYS + 3:
        return f"{start:%B %Y}"
    return f"{moment(start)} to {moment(end)}"


def short(start: datetime, end: datetime) -> str:
    """Return the start of a window, as short as the window's length allows.

    >>> short(datetime(2013, 2, 1), datetime(2013, 3, 1))
    'Feb 2013'
    >>> short(datetime(2013, 2, 1, 6), datetime(2013, 2, 1, 12))
    '1 Feb 06:00'
    """
    days = (end - start).total_seconds() / 86_400
    if days >= MONTH_DAYS:
        return f"{start:%b %Y}"
    return f"{start.day} {start:%b}" + (f" {start:%H:%M}" if days < 1 else "")
