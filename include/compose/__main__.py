"""`docker compose run --rm flywheel <cycle>`: run a cycle, and print what came out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from include.cli.airflow_api import AirflowApi
from include.cli.driver import CycleRun, Driver, cycle_named
from include.cli.run import FIRST_RUNS, TRAINING, collect, print_results
from include.cli.terminal import StackError, Terminal
from include.core.cycle import find_cycles
from include.core.settings import Settings

API_SERVER = "http://airflow-apiserver:8080"
LOGS = Path("/opt/airflow/logs")


def first_runs(cycle: str) -> tuple[CycleRun, ...]:
    """Return the first runs of a cycle: those of `make run`, or the training of its first interval."""
    shown = tuple(run for run in FIRST_RUNS if run.cycle == cycle)
    start = cycle_named(cycle).start
    return shown or (CycleRun(cycle, TRAINING, start.date().isoformat()),)


def main(arguments: Sequence[str]) -> int:
    """Run the cycle; return 0 if every run succeeded."""
    options = _parser().parse_args(arguments)
    terminal = Terminal()
    api = AirflowApi(options.url, "admin", os.environ["AIRFLOW_ADMIN_PASSWORD"])
    try:
        runs = first_runs(options.cycle)[: options.runs]
        # nothing is healed from here: containers that die are started again by Docker
        Driver(api, terminal, LOGS, lambda: None).complete(runs)
        print_results(collect(Settings.from_environment(os.environ), api, runs), terminal)
    except StackError as error:
        terminal.say(f"Error: {error}")
        return 1
    finally:
        api.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="docker compose run --rm flywheel", description=__doc__)
    parser.add_argument("cycle", help=f"which cycle: {', '.join(find_cycles())}")
    parser.add_argument("--runs", type=int, help="how many of its first runs; all if not given")
    parser.add_argument("--url", default=API_SERVER, help="Airflow (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
