"""Whether services do their work: what they answer, and how one that lives and hangs is noticed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import psutil

from include.cli.airflow_api import Json, airflow_of
from include.cli.environment import airflow_url
from include.cli.terminal import StackError
from include.core.settings import Settings

#: one question to a service that answers within milliseconds when it is well, in seconds
QUESTION_TIMEOUT_S = 5.0
#: between two looks at services that live, in seconds
HANG_LOOK_INTERVAL_S = 5.0
#: a service that has not done its work for so long hangs; a busy machine has taken half of it, in seconds
HANG_S = 120.0
#: an idle worker takes a task within milliseconds; a busy machine has needed seconds, in seconds
TAKEN_WITHIN_S = 20.0
#: what Airflow's LocalExecutor calls its processes; one that waits for a task ends in `IDLE`, one that has a
#: task in the id of its task instance
WORKER, IDLE = "airflow worker -- LocalExecutor", "<idle>"


def is_answering(url: str) -> bool:
    """Return whether an address answers with success."""
    try:
        return httpx.get(url, timeout=QUESTION_TIMEOUT_S).is_success
    except httpx.HTTPError:
        return False


def airflow_health(settings: Settings) -> dict[str, str]:
    """Return what Airflow says of its own components: "healthy", "unhealthy", or nothing."""
    try:
        answer = httpx.get(f"{airflow_url(settings)}/api/v2/monitor/health", timeout=QUESTION_TIMEOUT_S)
        answer.raise_for_status()
        return {part: state["status"] or "" for part, state in answer.json().items()}
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return {}


class Hangs:
    """How long each service has lived without doing its work."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def note(self, name: str, *, is_working: bool, now: float) -> bool:
        """Note what a look showed, and return whether the service hangs.

        :param now: of a clock that never goes back, in seconds
        """
        if is_working:
            self._since.pop(name, None)
            return False
        return now - self._since.setdefault(name, now) >= HANG_S

    def forget(self, names: Iterable[str]) -> None:
        """Begin anew with services that nothing is known of, or that were started again."""
        for name in names:
            self._since.pop(name, None)


@dataclass(frozen=True)
class Workers:
    """The processes below a scheduler that run tasks."""

    #: titles of those that wait for a task
    idle: tuple[str, ...]
    #: titles of those that have one
    busy: tuple[str, ...]


def workers_of(scheduler: psutil.Process) -> Workers:
    """Return the workers of a LocalExecutor by the titles they give themselves; on macOS they give none."""
    titles = []
    for child in scheduler.children():
        try:
            titles.append(" ".join(child.cmdline()).strip())
        except psutil.Error:  # it has just ended
            continue
    workers = [title for title in titles if title.startswith(WORKER)]
    return Workers(
        idle=tuple(title for title in workers if title.endswith(IDLE)),
        busy=tuple(title for title in workers if not title.endswith(IDLE)),
    )


def untaken(queued: Sequence[Json], workers: Workers, since: datetime, now: datetime) -> list[str]:
    """Return the tasks that a scheduler has handed out and no worker takes, though one is idle.

    A worker that is killed while it waits takes the queue's lock with it: from then on all others wait for
    the lock for ever, and the scheduler calls itself healthy. One that is killed before it has reported its
    task leaves that task queued.

    :param queued: task instances that Airflow says are queued, asked before `workers`
    :param since: when the scheduler was started; what an earlier one queued, Airflow takes back by itself
    """
    if not workers.idle:
        return []
    return [
        f"{task['dag_id']}.{task['task_id']}"
        for task in queued
        if since < _queued_at(task, now)
        and (now - _queued_at(task, now)).total_seconds() >= TAKEN_WITHIN_S
        and not any(title.endswith(task["id"]) for title in workers.busy)
    ]


def untaken_tasks(settings: Settings, scheduler: psutil.Process) -> list[str]:
    """Return the tasks that no worker of a scheduler takes; none if Airflow does not tell."""
    try:
        with airflow_of(settings, attempts=1) as api:
            queued = api.queued_tasks()
        since = datetime.fromtimestamp(scheduler.create_time(), UTC)
        return untaken(queued, workers_of(scheduler), since, datetime.now(UTC))
    except (StackError, psutil.Error):
        return []


def let_tasks_end(scheduler: psutil.Process, timeout_s: float) -> None:
    """Hold a scheduler still, and wait until its workers have ended what they have, `timeout_s` at most."""
    deadline = time.monotonic() + timeout_s
    try:
        scheduler.suspend()
        while workers_of(scheduler).busy and time.monotonic() < deadline:
            time.sleep(0.5)
    except psutil.Error:  # it has ended
        return


def _queued_at(task: Json, now: datetime) -> datetime:
    text = task["queued_when"]
    return datetime.fromisoformat(text) if text else now
