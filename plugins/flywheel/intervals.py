"""The interval a run is about. No other place turns a context, or a schedule, into an interval."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from croniter import croniter  # type: ignore[import-untyped]  # it ships no types

from flywheel.exceptions import IntervalError
from flywheel.names import Interval
from include.cycles.cycle import Cycle

log = logging.getLogger(__name__)


def run_interval(context: Mapping[str, Any], cycle: Cycle) -> Interval:
    """The interval of a run, however it was started.

    The param `interval_start` beats the run's own data interval, which beats the newest interval that was
    complete when the run was due. The log says which it was.

    :raises IntervalError: the interval is none of the cycle's, or is not over yet
    """
    run = context["dag_run"]
    asked = context["params"].get("interval_start")
    start, end = run.data_interval_start, run.data_interval_end
    if asked:
        interval, why = starting_at(cycle, asked), f"the param interval_start={asked}"
    elif start and end and not _is_hand_made_after_the_end(run, cycle):
        interval, why = Interval(start.astimezone(UTC), end.astimezone(UTC)), "the run's data interval"
    else:
        interval = newest_complete(cycle, run.run_after)
        why = f"the newest interval complete at {run.run_after.isoformat()}"
    _check(cycle, interval)
    log.info("Interval %s: %s", interval, why)
    return interval


def starting_at(cycle: Cycle, text: str) -> Interval:
    """The interval of the schedule that starts at the date or time `text`."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError as error:
        raise IntervalError(f"interval_start={text!r} is no date. Write it like 2013-01-01.") from error
    start = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    # Asked from just before `start`, so that a tick at `start` itself is found.
    tick: datetime = croniter(cycle.schedule, start.replace(microsecond=0)).get_prev(datetime)
    tick = croniter(cycle.schedule, tick).get_next(datetime)
    if tick != start:
        raise IntervalError(
            f"interval_start={text!r} is no start of an interval of cycle {cycle.name} "
            f"(schedule {cycle.schedule!r}). The next one starts at {tick.isoformat()}."
        )
    return Interval(start, croniter(cycle.schedule, start).get_next(datetime))


def newest_complete(cycle: Cycle, moment: datetime) -> Interval:
    """The last interval that was over at `moment` and that there is data for."""
    latest = moment.astimezone(UTC)
    if cycle.end is not None and cycle.end < latest:
        latest = cycle.end
    ticks = croniter(cycle.schedule, latest)
    end: datetime = ticks.get_prev(datetime)
    if croniter(cycle.schedule, end).get_next(datetime) == latest:
        end = latest  # `latest` is a tick itself
    return Interval(croniter(cycle.schedule, end).get_prev(datetime), end)


def history(cycle: Cycle, interval: Interval) -> Iterator[Interval]:
    """Every interval of the cycle from its start up to and including `interval`."""
    start = cycle.start
    while start <= interval.start:
        end: datetime = croniter(cycle.schedule, start).get_next(datetime)
        yield Interval(start, end)
        start = end


def _is_hand_made_after_the_end(run: Any, cycle: Cycle) -> bool:  # noqa: ANN401 - Airflow's DagRun
    """Whether the form's "now" gave a run an interval of a time that a finished source knows nothing of."""
    return cycle.end is not None and run.run_type == "manual" and run.data_interval_start >= cycle.end


def _check(cycle: Cycle, interval: Interval) -> None:
    """Refuse an interval that there is no data for, by the cycle's own word or by the clock."""
    known = f"Cycle {cycle.name} has data from {cycle.start.date()} to {_date(cycle.end)}"
    if interval.start < cycle.start or (cycle.end is not None and interval.end > cycle.end):
        raise IntervalError(
            f"The interval {interval} is outside of the cycle. {known}: choose an interval_start there."
        )
    if interval.end > datetime.now(UTC):
        raise IntervalError(f"The interval {interval} is not over yet. Run it after its end.")


def _date(moment: datetime | None) -> date | str:
    """A date that people read, or `now` for a source that goes on."""
    if moment is None:
        return "now"
    return moment.date() if moment.time() == time(0) else moment.isoformat()
