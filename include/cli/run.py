"""`make run`: services up, the first turn of the cycle, its results, and then up until Ctrl-C."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from types import FrameType

from include.cli.airflow_api import AirflowApi
from include.cli.aws import client, make_bucket
from include.cli.errors import StackError
from include.cli.example import ask, curl_example, first_golden_row, python_example
from include.cli.first_run import FIRST_TURNS, Driver
from include.cli.home import ADMIN, home_of, installation_secrets
from include.cli.report import RunResult, collect, print_results
from include.cli.stack import Stack
from include.cli.status import login
from include.cli.terminal import Terminal
from include.cli.urls import airflow_url
from include.core.settings import Settings

#: between two looks at the services while nothing else is to do, in seconds
WATCH_INTERVAL_S = 2.0


class Stopped(KeyboardInterrupt):
    """Somebody pressed Ctrl-C, or asked this process to end."""


def run(settings: Settings, terminal: Terminal, *, stays: bool) -> int:
    """Bring everything up and turn the cycle; then stay until Ctrl-C, or leave the services running.

    Ctrl-C at any time stops the services; a job that runs is finished by nobody until the next run, which
    attaches to it.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    stack = Stack(settings, terminal)
    try:
        start(settings, terminal, stack)
        _turn(settings, terminal, stack)
        if stays:
            terminal.say()
            terminal.say("  Ctrl-C stops everything; `make run` goes on where it stopped.")
            _watch(stack)
    except Stopped:
        # a second Ctrl-C must not interrupt the stopping
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        terminal.say()
        terminal.say("Stopping ...")
        stack.down()
    return 0


def start(settings: Settings, terminal: Terminal, stack: Stack) -> None:
    """Bring the services up, all or none."""
    terminal.say(f"Flywheel in {settings.home}")
    try:
        stack.up()
    except StackError:
        stack.down()
        raise
    make_bucket(settings)
    terminal.say(f"  {login(settings)}")


def _turn(settings: Settings, terminal: Terminal, stack: Stack) -> None:
    """Do the runs, and print what came out; the services go on if one fails, so that one can look."""
    password = installation_secrets(home_of(settings)).password
    api = AirflowApi(airflow_url(settings), ADMIN, password)
    try:
        driver = Driver(api, terminal, home_of(settings).airflow / "logs", lambda: keep(stack))
        driver.turn(FIRST_TURNS)
        results = collect(settings, api, FIRST_TURNS)
    except StackError:
        terminal.say()
        terminal.say("  The services go on, for you to look; `make down` stops them.")
        raise
    finally:
        api.close()
    print_results(results, terminal)
    _print_example(settings, results, terminal)
    terminal.say()
    terminal.say(f"  {login(settings)}")


def _print_example(settings: Settings, results: Sequence[RunResult], terminal: Terminal) -> None:
    """Ask the endpoint about a flight it never saw, and show how anybody can."""
    evaluations = [uri for result in results if (uri := result.steps.get("evaluate", {}).get("uri"))]
    endpoint = results[-1].turn.cycle
    body = first_golden_row(client(settings, "s3"), evaluations[-1])
    terminal.say()
    terminal.say(f"The endpoint {endpoint} answers: {ask(settings, endpoint, body).strip()}")
    terminal.say("Ask it yourself, from a shell:")
    terminal.say(curl_example(settings, endpoint, body))
    terminal.say("or from Python:")
    terminal.say(python_example(settings, endpoint, body))


def keep(stack: Stack) -> None:
    """Start again what died; raise if somebody took the services down."""
    if not stack.is_wanted():
        raise StackError("The services were stopped from elsewhere (`make down`). Run again to go on.")
    stack.heal()


def _watch(stack: Stack) -> None:
    """Keep the services up until they are stopped from elsewhere."""
    while stack.is_wanted():
        stack.heal()
        time.sleep(WATCH_INTERVAL_S)
    stack.terminal.say("The services were stopped from elsewhere.")


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Stopped
