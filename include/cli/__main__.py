"""`python -m include.cli <command>`: what make calls; without a command it tells which there are."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

from include.cli.aws import make_bucket
from include.cli.environment import read_env_file, stack_environment
from include.cli.errors import StackError
from include.cli.replay import replay
from include.cli.reproduce import TOLERANCE, compare_keys, reproduce
from include.cli.run import run
from include.cli.stack import Stack
from include.cli.status import print_status, status
from include.cli.terminal import Terminal
from include.cli.traffic import Plan, traffic
from include.cli.watch import watch
from include.core.settings import PROJECT, Settings


def main(arguments: list[str] | None = None) -> int:
    """Do one command; 0 if it did what it is for."""
    options = _parser().parse_args(arguments)
    # the environment of the command wins over the file
    os.environ.update({**read_env_file(PROJECT / ".env"), **os.environ})
    terminal = Terminal()
    try:
        settings = Settings.from_environment(os.environ)
        code: int = options.command(settings, terminal, options)
    except (StackError, ValueError) as error:
        terminal.say()
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return code


def _up(settings: Settings, terminal: Terminal, _: argparse.Namespace) -> int:
    Stack(settings, terminal).up()
    make_bucket(settings)
    return 0


def _down(settings: Settings, terminal: Terminal, _: argparse.Namespace) -> int:
    Stack(settings, terminal).down()
    return 0


def _run(settings: Settings, terminal: Terminal, options: argparse.Namespace) -> int:
    return run(settings, terminal, stays=not options.exit_when_done)


def _replay(settings: Settings, terminal: Terminal, options: argparse.Namespace) -> int:
    return replay(settings, terminal, name=options.cycle, count=options.intervals, again=options.again)


def _watch(settings: Settings, terminal: Terminal, options: argparse.Namespace) -> int:
    return watch(settings, terminal, name=options.cycle, count=options.windows)


def _traffic(settings: Settings, terminal: Terminal, options: argparse.Namespace) -> int:
    plan = Plan(
        cycle=options.cycle,
        interval=options.interval,
        rate=options.rate,
        connections=options.connections,
        rows=options.rows,
        until=options.until,
        again=options.again,
    )
    return traffic(settings, terminal, plan)


def _reproduce(settings: Settings, terminal: Terminal, options: argparse.Namespace) -> int:
    return reproduce(settings, terminal, named=options.run, tolerance=options.tolerance)


def _compare_keys(settings: Settings, terminal: Terminal, options: argparse.Namespace) -> int:
    return compare_keys(settings, terminal, first=options.first, second=options.second)


def _status(settings: Settings, terminal: Terminal, options: argparse.Namespace) -> int:
    found = status(settings)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        print_status(found, settings, terminal)
    return 0


def _exec(settings: Settings, _: Terminal, options: argparse.Namespace) -> int:
    command = [sys.executable, "-m", *options.module]
    return subprocess.run(command, env=stack_environment(settings), check=False).returncode


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m include.cli", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    turn = commands.add_parser("run", help="start the services, turn the cycle, stay until Ctrl-C")
    turn.add_argument(
        "--exit-when-done", action="store_true", help="return after the results; the services go on"
    )
    turn.set_defaults(command=_run)
    year = commands.add_parser("replay", help="backfill a cycle from its start, and compare its models")
    year.add_argument("--cycle", default="flights", help="name of the cycle")
    year.add_argument("--intervals", type=int, help="how many, from the first; all if not given")
    year.add_argument("--again", action="store_true", help="make the runs that succeeded once more")
    year.set_defaults(command=_replay)
    loop = commands.add_parser("watch", help="watch a cycle window by window; retrain when monitoring asks")
    loop.add_argument("--cycle", default="flights", help="name of the cycle")
    loop.add_argument(
        "--windows", type=int, help="how many, from the first with a champion; all if not given"
    )
    loop.set_defaults(command=_watch)
    _add_traffic(commands)
    _add_record_commands(commands)
    tell = commands.add_parser("status", help="what runs, and what is in production")
    tell.add_argument("--json", action="store_true", help="for programs")
    tell.set_defaults(command=_status)
    up = commands.add_parser("up", help="start the services and return")
    up.set_defaults(command=_up)
    module = commands.add_parser(
        "exec", help="run a module in the services' environment: exec airflow dags list"
    )
    module.add_argument("module", nargs=argparse.REMAINDER)
    module.set_defaults(command=_exec)
    down = commands.add_parser("down", help="stop the services")
    down.set_defaults(command=_down)
    return parser


def _add_traffic(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    """The command that stands for clients."""
    send = commands.add_parser(
        "traffic", help="send an interval's records to the endpoint, then their labels"
    )
    send.add_argument("--cycle", default="flights", help="name of the cycle")
    send.add_argument(
        "--interval", required=True, help="start of what score_and_monitor has run for: 2013-03"
    )
    send.add_argument(
        "--rate", type=float, help="requests a second; as fast as they are answered if not given"
    )
    send.add_argument("--connections", type=int, default=4, help="how many clients send side by side")
    send.add_argument("--rows", type=int, help="only so many, from the first")
    send.add_argument("--until", type=_moment, help="deliver only labels known by then: 2013-04-01")
    send.add_argument("--again", action="store_true", help="send what was sent before once more")
    send.set_defaults(command=_traffic)


def _moment(text: str) -> datetime:
    """A date or time, in UTC unless it says otherwise."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _add_record_commands(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    """The commands about what was recorded."""
    again = commands.add_parser("reproduce", help="train a recorded model again, and compare the answers")
    again.add_argument("run", help="a training job, <cycle>/<interval>, or the beginning of a key")
    again.add_argument(
        "--tolerance", type=float, default=TOLERANCE, help="largest difference of a probability"
    )
    again.set_defaults(command=_reproduce)
    keys = commands.add_parser("compare-keys", help="name what differs between two keys")
    keys.add_argument("first", help="as for reproduce, of any step")
    keys.add_argument("second", help="the other")
    keys.set_defaults(command=_compare_keys)


if __name__ == "__main__":
    sys.exit(main())
