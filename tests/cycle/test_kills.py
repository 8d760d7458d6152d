"""Killed and hanging processes of a real stack: runs go on to their end, and nobody has to help.

`FLYWHEEL_KILLS` says how many kills there are, `FLYWHEEL_KILLS_SEED` which.
"""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest

from include.cli.airflow_api import AirflowApi, Json, airflow_of
from include.cli.database import database_process
from include.cli.environment import client
from include.cli.health import workers_of
from include.cli.stack import Stack
from include.cli.terminal import Terminal
from include.core.ledger import Ledger
from include.core.settings import Settings

pytestmark = [pytest.mark.airflow, pytest.mark.long, pytest.mark.timeout(0)]

DAG = "digits_train_and_deploy"
KILLS = int(os.environ.get("FLYWHEEL_KILLS", "6"))
SEED = int(os.environ.get("FLYWHEEL_KILLS_SEED", "1"))
#: between two kills, in seconds
LARGEST_PAUSE_S = 20.0
#: what is not done by then after the last kill is stuck, in seconds
STUCK_S = 600.0
#: how long the API server is away, in seconds
AWAY_S = 150.0
LOOK_INTERVAL_S = 1.0


class Kept:
    """A stack that is kept up while something is waited for, as `make run` does."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.log = settings, settings.home / "keeper.log"
        self.stream = self.log.open("w")
        self.stack = Stack(settings, Terminal(self.stream))
        self.runs: list[str] = []

    def process(self, name: str) -> psutil.Process:
        """The living process of a service."""
        service = next(service for service in self.stack.services if service.name == name)
        process = service.process()
        assert process is not None
        return process

    def trigger(self, api: AirflowApi) -> str:
        """Start the run of the next month."""
        number = len(self.runs)
        start = f"{2013 + number // 12}-{number % 12 + 1:02}-01"
        api.trigger(DAG, start, {"interval_start": start})
        self.runs.append(start)
        return start

    def wait(self, holds: Callable[[], bool], timeout_s: float) -> None:
        """Keep the stack up until something holds."""
        deadline = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < deadline, self.log.read_text()
            self.stack.keep()
            time.sleep(LOOK_INTERVAL_S)

    def keep_for(self, seconds: float) -> None:
        """Keep the stack up for a while."""
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > end, STUCK_S + seconds)

    def tasks(self, api: AirflowApi, run_id: str) -> list[Json]:
        """The tasks of a run that have begun."""
        return [task for task in api.tasks(DAG, run_id) if task["state"] != "skipped"]


@pytest.fixture(scope="module")
def kept(settings: Settings) -> Iterator[Kept]:
    """The services, kept up; in the end they are down."""
    made = Kept(settings)
    try:
        made.stack.start()
        yield made
    finally:
        made.stack.down()
        made.stream.close()


@pytest.fixture
def api(kept: Kept) -> Iterator[AirflowApi]:
    """Airflow's API, which has the services started again that do not answer."""
    with airflow_of(kept.settings, heal=kept.stack.keep) as made:
        kept.wait(lambda: made.dag(DAG) is not None, STUCK_S)
        made.unpause(DAG)
        yield made


def is_done(api: AirflowApi, run_id: str) -> bool:
    """Whether a run has ended, as it should."""
    state = (api.run(DAG, run_id) or {}).get("state")
    assert state != "failed", api.tasks(DAG, run_id)
    return state == "success"


def test_idle_workers_that_are_killed_stop_nothing(kept: Kept, api: AirflowApi) -> None:
    """One of them has the queue's lock, for which all later ones wait; the scheduler is started again."""
    scheduler = kept.process("scheduler")
    kept.wait(lambda: bool(workers_of(scheduler).idle), STUCK_S)
    for child in scheduler.children():
        child.kill()
    run_id = kept.trigger(api)
    kept.wait(lambda: is_done(api, run_id), STUCK_S)
    assert "scheduler has idle workers that do not take" in kept.log.read_text()
    assert kept.process("scheduler") != scheduler


def test_tasks_wait_for_an_api_server_that_is_away(kept: Kept, api: AirflowApi) -> None:
    """Each task ends at its first attempt, though nobody answered for longer than two minutes."""
    run_id = kept.trigger(api)
    kept.wait(lambda: any(task["state"] == "running" for task in api.tasks(DAG, run_id)), STUCK_S)
    processes = [kept.process("api-server"), *kept.process("api-server").children(recursive=True)]
    for process in processes:
        process.suspend()
    time.sleep(AWAY_S)
    for process in processes:
        process.resume()
    kept.wait(lambda: is_done(api, run_id), STUCK_S)
    assert {task["try_number"] for task in kept.tasks(api, run_id)} == {1}


def test_seeded_kills_leave_each_job_once_and_the_ledger_whole(kept: Kept, api: AirflowApi) -> None:
    """Any process of the services, of Airflow's tasks and of the database is killed while cycles run."""
    dice = random.Random(SEED)  # noqa: S311 (no secret)
    for _ in range(KILLS):
        if all(is_done(api, run_id) for run_id in kept.runs):
            kept.trigger(api)
        kept.keep_for(dice.uniform(0, LARGEST_PAUSE_S))
        kill_one(kept, dice)
    kept.wait(lambda: all(is_done(api, run_id) for run_id in kept.runs), STUCK_S)
    assert completed_twice(kept.settings) == []
    entries = Ledger(client(kept.settings, "s3"), kept.settings.bucket, "digits").entries()
    decided = Counter(entry.interval for entry in entries if entry.kind == "decision")
    assert set(decided.values()) == {1}
    assert len(decided) == len(kept.runs)


def kill_one(kept: Kept, dice: random.Random) -> None:
    """Kill a process: of which service is drawn first, so that each has its turn."""
    living = {service.name: process for service in kept.stack.services if (process := service.process())}
    if database := database_process(kept.settings):
        living["database"] = database
    name, owner = dice.choice(list(living.items()))
    with suppress(psutil.NoSuchProcess):
        # what the local SageMaker has below it are jobs and endpoints: of these, only people end any
        below = owner.children(recursive=True) if name != "local-sagemaker" else []
        victim = dice.choice([owner, *below])
        kept.stack.terminal.say(f"kill of {name}: {' '.join(victim.cmdline())[:60]}")
        victim.send_signal(signal.SIGKILL)


def completed_twice(settings: Settings) -> list[str]:
    """The keys of steps of which more than one job was completed: generations differ in their last part."""
    sagemaker = client(settings, "sagemaker")
    names = []
    for word in ("Processing", "Training"):
        pages = sagemaker.get_paginator(f"list_{word.lower()}_jobs").paginate(StatusEquals="Completed")
        names += [job[f"{word}JobName"] for page in pages for job in page[f"{word}JobSummaries"]]
    keys = Counter(re.sub(r"-g\d+$", "", name) for name in names)
    return [key for key, count in keys.items() if count > 1]
