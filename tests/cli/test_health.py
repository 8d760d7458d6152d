"""What shows from outside that a service lives and does not do its work."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psutil
import pytest

from include.cli.airflow_api import AirflowApi
from include.cli.health import (
    HANG_S,
    IDLE,
    TAKEN_WITHIN_S,
    WORKER,
    Hangs,
    Workers,
    let_tasks_end,
    untaken,
    workers_of,
)
from include.cli.terminal import StackError

STARTED = datetime(2026, 1, 1, tzinfo=UTC)
NOW = STARTED + timedelta(hours=1)
WAITS, OTHER = f"{WORKER}: {IDLE}", f"{WORKER}: 99"
#: a process with two others below it that call themselves what LocalExecutor's workers do
FAMILY = f"""
import os, sys, time
import setproctitle
for title in ({WAITS!r}, {OTHER!r}, "other"):
    if os.fork() == 0:
        setproctitle.setproctitle(title)
        time.sleep(3 if title == {OTHER!r} else 600)
        os._exit(0)
print("up", flush=True)
time.sleep(600)
"""


def queued(after_s: float | None, name: str = "7") -> dict[str, Any]:
    """A task instance that was queued so long before now."""
    when = None if after_s is None else (NOW - timedelta(seconds=after_s)).isoformat()
    return {"id": name, "dag_id": "digits", "task_id": "train", "queued_when": when}


LONG = TAKEN_WITHIN_S


@pytest.mark.parametrize(
    ("tasks", "idle", "busy", "is_stuck"),
    [
        ([queued(LONG)], [WAITS], [], True),
        ([queued(LONG)], [WAITS], [OTHER], True),
        ([queued(LONG), queued(1, "8")], [WAITS], [f"{WORKER}: 8"], True),
        # it has just been handed out; nobody is free; one has it; nothing is known of when; nothing is queued
        ([queued(LONG - 1)], [WAITS], [], False),
        ([queued(LONG)], [], [OTHER], False),
        ([queued(LONG)], [WAITS], [f"{WORKER}: 7"], False),
        ([queued(LONG)], [f"{WORKER} [team]: {IDLE}"], [f"{WORKER} [team]: 7"], False),
        ([queued(None)], [WAITS], [], False),
        ([], [WAITS], [], False),
        # a scheduler before this one queued it; this one takes it back by itself
        ([queued(3601)], [WAITS], [], False),
        # where processes have no titles
        ([queued(LONG)], [], [], False),
    ],
)
def test_tasks_queued_beside_idle_workers_are_noticed(
    tasks: list[dict[str, Any]], idle: list[str], busy: list[str], *, is_stuck: bool
) -> None:
    """Only those that this scheduler has handed out, and that no worker has."""
    stuck = untaken(tasks, Workers(tuple(idle), tuple(busy)), STARTED, NOW)
    assert stuck == (["digits.train"] if is_stuck else [])


def test_workers_are_known_by_their_titles_and_end_what_they_have() -> None:
    """A scheduler that is held still hands out nothing, and its workers go on."""
    family = subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE)
    process = psutil.Process(family.pid)
    children = []
    try:
        assert family.stdout is not None
        family.stdout.readline()
        children = process.children()
        while len(workers_of(process).idle + workers_of(process).busy) < 2:
            time.sleep(0.01)
        assert workers_of(process) == Workers((WAITS,), (OTHER,))
        let_tasks_end(process, 60)
        assert process.status() == psutil.STATUS_STOPPED
        assert workers_of(process) == Workers((WAITS,), ())
    finally:
        for one in (process, *children):
            one.kill()
        family.communicate()


def test_a_service_hangs_that_has_not_worked_for_a_while() -> None:
    """One that works in between, or of which nothing is known, begins anew."""
    hangs = Hangs()
    seen = [hangs.note("a", is_working=False, now=now) for now in (5.0, 4 + HANG_S, 5 + HANG_S)]
    assert seen == [False, False, True]
    assert not hangs.note("a", is_working=True, now=6 + HANG_S)
    assert not hangs.note("a", is_working=False, now=7 + HANG_S)
    hangs.forget(["a", "b"])
    assert not hangs.note("a", is_working=False, now=8 + 2 * HANG_S)


@pytest.mark.parametrize("fault", [httpx.ConnectError("refused"), httpx.ReadTimeout("late"), 500, 503])
def test_what_does_not_answer_is_healed_and_asked_again(
    fault: Exception | int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that found nobody, or an Airflow without its database, is sent again after the cure."""
    monkeypatch.setattr("include.cli.airflow_api.PAUSE_S", 0.0)
    is_ill = [True]

    def answer(_: httpx.Request) -> httpx.Response:
        if not is_ill:
            return httpx.Response(200, json={"access_token": "t", "task_instances": [queued(1)]})
        if isinstance(fault, int):
            return httpx.Response(fault)
        raise fault

    transport = httpx.MockTransport(answer)
    api = AirflowApi("http://airflow", "admin", "pw", transport, heal=is_ill.clear)
    assert [task["task_id"] for task in api.queued_tasks()] == ["train"]
    is_ill.append(True)
    with pytest.raises(StackError):
        AirflowApi("http://airflow", "admin", "pw", transport, attempts=1).queued_tasks()
