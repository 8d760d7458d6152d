"""The environment that services are started with."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
import yaml

from include.cli.environment import PATIENCE, read_env_file, stack_environment
from include.cli.home import Home
from include.cli.terminal import StackError
from include.core.settings import PROJECT, Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation that names its database, so that none has to run."""
    found = Settings(home=tmp_path, airflow_port=8091, database_url="postgresql://me:pw@db:5432/airflow")
    Home(found).make()
    return found


def test_both_halves_of_airflow_get_the_users_database(settings: Settings) -> None:
    """One URL becomes one for each driver."""
    given = stack_environment(settings, {})
    assert given["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == "postgresql+psycopg2://me:pw@db:5432/airflow"
    assert given["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"] == "postgresql+asyncpg://me:pw@db:5432/airflow"


def test_a_password_of_the_users_database_may_hold_a_variables_name(tmp_path: Path) -> None:
    """Airflow would put the home directory there."""
    settings = Settings(home=tmp_path, database_url="postgresql://me:a$HOME@db/airflow")
    Home(settings).make()
    given = stack_environment(settings, {})
    assert given["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == "postgresql+psycopg2://me:a%24HOME@db/airflow"


def test_tasks_wait_for_an_api_server_for_longer_than_two_minutes(settings: Settings) -> None:
    """In Compose and on Kubernetes as here; what counts missed heartbeats, and the token, bear as much."""
    given = stack_environment(settings, {})
    composed = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["x-airflow"]["environment"]
    patience = {name: float(given[name]) for name in PATIENCE}
    assert patience == {name: float(composed[name]) for name in PATIENCE}
    chart = yaml.safe_load((PROJECT / "docs/how-to/kubernetes/values.yaml").read_text())["config"]
    parts = [name.removeprefix("AIRFLOW__").lower().split("__") for name in PATIENCE]
    assert [float(chart[section][option]) for section, option in parts] == [*patience.values()]
    retries, shortest, longest, _, heartbeats, token = patience.values()
    waited = (retries - 1) * shortest
    assert (waited > 150, shortest < longest, heartbeats > waited, token > 2 * waited) == (True,) * 4


def test_a_database_that_is_no_postgresql_is_refused(tmp_path: Path) -> None:
    """The message says what to write instead."""
    settings = Settings(home=tmp_path, database_url="mysql://db/airflow")
    Home(settings).make()
    with pytest.raises(StackError, match=r"mysql.*postgresql://user:password@host"):
        stack_environment(settings, {})


def test_another_airflow_of_the_caller_is_not_used(settings: Settings) -> None:
    """A caller's AIRFLOW_HOME names a database that must not be touched."""
    given = stack_environment(settings, {"AIRFLOW_HOME": "/elsewhere", "PATH": "/bin"})
    assert (given["AIRFLOW_HOME"], given["PATH"]) == (str(settings.home / "airflow"), "/bin")


def test_ports_other_than_the_default_reach_the_tasks(settings: Settings) -> None:
    """Tasks call the api-server by the address they are told; with the default's they would hang."""
    given = stack_environment(settings, {})
    assert given["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8091/execution/"


def test_jobs_run_on_this_machine_unless_the_user_says_where(settings: Settings) -> None:
    """A connection of the caller is left as it is."""
    local = json.loads(stack_environment(settings, {})["AIRFLOW_CONN_AWS_DEFAULT"])
    assert local["extra"]["endpoint_url"] == "http://127.0.0.1:4566"
    given = {"AIRFLOW_CONN_AWS_DEFAULT": "aws://"}
    assert stack_environment(settings, given)["AIRFLOW_CONN_AWS_DEFAULT"] == "aws://"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "0.5"),
        ({"FLYWHEEL_POLL_INTERVAL_S": "5.0"}, "5.0"),
        ({"AIRFLOW_CONN_AWS_DEFAULT": "aws://"}, "5.0"),
    ],
)
def test_jobs_on_this_machine_are_asked_more_often(
    settings: Settings, given: dict[str, str], expected: str
) -> None:
    """Unless somebody has said how often."""
    assert stack_environment(settings, given)["FLYWHEEL_POLL_INTERVAL_S"] == expected


def test_secrets_are_made_once_and_for_their_owner_only(settings: Settings) -> None:
    """A second start finds the keys of the first; nobody else can read them."""
    home = Home(settings)
    first = home.secrets()
    assert home.secrets() == first
    assert len(first.jwt) >= 64
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (home.passwords, home.airflow / "secrets.json")}
    assert modes == {0o600}


def test_an_env_file_is_read_as_shells_read_it(tmp_path: Path) -> None:
    """Comments and blank lines are skipped, quotes and `export` are dropped."""
    path = tmp_path / ".env"
    path.write_text("# FLYWHEEL_THREADS=9\n\nFLYWHEEL_BUCKET='mine'\nexport FLYWHEEL_AIRFLOW_PORT=81\n")
    assert read_env_file(path) == {"FLYWHEEL_BUCKET": "mine", "FLYWHEEL_AIRFLOW_PORT": "81"}


def test_a_missing_env_file_holds_nothing(tmp_path: Path) -> None:
    """`.env` is optional."""
    assert read_env_file(tmp_path / ".env") == {}
