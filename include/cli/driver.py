"""Runs of a cycle's DAGs, one by one or as a backfill: made or gone on with, and followed until they end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from include.cli.airflow_api import AirflowApi, Json, airflow_of
from include.cli.stack import Stack
from include.cli.terminal import StackError, Terminal
from include.core.cycle import Cycle, described_cycle
from include.core.exceptions import FlywheelError
from include.core.layout import Interval, version_of

#: between two looks at a run, in seconds
LOOK_INTERVAL_S = 0.5
#: between two looks at the runs of a backfill, in seconds
BACKFILL_LOOK_INTERVAL_S = 1.0
#: how long the dag-processor may take to read the DAG files, in seconds
PARSE_TIMEOUT_S = 120.0
#: the DAG file that tells what is wrong with cycles
BROKEN = "broken_cycles.py"
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
class CycleRun:
    """One run of one of a cycle's DAGs."""

    cycle: str
    #: name of the DAG after the cycle's
    kind: str
    #: first day of the interval
    interval_start: str
    #: what the run's id begins with, by the command that makes it; installations hold runs of this name
    made_by: str = "first_turn"
    #: id of a run that Airflow made by itself
    given_id: str | None = None

    @property
    def dag_id(self) -> str:
        """Return the id of the DAG."""
        return f"{self.cycle}_{self.kind}"

    @property
    def run_id(self) -> str:
        """Return an id that is always the same, so that a second `make run` finds the run of the first."""
        return self.given_id or f"{self.made_by}__{self.interval_start}"


