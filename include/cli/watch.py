"""`make watch`: a cycle monitored window by window, retrained when monitoring asks, and what that did."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from include.cli.airflow_api import Json
from include.cli.driver import CycleRun, Driver, cycle_named, driver_of, short_version
from include.cli.stack import Stack
from include.cli.terminal import StackError, Terminal, bounds_text
from include.core.cycle import Cycle
from include.core.documents.model import Bounds
from include.core.exceptions import FlywheelError
from include.core.layout import Interval, start_text, training_dag
from include.core.schedule import history, newest_complete, starting_at, window_schedule
from include.core.settings import Settings

#: how long the scheduler may take from a request's event to the run that answers it, in seconds
ANSWER_TIMEOUT_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Retraining:
    """What came of a request."""

    request: int
    run_id: str
    interval: list[str]
    #: "promoted", "refused" or "skipped"
    outcome: str
    version: str | None
    reasons: list[str]


@dataclass(frozen=True, kw_only=True)
class MonitoredWindow:
    """One window: what was found, what was decided, and what came of it."""

    window: list[str]
    #: version of the champion, such as `flights/2`
    champion: str
    #: the champion's quality in the window, an entry of evidence.json's `quality`
    quality: Json | None
    is_alarm: bool
    why: str
    decision: Json
    retraining: Retraining | None

    def row(self) -> list[str]:
        """Return the window as a row of the table."""
        done, quality = self.retraining, self.quality
        due = "due, not asked" if self.decision["due"] else "not due"
        return [
            self.window[0][:10],
            self.champion,
            f"{quality['metric']} {bounds_text(Bounds(quality['value'], quality['low'], quality['high']))}"
            if quality and quality["value"] is not None
            else "-",
            "ALARM" if self.is_alarm else "quiet",
            "asked for" if self.decision["emission"]["is_emitted"] else due,
            f"{done.outcome} {done.version or ''}".rstrip() if done else "-",
        ]


def watch(settings: Settings, terminal: Terminal, *, cycle: str, windows: int | None) -> int:
    """Train for a cycle's first interval, then monitor its first windows after it, or all, in order.

    Nothing is trained but what monitoring asks for. The services stay up. Called again, it goes on where it
    was, and repeats nothing that is done.
    """
    monitored = cycle_named(cycle)
    chosen = windows_of(monitored)[:windows]
    stack = Stack(settings, terminal)
    stack.start()
    try:
        with driver_of(stack, is_brief=True) as driver:
            results = list(_monitor(driver, monitored, chosen))
    except FlywheelError as error:
        raise StackError(str(error)) from error
    _print(results, terminal)
    path = settings.home / "watch.json"
    path.write_text(json.dumps({"cycle": cycle, "windows": [asdict(done) for done in results]}, indent=1))
    terminal.say(f"\n  Everything that was found, for programs: {path}")
    return 0


def windows_of(cycle: Cycle) -> list[Interval]:
    """Return every complete window that the cycle's first training could be the champion of."""
    first, schedule = starting_at(cycle, cycle.start.isoformat()), window_schedule(cycle)
    newest = newest_complete(cycle, datetime.now(UTC), schedule)
    return [window for window in history(cycle, newest, schedule) if window.start >= first.end]


def _monitor(driver: Driver, cycle: Cycle, windows: list[Interval]) -> Iterator[MonitoredWindow]:
    """Do what is missing, and yield each window when it is done."""
    first = CycleRun(cycle.name, "train_and_deploy", start_text(cycle.start), made_by="watch")
    driver.terminal.say()
    driver.complete([first])
    registered = driver.api.step_result(first.dag_id, first.run_id, "register")
    driver.terminal.say(f"  {first.interval_start}  trained {short_version(registered.get('version'))}")
    for window in windows:
        run = CycleRun(cycle.name, "score_and_monitor", start_text(window.start), made_by="watch")
        driver.complete([run])
        monitored = _find_decision(driver, run)
        driver.terminal.say(f"  {'  '.join(monitored.row())}")
        yield monitored


def _find_decision(driver: Driver, run: CycleRun) -> MonitoredWindow:
    """Return what a window's run decided; where it asked for a training, once that is done."""
    decision = driver.api.step_result(run.dag_id, run.run_id, "decide").get("decision")
    if decision is None:
        raise StackError(
            f"The run {run.run_id} of {run.dag_id} came to no decision: see its tasks in the UI."
        )
    evidence = decision["evidence"][str(Interval.from_iso(decision["window"]))]
    asked = driver.api.step_result(run.dag_id, run.run_id, "request_retraining")
    return MonitoredWindow(
        window=decision["window"],
        champion=short_version(decision["champion"]["version"]),
        quality=evidence["quality"],
        is_alarm=evidence["is_alarm"],
        why=evidence["why"],
        decision=decision,
        retraining=_follow_retraining(driver, run.cycle, asked["request"], decision) if asked else None,
    )


def _follow_retraining(driver: Driver, cycle: str, request: int, decision: Json) -> Retraining:
    """Follow the run that a request has started to its end."""
    dag_id, interval = training_dag(cycle), decision["train_interval"]
    run_id = _find_run(driver, dag_id, request)
    began = start_text(Interval.from_iso(interval).start)
    driver.complete([CycleRun(cycle, "train_and_deploy", began, given_id=run_id)])
    registered = driver.api.step_result(dag_id, run_id, "register")
    decided = driver.api.step_result(dag_id, run_id, "decide").get("decision", {})
    done = "promoted" if registered.get("promotion") is not None else "refused"
    return Retraining(
        request=request,
        run_id=run_id,
        interval=interval,
        outcome=done if registered else "skipped",
        version=short_version(registered.get("version")),
        reasons=decided.get("reasons", []),
    )


def _find_run(driver: Driver, dag_id: str, request: int) -> str:
    """Return the id of the run that a request's event has started."""
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while time.monotonic() < deadline:
        for run in driver.api.runs(dag_id):
            if run["run_type"] == "asset_triggered":
                events = driver.api.events(dag_id, run["dag_run_id"])
                if request in [(event["extra"] or {}).get("request") for event in events]:
                    return str(run["dag_run_id"])
        driver.terminal.show(f"  waiting for Airflow to answer request {request} ...")
        driver.pause()
    raise StackError(
        f"No run of {dag_id} has answered request {request} within {ANSWER_TIMEOUT_S:.0f} s. Is the DAG "
        "paused? Look at its asset in the UI; then run again."
    )


def _print(windows: list[MonitoredWindow], terminal: Terminal) -> None:
    """Print one line for each window, and the reasons below."""
    terminal.say()
    heading = ["window", "champion", "quality", "alarm", "retraining", "what it did"]
    terminal.table([heading, *(window.row() for window in windows)])
    for window in windows:
        terminal.say(f"\n  {window.window[0][:10]}  {window.why}")
        outcome = window.retraining.reasons if window.retraining else []
        for reason in [*window.decision["against"], window.decision["emission"]["why"], *outcome]:
            terminal.say(f"              {reason}")
