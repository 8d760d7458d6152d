"""The first turn of a cycle: its runs in order, each followed task by task."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from include.cli.airflow_api import AirflowApi
from include.cli.errors import StackError
from include.cli.terminal import Terminal
from include.core.cycle import Cycle, find_cycles

#: between two looks at a run, in seconds
LOOK_INTERVAL_S = 0.5
#: how long the dag-processor may take to read the DAG files, in seconds
PARSE_TIMEOUT_S = 120.0
#: lines of a failed task's log that are shown
LOG_LINES = 12
FINISHED = {"success", "failed", "skipped", "upstream_failed", "removed"}
#: states after which nothing more is heard of an attempt
ENDED = FINISHED | {"up_for_retry"}
SIGNS = {
    "up_for_retry": "failed, will be tried again",
    "success": "ok",
    "skipped": "skipped",
    "failed": "FAILED",
    "upstream_failed": "not run",
}


@dataclass(frozen=True)
class Turn:
    """One run of one DAG."""

    cycle: str
    #: name of the DAG after the cycle's
    kind: str
    #: first day of the interval
    interval_start: str
    #: command whose run it is
    made_by: str = "first_turn"
    #: id of a run that Airflow made by itself
    given_id: str | None = None

    @property
    def dag_id(self) -> str:
        """Id of the DAG."""
        return f"{self.cycle}_{self.kind}"

    @property
    def run_id(self) -> str:
        """Always the same, so that a second `make run` finds the run of the first."""
        return self.given_id or f"{self.made_by}__{self.interval_start}"


#: what `make run` shows of the cycle: two trainings, and the month after scored with the champion
FIRST_TURNS = (
    Turn("flights", "train_and_deploy", "2013-01-01"),
    Turn("flights", "train_and_deploy", "2013-02-01"),
    Turn("flights", "score_and_monitor", "2013-03-01"),
)


class Driver:
    """Starts runs, or goes on with those that are there, and shows their tasks until they end.

    :param is_brief: show what runs, and leave it to the caller to tell what came out
    """

    def __init__(
        self,
        api: AirflowApi,
        terminal: Terminal,
        logs: Path,
        heal: Callable[[], None],
        *,
        is_brief: bool = False,
    ) -> None:
        self.is_brief = is_brief
        self.api = api
        self.terminal = terminal
        #: Airflow's directory of task logs
        self.logs = logs
        #: called at every look: starts again what has died, raises if the stack was taken down
        self.heal = heal

    def turn(self, turns: Sequence[Turn]) -> None:
        """Do the runs one after the other; raise at the first that fails."""
        for dag_id in dict.fromkeys(turn.dag_id for turn in turns):
            self.wait_for(dag_id)
            self.api.unpause(dag_id)
        for turn in turns:
            self._one(turn)

    def wait_for(self, dag_id: str) -> None:
        """Wait until Airflow has read a DAG; raise with the reason if it cannot."""
        deadline = time.monotonic() + PARSE_TIMEOUT_S
        while self.api.dag(dag_id) is None:
            self.terminal.show(f"  waiting for Airflow to read {dag_id} ...")
            errors = self.api.import_errors()
            if errors or time.monotonic() > deadline:
                said = "\n".join(f"{error['filename']}:\n{error['stack_trace']}" for error in errors)
                raise StackError(f"Airflow has no DAG {dag_id}. {said or 'No file in dags/ makes it.'}")
            self.heal()
            time.sleep(LOOK_INTERVAL_S)

    def _one(self, turn: Turn) -> None:
        run = self.api.run(turn.dag_id, turn.run_id)
        self._say()
        self._say(f"{turn.dag_id}, interval from {turn.interval_start}")
        if run is None:
            self.api.trigger(turn.dag_id, turn.run_id, {"interval_start": turn.interval_start})
        elif run["state"] == "success":
            self._say("  done before")
            return
        elif run["state"] == "failed":
            self._say("  failed before; going on with the tasks that failed")
            self.api.clear_failed(turn.dag_id, turn.run_id)
        self._follow(turn)

    def _say(self, text: str = "") -> None:
        if not self.is_brief:
            self.terminal.say(text)

    def _follow(self, turn: Turn) -> None:
        shown: set[tuple[str, int]] = set()
        state = "queued"
        while state not in FINISHED:
            self.heal()
            run = self.api.run(turn.dag_id, turn.run_id)
            if run is None:
                raise StackError(f"The run {turn.run_id} of {turn.dag_id} was deleted while it was followed.")
            # asked before the tasks, so that a finished run's tasks are all seen finished
            state = run["state"]
            tasks = self.api.tasks(turn.dag_id, turn.run_id)
            self._show(tasks, shown)
            time.sleep(LOOK_INTERVAL_S if state not in FINISHED else 0)
        if state != "success":
            raise StackError(self._failure(turn, tasks))

    def _show(self, tasks: list[dict[str, Any]], shown: set[tuple[str, int]]) -> None:
        """Print every task and every failed attempt once, when it has ended."""
        for task in sorted(tasks, key=_ended):
            attempt = (task["task_id"], task["try_number"])
            if task["state"] in ENDED and attempt not in shown:
                shown.add(attempt)
                sign = SIGNS.get(task["state"], task["state"])
                self._say(f"  {task['task_id']:<16} {sign:<8}{_seconds(task)}")
        busy = [task for task in tasks if task["state"] not in ENDED and task["start_date"]]
        if busy:
            self.terminal.show("  " + ", ".join(f"{t['task_id']} {t['state']} {_since(t)}" for t in busy))

    def _failure(self, turn: Turn, tasks: list[dict[str, Any]]) -> str:
        failed = [task for task in tasks if task["state"] == "failed"]
        if not failed:
            return (
                f"The run {turn.run_id} of {turn.dag_id} failed without a failed task: look at it in the UI."
            )
        task = min(failed, key=_ended)
        attempt = task["try_number"]
        lines = self.api.log(turn.dag_id, turn.run_id, task["task_id"], attempt)
        place = f"dag_id={turn.dag_id}/run_id={turn.run_id}/task_id={task['task_id']}/attempt={attempt}.log"
        end = "\n".join(f"    {line}" for line in [line for line in lines if line.strip()][-LOG_LINES:])
        return (
            f"Task {task['task_id']} of {turn.dag_id} failed for {turn.interval_start} (attempt {attempt}).\n"
            f"{end}\nIts log: {self.logs / place}\n"
            "Once the cause is gone, run again: the run goes on with the tasks that failed."
        )


def cycle_named(name: str) -> Cycle:
    """The cycle of a name that a user gave."""
    cycles = find_cycles()
    if name not in cycles:
        raise StackError(f"There is no cycle {name!r}. Known: {', '.join(cycles)}.")
    return cycles[name]


def _ended(task: dict[str, Any]) -> str:
    return task["end_date"] or "~"


def _seconds(task: dict[str, Any]) -> str:
    return f"{task['duration']:6.1f} s" if task["duration"] is not None else ""


def _since(task: dict[str, Any]) -> str:
    began = datetime.fromisoformat(task["start_date"])
    return f"{(datetime.now(began.tzinfo) - began).total_seconds():.0f} s"
