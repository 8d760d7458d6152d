"""`make watch`: a cycle watched window by window, retrained when monitoring asks, and what that did."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from include.cli.airflow_api import AirflowApi
from include.cli.errors import StackError
from include.cli.first_run import LOOK_INTERVAL_S, Driver, Turn, cycle_named
from include.cli.home import ADMIN, home_of, installation_secrets
from include.cli.run import keep, start
from include.cli.stack import Stack
from include.cli.terminal import Terminal
from include.cli.urls import airflow_url
from include.core.cycle import Cycle
from include.core.exceptions import FlywheelError
from include.core.layout import Interval, start_text, training_dag, version_of
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
class Watched:
    """One window: what was found, what was decided, and what came of it."""

    window: list[str]
    #: version of the champion, such as `flights/2`
    champion: str
    #: the champion's quality in the window, an entry of evidence.json's `quality`
    quality: dict[str, Any] | None
    is_alarm: bool
    why: str
    decision: dict[str, Any]
    retraining: Retraining | None


def watch(settings: Settings, terminal: Terminal, *, name: str, count: int | None) -> int:
    """Train for a cycle's first interval, then watch its first `count` windows after it, or all, in order.

    Nothing is trained but what monitoring asks for. The services stay up. Called again, it goes on where it
    was, and repeats nothing that is done.
    """
    cycle = cycle_named(name)
    windows = _windows(cycle)[:count]
    stack = Stack(settings, terminal)
    start(settings, terminal, stack)
    api = AirflowApi(airflow_url(settings), ADMIN, installation_secrets(home_of(settings)).password)
    logs = home_of(settings).airflow / "logs"
    driver = Driver(api, terminal, logs, lambda: keep(stack), is_brief=True)
    try:
        found = list(_turn(driver, cycle, windows))
    except FlywheelError as error:
        raise StackError(str(error)) from error
    finally:
        api.close()
    _print(found, terminal)
    place = settings.home / "watch.json"
    place.write_text(json.dumps({"cycle": cycle.name, "windows": [asdict(each) for each in found]}, indent=1))
    terminal.say()
    terminal.say(f"  Everything that was found, for programs: {place}")
    return 0


def _windows(cycle: Cycle) -> list[Interval]:
    """Every complete window that the cycle's first training could be the champion of."""
    first, schedule = starting_at(cycle, cycle.start.isoformat()), window_schedule(cycle)
    newest = newest_complete(cycle, datetime.now(UTC), schedule)
    return [window for window in history(cycle, newest, schedule) if window.start >= first.end]


def _turn(driver: Driver, cycle: Cycle, windows: list[Interval]) -> Iterator[Watched]:
    """Do what is missing, and tell of each window when it is done."""
    first = Turn(cycle.name, "train_and_deploy", start_text(cycle.start), made_by="watch")
    driver.terminal.say()
    driver.turn([first])
    registered = driver.api.step_result(first.dag_id, first.run_id, "register")
    driver.terminal.say(f"  {first.interval_start}  trained {_short(registered.get('version'))}")
    for window in windows:
        turn = Turn(cycle.name, "score_and_monitor", start_text(window.start), made_by="watch")
        driver.turn([turn])
        found = _found(driver, turn)
        driver.terminal.say(f"  {'  '.join(_row(found))}")
        yield found


def _found(driver: Driver, turn: Turn) -> Watched:
    """What a window's run decided; where it asked for a training, once that is done."""
    decision = driver.api.step_result(turn.dag_id, turn.run_id, "decide").get("decision")
    if decision is None:
        raise StackError(
            f"The run {turn.run_id} of {turn.dag_id} came to no decision: see its tasks in the UI."
        )
    evidence = decision["evidence"][str(Interval.from_iso(decision["window"]))]
    asked = driver.api.step_result(turn.dag_id, turn.run_id, "request_retraining")
    return Watched(
        window=decision["window"],
        champion=_short(decision["champion"]["version"]),
        quality=evidence["quality"],
        is_alarm=evidence["is_alarm"],
        why=evidence["why"],
        decision=decision,
        retraining=_answer(driver, turn, asked["request"], decision) if asked else None,
    )


def _answer(driver: Driver, turn: Turn, request: int, decision: dict[str, Any]) -> Retraining:
    """Follow the run that a request has started to its end."""
    dag_id, interval = training_dag(turn.cycle), decision["train_interval"]
    run_id = _run_of(driver, dag_id, request)
    began = start_text(Interval.from_iso(interval).start)
    driver.turn([Turn(turn.cycle, "train_and_deploy", began, given_id=run_id)])
    registered = driver.api.step_result(dag_id, run_id, "register")
    decided = driver.api.step_result(dag_id, run_id, "decide").get("decision", {})
    done = "promoted" if registered.get("promotion") is not None else "refused"
    return Retraining(
        request=request,
        run_id=run_id,
        interval=interval,
        outcome=done if registered else "skipped",
        version=_short(registered.get("version")),
        reasons=decided.get("reasons", []),
    )


def _run_of(driver: Driver, dag_id: str, request: int) -> str:
    """The id of the run that a request's event has started."""
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while time.monotonic() < deadline:
        for run in driver.api.runs(dag_id):
            if run["run_type"] == "asset_triggered" and request in _requests(driver, run):
                return str(run["dag_run_id"])
        driver.terminal.show(f"  waiting for Airflow to answer request {request} ...")
        driver.heal()
        time.sleep(LOOK_INTERVAL_S)
    raise StackError(
        f"No run of {dag_id} has answered request {request} within {ANSWER_TIMEOUT_S:.0f} s. Is the DAG "
        "paused? Look at its asset in the UI; then run again."
    )


def _requests(driver: Driver, run: dict[str, Any]) -> list[Any]:
    events = driver.api.events(run["dag_id"], run["dag_run_id"])
    return [(event["extra"] or {}).get("request") for event in events]


# What is printed


def _print(found: list[Watched], terminal: Terminal) -> None:
    """One line for each window."""
    terminal.say()
    heading = ["window", "champion", "quality", "alarm", "retraining", "what it did"]
    terminal.table([heading, *(_row(each) for each in found)])
    for each in found:
        terminal.say()
        terminal.say(f"  {each.window[0][:10]}  {each.why}")
        for reason in [*each.decision["against"], each.decision["emission"]["why"]]:
            terminal.say(f"              {reason}")
        for reason in each.retraining.reasons if each.retraining else []:
            terminal.say(f"              {reason}")


def _row(found: Watched) -> list[str]:
    done = found.retraining
    emission = found.decision["emission"]
    due = "due, not asked" if found.decision["due"] else "not due"
    return [
        found.window[0][:10],
        found.champion,
        _quality(found.quality),
        "ALARM" if found.is_alarm else "quiet",
        "asked for" if emission["is_emitted"] else due,
        f"{done.outcome} {done.version or ''}".rstrip() if done else "-",
    ]


def _quality(quality: dict[str, Any] | None) -> str:
    if quality is None or quality["value"] is None:
        return "-"
    numbers = [quality[name] for name in ("value", "low", "high")]
    value, low, high = ("?" if number is None else f"{number:.4f}" for number in numbers)
    return f"{quality['metric']} {value} [{low}, {high}]"


def _short(version: str | None) -> str:
    """`flights/2` of a model package's ARN."""
    return version_of(version) if version else "-"
