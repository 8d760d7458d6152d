"""What a service that cannot start says, which services there are, and how they are kept up."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.cli import stack as stack_module
from include.cli.services import Service, services
from include.cli.stack import SHORT_LIVES, Stack
from include.cli.terminal import StackError, Terminal
from include.core.settings import Settings


@pytest.mark.parametrize(
    ("name", "setting"),
    [("api-server", "FLYWHEEL_AIRFLOW_PORT"), ("local-sagemaker", "FLYWHEEL_SAGEMAKER_PORT")],
)
def test_a_port_that_is_taken_is_named_with_the_setting_that_changes_it(
    name: str, setting: str, tmp_path: Path
) -> None:
    """The message tells which port, and where to choose another."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        settings = Settings(home=tmp_path, **{setting.removeprefix("FLYWHEEL_").lower(): port})
        service = next(service for service in services(settings) if service.name == name)
        with pytest.raises(StackError, match=f"port {port} .*{setting}="):
            service.refuse_taken_port()


def test_a_free_port_is_not_refused(tmp_path: Path) -> None:
    """The probe leaves the port to the service."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for service in services(Settings(home=tmp_path, airflow_port=port)):
        if service.name == "api-server":
            service.refuse_taken_port()
            service.refuse_taken_port()


def test_the_local_service_is_not_started_when_jobs_run_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection of the user's own decides."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", "aws://")
    assert "local-sagemaker" not in [service.name for service in services(Settings(home=tmp_path))]


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack of one service, a server of files, that is up and says that it is ready."""
    settings = Settings(home=tmp_path, database_url="postgresql://me:pw@db/airflow")
    made = Stack(settings, Terminal(io.StringIO()))
    made.home.make()
    made.services = [one_service(made, is_ready=True)]
    monkeypatch.setattr(made, "_migrate", lambda: None)
    made.up()
    yield made
    made.down()


def one_service(stack: Stack, *, is_ready: bool) -> Service:
    """A service of the stack's, whose readiness is given."""
    return Service(
        "files",
        stack.home.run,
        stack.home.logs,
        arguments=("http.server", "--bind", "127.0.0.1", "0"),
        is_ready=lambda: is_ready,
    )


def pid_of(stack: Stack) -> int:
    """The process of the one service."""
    process = stack.services[0].process()
    assert process is not None
    return process.pid


def kill(stack: Stack) -> None:
    """Kill the one service, so that it stays known."""
    stack.services[0].kill()


def keep_with_kills(stack: Stack, kills: int) -> None:
    """Kill the one service, and have it started again, so often."""
    for _ in range(kills):
        kill(stack)
        stack.keep()


def test_a_service_that_was_killed_is_started_again_however_often(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only lives that end soon after their start are counted."""
    monkeypatch.setattr(stack_module, "SHORT_LIFE_S", 0.0)
    pids = {pid_of(stack)}
    for _ in range(SHORT_LIVES + 2):
        kill(stack)
        stack.keep()
        pids.add(pid_of(stack))
    assert len(pids) == SHORT_LIVES + 3


def test_a_service_that_dies_soon_after_each_start_is_given_up(stack: Stack) -> None:
    """The error shows the end of its log."""
    with pytest.raises(StackError, match=rf"files died {SHORT_LIVES} times in a row.*\n*.*log"):
        keep_with_kills(stack, SHORT_LIVES)


def test_a_start_that_fails_is_tried_again(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is killed while it starts ends nothing; what never starts ends with its reason."""
    failures = [StackError("It ended while it started.")]
    monkeypatch.setattr(stack, "_wait_until_ready", lambda _: raise_last(failures))
    kill(stack)
    stack.keep()
    assert isinstance(stack.terminal.stream, io.StringIO)
    assert "It ended while it started." in stack.terminal.stream.getvalue()
    kill(stack)
    stack.keep()
    failures += [StackError("Never.")] * SHORT_LIVES
    monkeypatch.setattr(stack_module, "SHORT_LIFE_S", 0.0)
    with pytest.raises(StackError, match="Never"):
        keep_with_kills(stack, SHORT_LIVES)


def raise_last(failures: list[StackError]) -> None:
    """Raise a failure, and take it away, if there is one."""
    if failures:
        raise failures.pop()


def test_a_service_that_lives_and_does_nothing_is_started_again(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at the first look, and not while it works."""
    before = pid_of(stack)
    monkeypatch.setattr(stack_module, "HANG_LOOK_INTERVAL_S", 0.0)
    monkeypatch.setattr("include.cli.health.HANG_S", 0.0)
    stack.keep()
    assert pid_of(stack) == before
    stack.services = [one_service(stack, is_ready=False)]
    monkeypatch.setattr(stack, "_wait_until_ready", lambda _: None)
    stack.keep()
    assert pid_of(stack) != before
    assert isinstance(stack.terminal.stream, io.StringIO)
    assert "files lives and has not done its work" in stack.terminal.stream.getvalue()
