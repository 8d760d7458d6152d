"""`make replay`: a year turned month by month, and what retraining was worth."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include.cli.airflow_api import AirflowApi
from include.cli.aws import client, read_json
from include.cli.backfill import Backfill
from include.cli.errors import StackError
from include.cli.first_run import Driver, cycle_named
from include.cli.home import ADMIN, home_of, installation_secrets
from include.cli.replay_input import story_of
from include.cli.replay_job import ReplayJob
from include.cli.run import keep, start
from include.cli.stack import Stack
from include.cli.terminal import Terminal
from include.cli.urls import airflow_url
from include.core.cycle import Cycle
from include.core.exceptions import FlywheelError
from include.core.layout import REPLAY, REPLAY_PAGE, Interval, scoring_dag, training_dag
from include.core.ledger import Ledger
from include.core.schedule import history, newest_complete, window_schedule
from include.core.settings import Settings

#: the first interval makes the first model, the second one judges it
LEAST = 2
MODELS = ("champion", "frozen", "linear", "constant")


def replay(settings: Settings, terminal: Terminal, *, name: str, count: int | None, again: bool) -> int:
    """Backfill both DAGs over a cycle's first `count` intervals, or all; compare, print, write the report.

    The services stay up. Called again, it repeats nothing that is done; with `again`, as after a change of
    the code, it makes every run once more, and a run repeats the jobs whose keys have changed.
    """
    cycle = cycle_named(name)
    if window_schedule(cycle) != cycle.schedule:
        raise StackError(
            f"{name} is watched in windows of their own ({window_schedule(cycle)!r}), and a replay compares "
            "models by training intervals. Use `make watch` for it."
        )
    intervals = _intervals(cycle, count)
    stack = Stack(settings, terminal)
    start(settings, terminal, stack)
    api = AirflowApi(airflow_url(settings), ADMIN, installation_secrets(home_of(settings)).password)
    driver = Driver(api, terminal, home_of(settings).airflow / "logs", lambda: keep(stack))
    try:
        document = _turn(settings, driver, cycle, intervals, again=again)
    except FlywheelError as error:
        raise StackError(str(error)) from error
    finally:
        api.close()
    _print(document, terminal)
    terminal.say()
    terminal.say(f"  The report, with plots: {_report(settings, cycle)}")
    return 0


def _turn(
    settings: Settings, driver: Driver, cycle: Cycle, intervals: list[Interval], *, again: bool
) -> dict[str, Any]:
    """Run what is missing, and compare; the content of replay.json."""
    trainings = Backfill(driver, training_dag(cycle.name), intervals, again=again).complete()
    scorings = Backfill(driver, scoring_dag(cycle.name), intervals, again=again).complete()
    s3 = client(settings, "s3")
    entries = Ledger(s3, settings.bucket, cycle.name).entries()
    story = story_of(driver.api, intervals, entries, trainings, scorings)
    job = ReplayJob(settings, cycle, Interval(intervals[0].start, intervals[-1].end), driver.heal)
    driver.terminal.say()
    with driver.terminal.timed("comparison"):
        uri = job.run(story)
    job.fetch(uri, REPLAY_PAGE, _report(settings, cycle))
    return read_json(s3, f"{uri}{REPLAY}")


def _intervals(cycle: Cycle, count: int | None) -> list[Interval]:
    """The cycle's intervals from its start; a source that goes on is replayed up to now."""
    intervals = list(history(cycle, newest_complete(cycle, datetime.now(UTC))))
    if count is not None and not LEAST <= count <= len(intervals):
        raise StackError(
            f"{count} intervals cannot be replayed: {cycle.name} has {len(intervals)}, and the first one's "
            "model needs a second one to be judged by. Ask for a number between."
        )
    return intervals[:count]


def _report(settings: Settings, cycle: Cycle) -> Path:
    return settings.home / "reports" / f"replay-{cycle.name}.html"


def _print(document: dict[str, Any], terminal: Terminal) -> None:
    """The same tables as in the report."""
    metric = document["metric"]
    rows = [[metric, "rows", "version", *MODELS]]
    for month in document["months"]:
        values = [_estimate(month["models"][model]) for model in MODELS]
        rows.append([month["interval"][0][:10], f"{month['rows']:,}", month["version"], *values])
    terminal.say()
    terminal.table(rows)
    terminal.say()
    for each in document["decisions"]:
        outcome = "promoted" if each["promoted"] else "refused "
        told = " ".join(each["reasons"])
        terminal.say(f"  {each['interval'][0][:10]}  {each['version']:<12} {outcome}  {told}")
    terminal.say()
    rows = [["step", "tasks", "seconds", "each"]]
    for each in document["seconds"]["steps"]:
        mean = each["seconds"] / each["tasks"]
        rows.append([each["step"], str(each["tasks"]), f"{each['seconds']:.1f}", f"{mean:.1f}"])
    terminal.table(rows)
    terminal.say(
        f"  from the first task's start to the last one's end: {document['seconds']['wall_s']:.0f} s"
    )


def _estimate(found: dict[str, float]) -> str:
    return f"{found['value']:.4f} [{found['low']:.4f}, {found['high']:.4f}]"
