"""The ticks of a cron expression, for jobs: they know when their window ends, and ask when the next ones do.

The five fields and their names, lists, ranges and steps; `@hourly`, `@daily`, `@weekly`, `@monthly` and
`@yearly`. Airflow's own reading of an expression allows more, and is not there in a job's container.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
#: first and last value of minute, hour, day of the month, month and day of the week (0 and 7 are Sunday)
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
NAMES: tuple[dict[str, int], ...] = (
    {},
    {},
    {},
    dict(zip(MONTHS, range(1, 13), strict=True)),
    dict(zip(DAYS, range(7), strict=True)),
)
#: a leap day can be eight years away
LONGEST_DAYS = 366 * 9


def ticks(expression: str, after: datetime) -> Iterator[datetime]:
    """The moments after `after` at which the expression is due, in its time zone, without end.

    >>> following = ticks("0 0 1 * *", datetime(2013, 1, 31, 12))
    >>> [next(following).isoformat() for _ in range(2)]
    ['2013-02-01T00:00:00', '2013-03-01T00:00:00']
    """
    minutes, hours, days, months, weekdays = _fields(expression)
    both = not (_is_any(expression, 2) or _is_any(expression, 4))
    day, idle = after.replace(hour=0, minute=0, second=0, microsecond=0), 0
    while idle < LONGEST_DAYS:
        is_day, is_weekday = day.day in days, day.isoweekday() % 7 in weekdays
        # of two restricted days either will do: so cron has it
        fits = (is_day or is_weekday) if both else (is_day and is_weekday)
        idle = 0 if fits and day.month in months else idle + 1
        if not idle:
            moments = (day.replace(hour=hour, minute=minute) for hour in hours for minute in minutes)
            yield from (moment for moment in moments if moment > after)
        day += timedelta(days=1)


def _fields(expression: str) -> list[list[int]]:
    """The values of each field, in their order."""
    texts = PRESETS.get(expression.lower(), expression).lower().split()
    if len(texts) != len(RANGES):
        raise ValueError(
            f"The schedule {expression!r} has {len(texts)} fields; a cron expression has five: minute, hour, "
            "day of the month, month and day of the week."
        )
    try:
        found = [_field(text, place) for place, text in enumerate(texts)]
    except ValueError as error:
        raise ValueError(f"The schedule {expression!r} cannot be read: {error}.") from error
    found[4] = sorted({value % 7 for value in found[4]})
    return found


def _field(text: str, place: int) -> list[int]:
    first, last = RANGES[place]
    values: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        low, _, high = span.partition("-")
        start = first if span == "*" else _value(low, place)
        # "5/15" goes on from 5
        end = _value(high, place) if high else (last if span == "*" or step else start)
        if not (first <= start <= end <= last) or (step and int(step) < 1):
            raise ValueError(f"{part!r} is not within {first} to {last}")
        values.update(range(start, end + 1, int(step or 1)))
    return sorted(values)


def _value(text: str, place: int) -> int:
    return NAMES[place][text] if text in NAMES[place] else int(text)


def _is_any(expression: str, place: int) -> bool:
    """Whether a field leaves its value open."""
    return PRESETS.get(expression.lower(), expression).split()[place] == "*"
