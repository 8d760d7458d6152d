"""`python -m include.cli <command>`: what make calls; without a command it tells which there are."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from include.cli.environment import make_bucket, read_env_file, stack_environment
from include.cli.replay import replay
from include.cli.reproduce import TOLERANCE, compare_keys, reproduce
from include.cli.run import run
from include.cli.stack import Stack
from include.cli.status import show_status
from include.cli.terminal import StackError, Terminal
from include.cli.traffic import Plan, traffic
from include.cli.watch import watch
from include.core.settings import PROJECT, Settings

Command = Callable[..., int]
Option = Callable[..., argparse.Action]


def main(arguments: list[str] | None = None) -> int:
    """Do one command; 0 if it did what it is for."""
    options = vars(_parser().parse_args(arguments))
    command = options.pop("command")
    # the environment of the command wins over the file
    os.environ.update({**read_env_file(PROJECT / ".env"), **os.environ})
    terminal = Terminal()
    try:
        code: int = command(Settings.from_environment(os.environ), terminal, **options)
    except (StackError, ValueError) as error:
        terminal.say()
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return code


def _up(settings: Settings, terminal: Terminal) -> int:
    Stack(settings, terminal).up()
    make_bucket(settings)
    return 0


def _down(settings: Settings, terminal: Terminal) -> int:
    Stack(settings, terminal).down()
    return 0


def _traffic(settings: Settings, terminal: Terminal, **plan: Any) -> int:  # noqa: ANN401 - fields of the plan
    return traffic(settings, terminal, Plan(**plan))


def _exec(settings: Settings, _: Terminal, *, module: list[str]) -> int:
    command = [sys.executable, "-m", *module]
    return subprocess.run(command, env=stack_environment(settings), check=False).returncode


def _parser() -> argparse.ArgumentParser:
    """Return the parser; each command's options are the keyword arguments of its function."""
    parser = argparse.ArgumentParser(prog="python -m include.cli", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name: str, command: Command, text: str, *parents: argparse.ArgumentParser) -> Option:
        made = commands.add_parser(name, help=text, parents=parents)
        made.set_defaults(command=command)
        return made.add_argument

    cycle = argparse.ArgumentParser(add_help=False)
    cycle.add_argument("--cycle", default="flights", help="name of the cycle (default: %(default)s)")
    option = add("run", run, "start the services, run the cycle, stay until Ctrl-C")
    option("--exit-when-done", action="store_true", help="return after the results; the services go on")
    option = add("replay", replay, "backfill a cycle from its start, and compare its models", cycle)
    option("--intervals", type=int, help="how many, from the first; all if not given")
    option("--again", action="store_true", help="make the runs that succeeded once more")
    option = add("watch", watch, "monitor a cycle window by window; retrain when monitoring asks", cycle)
    option("--windows", type=int, help="how many, from the first with a champion; all if not given")
    option = add("traffic", _traffic, "send an interval's records to the endpoint, then their labels", cycle)
    option("--interval", required=True, help="start of what score_and_monitor has run for: 2013-03")
    option("--rate", type=float, help="requests a second; as fast as they are answered if not given")
    option("--connections", type=int, default=4, help="how many clients send side by side")
    option("--rows", type=int, help="only so many, from the first")
    option("--until", type=_moment, help="deliver only labels known by then: 2013-04-01")
    option("--again", action="store_true", help="send what was sent before once more")
    option = add("reproduce", reproduce, "train a recorded model again, and compare the answers")
    option("run", help="a training job, <cycle>/<interval>, or the beginning of a key")
    option("--tolerance", type=float, default=TOLERANCE, help="largest difference of a probability")
    option = add("compare-keys", compare_keys, "name what differs between two keys")
    option("first", help="as for reproduce, of any step")
    option("second", help="the other")
    option = add("status", show_status, "what runs, and what is in production")
    option("--json", dest="as_json", action="store_true", help="for programs")
    add("up", _up, "start the services and return")
    option = add("exec", _exec, "run a module in the services' environment: exec airflow dags list")
    option("module", nargs=argparse.REMAINDER)
    add("down", _down, "stop the services")
    return parser


def _moment(text: str) -> datetime:
    """Return a date or time, in UTC unless it says otherwise."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


if __name__ == "__main__":
    sys.exit(main())
