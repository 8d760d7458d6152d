"""What orchestration costs: one training in Airflow, beside the same steps in one process.

Both sides run once in each round, one after the other. The stack is started here, and not timed, in a
directory of its own. `python -m benchmarks.orchestration [--rounds 2]`
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.harness import PROJECT, free_port
from include.cli.driver import Driver, driver_of
from include.cli.environment import make_bucket
from include.cli.stack import Stack
from include.cli.terminal import Terminal
from include.core.settings import Settings

DAG, INTERVAL_START = "flights_train_and_deploy", "2013-01-01"


def plain() -> dict[str, float]:
    """Return seconds per step in one new process, its imports included in the first step that needs them."""
    with tempfile.TemporaryDirectory() as parent:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.plain_cycle", f"{parent}/cycle"],
            env={**os.environ, "OMP_NUM_THREADS": "2", "FLYWHEEL_THREADS": "2"},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        )
    seconds: dict[str, float] = json.loads(done.stdout)
    return seconds


def orchestrated(driver: Driver, number: int) -> tuple[float, list[dict[str, Any]]]:
    """Return seconds from the trigger to the end of the run, and its tasks with their jobs' seconds."""
    api, run_id = driver.api, f"benchmark__{number}"
    began = time.perf_counter()
    api.trigger(DAG, run_id, {"interval_start": INTERVAL_START, "force": True})
    while (run := api.run(DAG, run_id)) and run["state"] not in {"success", "failed"}:
        driver.heal()
        time.sleep(0.2)
    wall = time.perf_counter() - began
    assert run, "the run is gone"
    assert run["state"] == "success", "the run failed: its logs are in the directory named above"
    tasks = api.tasks(DAG, run_id)
    for task in tasks:
        task["job_s"] = api.step_result(DAG, run_id, task["task_id"]).get("seconds") or 0.0
    return wall, tasks


def gaps(tasks: list[dict[str, Any]]) -> float:
    """Return the sum of seconds between the end of a task and the start of the next."""
    spans = sorted(
        [datetime.fromisoformat(task[f"{end}_date"]) for end in ("start", "end")] for task in tasks
    )
    return sum((later[0] - earlier[1]).total_seconds() for earlier, later in pairwise(spans))


def report(walls: list[float], runs: list[list[dict[str, Any]]], plains: list[dict[str, float]]) -> None:
    """Print medians side by side."""
    wall = statistics.median(walls)
    alone = statistics.median(sum(seconds.values()) for seconds in plains)
    print(f"\nflights {INTERVAL_START}, medians of {len(walls)}")
    print(f"{'step':<12}{'plain s':>9}{'job s':>9}{'task s':>9}")
    for name in [task["task_id"] for task in sorted(runs[0], key=lambda task: task["start_date"])]:
        of = [task for tasks in runs for task in tasks if task["task_id"] == name]
        job, task = (statistics.median(t[key] for t in of) for key in ("job_s", "duration"))
        own = statistics.median(seconds.get(name, 0.0) for seconds in plains)
        print(f"{name:<12}{own:>9.2f}{job:>9.2f}{task:>9.2f}")
    between = statistics.median(gaps(tasks) for tasks in runs)
    print(f"\nwhole cycle: {wall:.1f} s in Airflow, {alone:.1f} s in one process: {wall / alone:.2f} times")
    print(f"of it between tasks: {between:.1f} s")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    rounds = parser.parse_args().rounds
    home = Path(tempfile.mkdtemp(prefix="flywheel-benchmark-"))
    settings = Settings(home=home, airflow_port=free_port(), sagemaker_port=free_port(), poll_interval_s=0.5)
    terminal = Terminal()
    terminal.say(f"in {home}")
    stack = Stack(settings, terminal)
    try:
        stack.up()
        make_bucket(settings)
        walls, runs, plains = [], [], []
        with driver_of(stack) as driver:
            driver.wait_for(DAG)
            for number in range(rounds):
                plains.append(plain())
                wall, tasks = orchestrated(driver, number)
                walls.append(wall)
                runs.append(tasks)
        report(walls, runs, plains)
    finally:
        stack.down()


if __name__ == "__main__":
    main()
