"""The interval and the requests of a run of Airflow's, however the run was started."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from include.core.cycle import Cycle
from include.core.documents.retraining import RetrainingRequest
from include.core.exceptions import IntervalError
from include.core.layout import Interval, retrain_uri, training_dag
from include.core.retraining.requests import answered
from include.core.schedule import newest_complete, starting_at

log = logging.getLogger(__name__)

#: run type of a run that events of assets started
BY_ASSET = "asset_triggered"
#: run types of runs that somebody asks for one by one, and may name an interval for
ASKED_FOR = ("manual", "operator_triggered")


def run_interval(
    context: Mapping[str, Any],
    cycle: Cycle,
    *,
    schedule: str | None = None,
    requests: Callable[[], list[RetrainingRequest]] = list,
) -> Interval:
    """Return the interval of a run, and log where it comes from.

    It is the run's own data interval, or that of the request that the run answers, or else the newest that
    was complete when the run was due. Only a run by hand without an interval of its own may name one, by the
    param `interval_start`.

    :param schedule: cron expression of the intervals; by default the cycle's
    :param requests: reads the requests for retraining, which the run of an asset event answers
    :raises IntervalError: the interval is none of the cycle's, or is not over yet, or the param names another
        than the run has
    """
    run = context["dag_run"]
    param = context["params"].get("interval_start")
    start, end = run.data_interval_start, run.data_interval_end
    if param:
        _check_param(run, cycle, param, schedule)
        interval, why = starting_at(cycle, param, schedule), f"the param interval_start={param}"
    elif run.run_type == BY_ASSET:
        request = run_requests(run, cycle, requests())[-1]
        interval, why = request.train_interval, f"request {request.number}"
    elif start and end and not _is_manual_after_the_end(run, cycle):
        interval, why = Interval(start.astimezone(UTC), end.astimezone(UTC)), "the run's data interval"
    else:
        interval = newest_complete(cycle, run.run_after, schedule)
        why = f"the newest interval complete at {run.run_after.isoformat()}"
    _check(cycle, interval)
    log.info("Interval %s: %s", interval, why)
    return interval


def _check_param(run: Any, cycle: Cycle, param: str, schedule: str | None) -> None:  # noqa: ANN401 - Airflow's DagRun
    """Raise IntervalError if a run that has an interval of its own is given one by the param.

    Airflow's form gives every run by hand the interval before "now", if nobody clears its logical date. That
    is nobody's choice, and the param is.
    """
    start, end = run.data_interval_start, run.data_interval_end
    own = Interval(start.astimezone(UTC), end.astimezone(UTC)) if start and end else None
    given = f"interval_start={param!r} is filled in"
    if run.run_type not in ASKED_FOR:
        raise IntervalError(
            f"{given} for a run of the type {str(run.run_type)!r}, whose interval is "
            f"{own or 'what it was started for'}: it takes no other. Leave *Start of the interval* empty and "
            "choose the intervals by the dates of the backfill."
        )
    if own is None or _is_manual_after_the_end(run, cycle):
        return
    if own not in (starting_at(cycle, param, schedule), newest_complete(cycle, run.run_after, schedule)):
        raise IntervalError(
            f"{given} for a run by hand whose own interval, by its logical date, is {own}. A run has one "
            "interval: clear the logical date, or *Start of the interval*."
        )


def run_requests(run: Any, cycle: Cycle, requests: list[RetrainingRequest]) -> list[RetrainingRequest]:  # noqa: ANN401 - Airflow's DagRun
    """Return the requests that a run of an asset event answers, the one it trains for last.

    Events coalesce, and an event's extra may name one request only: the log of requests has them all.

    :raises IntervalError: there is no request
    """
    named = [event.extra.get("request") for event in run.consumed_asset_events]
    answers = answered(requests, run.run_after, [number for number in named if isinstance(number, int)])
    if not answers:
        raise IntervalError(
            f"An event of {retrain_uri(cycle.name)} started this run, but no request for retraining of "
            f"{cycle.name} is recorded. To train without one, start {training_dag(cycle.name)} by hand."
        )
    return answers


def _is_manual_after_the_end(run: Any, cycle: Cycle) -> bool:  # noqa: ANN401 - Airflow's DagRun
    """Whether the form's "now" gave a run an interval after the end of a finished source."""
    return cycle.end is not None and run.run_type in ASKED_FOR and run.data_interval_start >= cycle.end


def _check(cycle: Cycle, interval: Interval) -> None:
    """Raise IntervalError if there is no data for an interval, by the cycle's description or by the clock."""
    known = f"Cycle {cycle.name} has data from {cycle.start.date()} to {_date(cycle.end)}"
    if interval.start < cycle.start or (cycle.end is not None and interval.end > cycle.end):
        raise IntervalError(
            f"The interval {interval} is outside of the cycle. {known}: choose an interval_start there."
        )
    if interval.end > datetime.now(UTC):
        raise IntervalError(f"The interval {interval} is not over yet. Run it after its end.")


def _date(moment: datetime | None) -> date | str:
    """Return a date for people, or `now` for a source that goes on."""
    if moment is None:
        return "now"
    return moment.date() if moment.time() == time(0) else moment.isoformat()
