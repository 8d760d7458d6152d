"""Cron expressions and the intervals between their ticks, the same in Airflow and in jobs.

croniter reads the expressions, as Airflow's timetables do. A cycle has checked its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from croniter import croniter  # type: ignore[import-untyped]  # it ships no types

from include.core.cycle import Cycle
from include.core.exceptions import IntervalError
from include.core.layout import Interval


def ticks(expression: str, after: datetime) -> Iterator[datetime]:
    """Yield the moments after `after` at which a cron expression is due, without end.

    >>> following = ticks("0 0 L * *", datetime(2013, 1, 31, 12))
    >>> [next(following).isoformat() for _ in range(2)]
    ['2013-02-28T00:00:00', '2013-03-31T00:00:00']
    """
    due = croniter(expression, after)
    while True:
        yield due.get_next(datetime)


def next_tick(expression: str, after: datetime) -> datetime:
    """Return the first moment after `after` at which a cron expression is due."""
    return next(ticks(expression, after))


def previous_tick(expression: str, before: datetime) -> datetime:
    """Return the last moment before `before` at which a cron expression is due."""
    tick: datetime = croniter(expression, before).get_prev(datetime)
    return tick


def first_tick_from(expression: str, moment: datetime) -> datetime | None:
    """Return the first tick at or after a moment; None if none comes before the year 10000.

    >>> first_tick_from("0 0 1 * *", datetime(2013, 2, 1)), first_tick_from("0 0 1 * *", datetime.max)
    (datetime.datetime(2013, 2, 1, 0, 0), None)
    """
    try:
        return next_tick(expression, previous_tick(expression, moment))
    except (ValueError, OverflowError):
        return None


def window_schedule(cycle: Cycle) -> str:
    """Return the schedule of the windows in which a cycle is monitored."""
    return cycle.monitoring.schedule or cycle.schedule


def starting_at(cycle: Cycle, text: str, schedule: str | None = None) -> Interval:
    """Return the interval of the schedule that starts at the date or time `text`.

    :param schedule: cron expression of the intervals; by default the cycle's
    :raises IntervalError: `text` is no date, or no interval starts then
    """
    cron = schedule or cycle.schedule
    try:
        given = datetime.fromisoformat(text)
    except ValueError as error:
        raise IntervalError(f"interval_start={text!r} is no date. Write it like 2013-01-01.") from error
    start = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    # From just before `start`, so that a tick at `start` itself is found.
    tick = next_tick(cron, previous_tick(cron, start.replace(microsecond=0)))
    if tick != start:
        raise IntervalError(
            f"interval_start={text!r} is no start of an interval of cycle {cycle.name} "
            f"(schedule {cron!r}). The next one starts at {tick.isoformat()}."
        )
    return Interval(start, next_tick(cron, start))


def interval_around(schedule: str, moment: datetime) -> Interval:
    """Return the interval of a schedule that a moment lies in."""
    end = next_tick(schedule, moment)
    return Interval(previous_tick(schedule, end), end)


def newest_complete(cycle: Cycle, moment: datetime, schedule: str | None = None) -> Interval:
    """Return the last interval that was over at `moment` and that there is data for."""
    cron = schedule or cycle.schedule
    latest = moment.astimezone(UTC)
    if cycle.end is not None and cycle.end < latest:
        latest = cycle.end
    end = previous_tick(cron, latest)
    if next_tick(cron, end) == latest:
        end = latest  # `latest` is a tick itself
    return Interval(previous_tick(cron, end), end)


def history(cycle: Cycle, interval: Interval, schedule: str | None = None) -> Iterator[Interval]:
    """Yield every interval of the schedule from the cycle's start up to and including `interval`."""
    start = cycle.start
    while start <= interval.start:
        end = next_tick(schedule or cycle.schedule, start)
        yield Interval(start, end)
        start = end


def last_windows(cycle: Cycle, window: Interval, count: int) -> list[Interval]:
    """Return up to `count` windows of the cycle, in order of time; the last one is `window`."""
    windows = [window]
    while len(windows) < count and windows[0].start > cycle.start:
        end = windows[0].start
        windows.insert(0, Interval(previous_tick(window_schedule(cycle), end), end))
    return windows
