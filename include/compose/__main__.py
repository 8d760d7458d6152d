"""`docker compose run --rm flywheel <cycle>`: turn a cycle, and print what came out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from include.cli.airflow_api import AirflowApi
from include.cli.errors import StackError
from include.cli.first_run import FIRST_TURNS, Driver, Turn
from include.cli.report import collect, print_results
from include.cli.terminal import Terminal
from include.core.cycle import find_cycles
from include.core.settings import Settings

API_SERVER = "http://airflow-apiserver:8080"
LOGS = Path("/opt/airflow/logs")


def turns_of(cycle: str) -> tuple[Turn, ...]:
    """The first runs of a cycle: those of `make run`, or the training of its first interval."""
    shown = tuple(turn for turn in FIRST_TURNS if turn.cycle == cycle)
    start = find_cycles()[cycle].start
    return shown or (Turn(cycle, "train_and_deploy", start.date().isoformat()),)


def main(arguments: Sequence[str]) -> int:
    """Turn the cycle; 0 if every run succeeded."""
    options = _parser().parse_args(arguments)
    terminal = Terminal()
    api = AirflowApi(options.url, "admin", os.environ["AIRFLOW_ADMIN_PASSWORD"])
    turns = turns_of(options.cycle)[: options.turns]
    try:
        # nothing is healed from here: containers that die are started again by Docker
        Driver(api, terminal, LOGS, lambda: None).turn(turns)
        print_results(collect(Settings.from_environment(os.environ), api, turns), terminal)
    except StackError as error:
        terminal.say(f"Error: {error}")
        return 1
    finally:
        api.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="docker compose run --rm flywheel", description=__doc__)
    parser.add_argument("cycle", choices=sorted(find_cycles()), help="which cycle")
    parser.add_argument("--turns", type=int, help="how many of its first runs; all if not given")
    parser.add_argument("--url", default=API_SERVER, help="Airflow (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