class Driver:
    """Starts runs, or goes on with those that are there, and shows their tasks until they end.

    :param logs: Airflow's directory of task logs
    :param heal: called at every look: starts again what has died, raises if the stack was taken down
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
        self.api, self.terminal, self.logs, self.heal = api, terminal, logs, heal
        self.is_brief = is_brief

    def complete(self, runs: Sequence[CycleRun]) -> None:
        """Do the runs one after the other; raise at the first that fails."""
        for name in dict.fromkeys(run.cycle for run in runs):
            cycle_named(name)
        for dag_id in dict.fromkeys(run.dag_id for run in runs):
            self.wait_for(dag_id)
        for run in runs:
            self._complete(run)

    def wait_for(self, dag_id: str) -> None:
        """Wait until Airflow has read a DAG, and let its runs start; raise with the reason if it cannot."""
        deadline = time.monotonic() + PARSE_TIMEOUT_S
        while self.api.dag(dag_id) is None:
            self.terminal.show(f"  waiting for Airflow to read {dag_id} ...")
            # another cycle that is broken hides no DAG of this one
            errors = [error for error in self.api.import_errors() if Path(error["filename"]).name != BROKEN]
            if errors or time.monotonic() > deadline:
                traces = "\n".join(f"{error['filename']}:\n{error['stack_trace']}" for error in errors)
                raise StackError(f"Airflow has no DAG {dag_id}. {traces or 'No file in dags/ makes it.'}")
            self.pause()
        self.api.unpause(dag_id)

    def pause(self, seconds: float = LOOK_INTERVAL_S) -> None:
        """Keep the services up, and wait until the next look."""
        self.heal()
        time.sleep(seconds)

    def _complete(self, run: CycleRun) -> None:
        known = self.api.run(run.dag_id, run.run_id)
        self._say(f"\n{run.dag_id}, interval from {run.interval_start}")
        if known is None:
            self.api.trigger(run.dag_id, run.run_id, {"interval_start": run.interval_start})
        elif known["state"] == "success":
            self._say("  done before")
            return
        elif known["state"] == "failed":
            self._say("  failed before; going on with the tasks that failed")
            self.api.clear_failed(run.dag_id, run.run_id)
        self._follow(run)

    def _say(self, text: str) -> None:
        if not self.is_brief:
            self.terminal.say(text)

    def _follow(self, run: CycleRun) -> None:
        shown: set[tuple[str, int]] = set()
        state = "queued"
        while state not in FINISHED:
            self.heal()
            known = self.api.run(run.dag_id, run.run_id)
            if known is None:
                raise StackError(f"The run {run.run_id} of {run.dag_id} was deleted while it was followed.")
            # asked before the tasks, so that a finished run's tasks are all seen finished
            state = known["state"]
            tasks = self.api.tasks(run.dag_id, run.run_id)
            self._show(tasks, shown)
            time.sleep(LOOK_INTERVAL_S if state not in FINISHED else 0)
        if state != "success":
            raise StackError(self._failure(run, tasks))

    def _show(self, tasks: list[Json], shown: set[tuple[str, int]]) -> None:
        """Print every task and every failed attempt once, when it has ended."""
        for task in sorted(tasks, key=lambda task: task["end_date"] or "~"):
            attempt = (task["task_id"], task["try_number"])
            if task["state"] in ENDED and attempt not in shown:
                shown.add(attempt)
                sign = SIGNS.get(task["state"], task["state"])
                seconds = f"{task['duration']:6.1f} s" if task["duration"] is not None else ""
                self._say(f"  {task['task_id']:<16} {sign:<8}{seconds}")
        busy = [task for task in tasks if task["state"] not in ENDED and task["start_date"]]
        if busy:
            self.terminal.show("  " + ", ".join(map(_progress, busy)))

    def _failure(self, run: CycleRun, tasks: list[Json]) -> str:
        failed = [task for task in tasks if task["state"] == "failed"]
        if not failed:
            return f"The run {run.run_id} of {run.dag_id} failed without a failed task: look at it in the UI."
        task = min(failed, key=lambda task: task["end_date"] or "~")
        attempt = task["try_number"]
        lines = self.api.log(run.dag_id, run.run_id, task["task_id"], attempt)
        path = f"dag_id={run.dag_id}/run_id={run.run_id}/task_id={task['task_id']}/attempt={attempt}.log"
        end = "\n".join(f"    {line}" for line in [line for line in lines if line.strip()][-LOG_LINES:])
        return (
            f"Task {task['task_id']} of {run.dag_id} failed for {run.interval_start} (attempt {attempt}).\n"
            f"{end}\nIts log: {self.logs / path}\n"
            "Once the cause is gone, run again: the run goes on with the tasks that failed."
        )

    # A backfill by Airflow's own means

    def backfill(self, dag_id: str, intervals: Sequence[Interval], *, again: bool) -> list[Json]:
        """Run a DAG for consecutive intervals that have no run which succeeded; return the run of each.

        :param again: make the runs that succeeded once more
        :raises StackError: a run failed; the next call tries it again
        """
        starts = [interval.start for interval in intervals]
        self.wait_for(dag_id)
        # Airflow makes one backfill of a DAG at a time: one of an interrupted replay ends first
        while self.api.is_backfilling(dag_id):
            self.terminal.show(f"  waiting for the backfill of {dag_id} that is under way ...")
            self.pause(BACKFILL_LOOK_INTERVAL_S)
        self.terminal.say(f"\n{dag_id}, {starts[0]:%Y-%m-%d} to {intervals[-1].end:%Y-%m-%d}")
        runs = {} if again else self._runs(dag_id, starts)
        shown = {start for start, run in runs.items() if run["state"] == "success"}
        if shown:
            self.terminal.say(f"  {len(shown)} of {len(starts)} intervals done before")
        self.api.backfill(dag_id, starts[0], starts[-1], again=again)
        while True:
            self.heal()
            runs = self._runs(dag_id, starts)
            for start, run in runs.items():
                if start not in shown and run["state"] in FINISHED:
                    shown.add(start)
                    self._show_run(dag_id, start, run)
            if all(runs.get(start, {}).get("state") == "success" for start in starts):
                return [runs[start] for start in starts]
            busy = [f"{start:%Y-%m-%d}" for start, run in runs.items() if run["state"] == "running"]
            self.terminal.show(f"  running: {', '.join(busy) or 'nothing yet'}")
            time.sleep(BACKFILL_LOOK_INTERVAL_S)

    def _runs(self, dag_id: str, starts: list[datetime]) -> dict[datetime, Json]:
        """Return the run of each interval that has one, by the interval's start, in order of time."""
        known = self.api.runs_from(dag_id, starts[0], starts[-1])
        runs = {datetime.fromisoformat(run["logical_date"]): run for run in known}
        return dict(sorted(runs.items()))

    def _show_run(self, dag_id: str, start: datetime, run: Json) -> None:
        """Print how a run of a backfill ended; raise if it failed."""
        sign = SIGNS.get(run["state"], run["state"])
        self.terminal.say(f"  {start:%Y-%m-%d}       {sign:<8}{run['duration'] or 0:6.1f} s")
        if run["state"] == "failed":
            tasks = self.api.tasks(dag_id, run["dag_run_id"])
            failed = [task["task_id"] for task in tasks if task["state"] == "failed"]
            logs = self.logs / f"dag_id={dag_id}" / f"run_id={run['dag_run_id']}"
            raise StackError(
                f"{dag_id} failed for {start:%Y-%m-%d} in {', '.join(failed) or 'no task'}. "
                f"Logs: {logs}\n"
                "The other runs of the backfill go on in Airflow. Once the cause is gone, run the replay "
                "again: it goes on with what failed and repeats nothing that is done."
            )


@contextmanager
def driver_of(stack: Stack, *, is_brief: bool = False) -> Iterator[Driver]:
    """Yield a driver of a stack's own Airflow, which keeps the stack up while it waits."""
    with airflow_of(stack.settings, heal=stack.keep) as api:
        yield Driver(api, stack.terminal, stack.home.airflow / "logs", stack.keep, is_brief=is_brief)


def cycle_named(name: str) -> Cycle:
    """Return the cycle of a name that a user gave."""
    try:
        return described_cycle(name)
    except FlywheelError as error:
        raise StackError(str(error)) from error


def short_version(arn: str | None) -> str:
    """Return `flights/2` of a model package's ARN; `-` without one."""
    return version_of(arn) if arn else "-"


def _progress(task: Json) -> str:
    seconds = (datetime.now(UTC) - datetime.fromisoformat(task["start_date"])).total_seconds()
    return f"{task['task_id']} {task['state']} {seconds:.0f} s"
