"""The interval a run is about. No other place turns a context, or a schedule, into an interval."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from croniter import croniter  # type: ignore[import-untyped]  # it ships no types

from include.core.cycle import Cycle
from include.core.exceptions import IntervalError
from include.core.layout import Interval
from include.core.retraining.requests import Request, answered

log = logging.getLogger(__name__)


#: run type of a run that events of assets started
BY_ASSET = "asset_triggered"


def window_schedule(cycle: Cycle) -> str:
    """The schedule of the windows in which a cycle is watched."""
    return cycle.monitoring.schedule or cycle.schedule


def run_interval(
    context: Mapping[str, Any],
    cycle: Cycle,
    *,
    schedule: str | None = None,
    requests: Callable[[], list[Request]] = list,
) -> Interval:
    """The interval of a run, however it was started.

    The param `interval_start` beats what a run was asked for by monitoring, which beats the run's own data
    interval, which beats the newest interval that was complete when the run was due. The log says which it
    was.

    :param schedule: cron expression of the intervals; by default the cycle's
    :param requests: reads the requests for retraining, which the run of an asset event answers
    :raises IntervalError: the interval is none of the cycle's, or is not over yet
    """
    run = context["dag_run"]
    asked = context["params"].get("interval_start")
    start, end = run.data_interval_start, run.data_interval_end
    if asked:
        interval, why = starting_at(cycle, asked, schedule), f"the param interval_start={asked}"
    elif run.run_type == BY_ASSET:
        request = run_requests(run, cycle, requests())[-1]
        interval, why = Interval.from_iso(request.train_interval), f"request {request.number}"
    elif start and end and not _is_hand_made_after_the_end(run, cycle):
        interval, why = Interval(start.astimezone(UTC), end.astimezone(UTC)), "the run's data interval"
    else:
        interval = newest_complete(cycle, run.run_after, schedule)
        why = f"the newest interval complete at {run.run_after.isoformat()}"
    _check(cycle, interval)
    log.info("Interval %s: %s", interval, why)
    return interval


def run_requests(run: Any, cycle: Cycle, requests: list[Request]) -> list[Request]:  # noqa: ANN401 - Airflow's DagRun
    """The requests that a run of an asset event answers, the one it trains for last.

    Events coalesce, and an event's extra may tell of one request only: the log of requests tells all.

    :raises IntervalError: nothing was asked for
    """
    told = [event.extra.get("request") for event in run.consumed_asset_events]
    found = answered(requests, run.run_after, [number for number in told if isinstance(number, int)])
    if not found:
        raise IntervalError(
            f"An event of {retrain_uri(cycle)} started this run, but no request for retraining of "
            f"{cycle.name} is recorded. To train without one, start {cycle.name}_train_and_deploy by hand."
        )
    return found


def retrain_uri(cycle: Cycle) -> str:
    """The asset whose events ask for retraining."""
    return f"flywheel://{cycle.name}/retrain"


def starting_at(cycle: Cycle, text: str, schedule: str | None = None) -> Interval:
    """The interval of the schedule that starts at the date or time `text`."""
    cron = schedule or cycle.schedule
    try:
        given = datetime.fromisoformat(text)
    except ValueError as error:
        raise IntervalError(f"interval_start={text!r} is no date. Write it like 2013-01-01.") from error
    start = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    # Asked from just before `start`, so that a tick at `start` itself is found.
    tick: datetime = croniter(cron, start.replace(microsecond=0)).get_prev(datetime)
    tick = croniter(cron, tick).get_next(datetime)
    if tick != start:
        raise IntervalError(
            f"interval_start={text!r} is no start of an interval of cycle {cycle.name} "
            f"(schedule {cron!r}). The next one starts at {tick.isoformat()}."
        )
    return Interval(start, croniter(cron, start).get_next(datetime))


def newest_complete(cycle: Cycle, moment: datetime, schedule: str | None = None) -> Interval:
    """The last interval that was over at `moment` and that there is data for."""
    cron = schedule or cycle.schedule
    latest = moment.astimezone(UTC)
    if cycle.end is not None and cycle.end < latest:
        latest = cycle.end
    end: datetime = croniter(cron, latest).get_prev(datetime)
    if croniter(cron, end).get_next(datetime) == latest:
        end = latest  # `latest` is a tick itself
    return Interval(croniter(cron, end).get_prev(datetime), end)


def history(cycle: Cycle, interval: Interval, schedule: str | None = None) -> Iterator[Interval]:
    """Every interval of the schedule from the cycle's start up to and including `interval`."""
    start = cycle.start
    while start <= interval.start:
        end: datetime = croniter(schedule or cycle.schedule, start).get_next(datetime)
        yield Interval(start, end)
        start = end


def last_windows(cycle: Cycle, window: Interval, count: int) -> list[Interval]:
    """Up to `count` windows of the cycle, in order of time; the last one is `window`."""
    windows = [window]
    while len(windows) < count and windows[0].start > cycle.start:
        end = windows[0].start
        windows.insert(0, Interval(croniter(window_schedule(cycle), end).get_prev(datetime), end))
    return windows


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
