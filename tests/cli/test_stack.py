"""What a service that cannot start says, and which services there are."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from include.cli.stack import services
from include.cli.terminal import StackError
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
