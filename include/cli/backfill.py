"""A backfill by Airflow's own means, followed run by run until it ends."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from include.cli.errors import StackError
from include.cli.first_run import FINISHED, SIGNS, Driver
from include.core.layout import Interval

#: between two looks at the runs, in seconds
LOOK_INTERVAL_S = 1.0

Run = dict[str, Any]


class Backfill:
    """All runs of one DAG over consecutive intervals, made or gone on with."""

    def __init__(
        self, driver: Driver, dag_id: str, intervals: Sequence[Interval], *, again: bool = False
    ) -> None:
        self.driver, self.dag_id, self.intervals, self.again = driver, dag_id, intervals, again

    def complete(self) -> list[Run]:
        """Run what has not succeeded yet, and return every interval's run, in order of time.

        :raises StackError: a run failed; the next call tries it again
        """
        self.driver.wait_for(self.dag_id)
        self.driver.api.unpause(self.dag_id)
        self._await_other()
        first, last = self.intervals[0].start, self.intervals[-1].start
        self.driver.terminal.say()
        self.driver.terminal.say(f"{self.dag_id}, {first:%Y-%m-%d} to {self.intervals[-1].end:%Y-%m-%d}")
        runs = {} if self.again else self._runs()
        before = {start for start, run in runs.items() if run["state"] == "success"}
        if before:
            self.driver.terminal.say(f"  {len(before)} of {len(self.intervals)} intervals done before")
        self.driver.api.backfill(self.dag_id, first, last, again=self.again)
        return self._follow(before)

    def _await_other(self) -> None:
        """Airflow makes one backfill of a DAG at a time: one of an interrupted replay ends first."""
        while self.driver.api.is_backfilling(self.dag_id):
            self.driver.terminal.show(f"  waiting for the backfill of {self.dag_id} that is under way ...")
            self.driver.heal()
            time.sleep(LOOK_INTERVAL_S)

    def _runs(self) -> dict[datetime, Run]:
        """The run of each interval that has one, by the interval's start."""
        found = self.driver.api.runs_from(self.dag_id, self.intervals[0].start, self.intervals[-1].start)
        return {datetime.fromisoformat(run["logical_date"]): run for run in found}

    def _follow(self, shown: set[datetime]) -> list[Run]:
        while True:
            self.driver.heal()
            runs = self._runs()
            for start in [start for start in sorted(runs) if start not in shown]:
                if runs[start]["state"] in FINISHED:
                    shown.add(start)
                    self._show(start, runs[start])
            wanted = [interval.start for interval in self.intervals]
            if all(runs.get(start, {}).get("state") == "success" for start in wanted):
                return [runs[start] for start in wanted]
            busy = [f"{start:%Y-%m-%d}" for start in sorted(runs) if runs[start]["state"] == "running"]
            self.driver.terminal.show(f"  running: {', '.join(busy) or 'nothing yet'}")
            time.sleep(LOOK_INTERVAL_S)

    def _show(self, start: datetime, run: Run) -> None:
        """Print how a run ended; raise if it failed."""
        sign = SIGNS.get(run["state"], run["state"])
        self.driver.terminal.say(f"  {start:%Y-%m-%d}       {sign:<8}{run['duration'] or 0:6.1f} s")
        if run["state"] == "failed":
            tasks = self.driver.api.tasks(self.dag_id, run["dag_run_id"])
            failed = [task["task_id"] for task in tasks if task["state"] == "failed"]
            logs = self.driver.logs / f"dag_id={self.dag_id}" / f"run_id={run['dag_run_id']}"
            raise StackError(
                f"{self.dag_id} failed for {start:%Y-%m-%d} in {', '.join(failed) or 'no task'}. "
                f"Logs: {logs}\n"
                "The other runs of the backfill go on in Airflow. Once the cause is gone, run the replay "
                "again: it goes on with what failed and repeats nothing that is done."
            )
