"""What runs and what is in production, as one value for people and programs."""

from __future__ import annotations

import os
from typing import Any

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from include.cli.airflow_api import AirflowApi
from include.cli.aws import client
from include.cli.environment import uses_local_sagemaker
from include.cli.errors import StackError
from include.cli.home import ADMIN, home_of, installation_secrets, is_installed
from include.cli.services import airflow_health, is_answering
from include.cli.terminal import Terminal
from include.cli.urls import airflow_url, sagemaker_url
from include.core.cycle import Cycle, find_cycles
from include.core.exceptions import FlywheelError
from include.core.layout import Interval, scoring_dag, version_of
from include.core.ledger import Ledger, production
from include.core.schedule import starting_at, window_schedule
from include.core.settings import Settings

KINDS = ("train_and_deploy", "score_and_monitor")
#: states of an endpoint that answers
SERVING = {"InService", "Updating", "SystemUpdating", "RollingBack"}
AIRFLOW_PARTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")


def status(settings: Settings) -> dict[str, Any]:
    """Whether the services are well, and for every cycle its champion, its endpoint and its runs.

    What cannot be asked because a service does not run is None or empty.
    """
    # an Airflow on the port of an installation that was never made is another's
    health = airflow_health(settings) if is_installed(home_of(settings)) else {}
    has_airflow = all(health.get(part) == "healthy" for part in AIRFLOW_PARTS)
    is_local = uses_local_sagemaker(settings, os.environ)
    has_sagemaker = is_local and is_answering(f"{sagemaker_url(settings)}/health")
    can_ask = has_sagemaker or not is_local
    return {
        "airflow": {"url": airflow_url(settings), "healthy": has_airflow},
        "local_sagemaker": {"url": sagemaker_url(settings), "healthy": has_sagemaker},
        "cycles": {
            name: {
                "champion": _champion(settings, name) if can_ask else None,
                "endpoint": _endpoint(settings, name) if can_ask else None,
                "runs": _runs(settings, cycle) if health else [],
            }
            for name, cycle in find_cycles().items()
        },
    }


def print_status(found: dict[str, Any], settings: Settings, terminal: Terminal) -> None:
    """The same for people."""
    rows = [["service", "state", "address"]]
    for name in ("airflow", "local_sagemaker"):
        state = "healthy" if found[name]["healthy"] else "not running"
        rows.append([name.replace("_", " "), state, found[name]["url"]])
    terminal.table(rows)
    terminal.say()
    rows = [["cycle", "champion", "endpoint", "runs"]]
    for name, cycle in found["cycles"].items():
        runs = [f"{run['interval']} {run['state']}" for run in cycle["runs"]]
        rows.append(
            [
                name,
                version_of(cycle["champion"] or "-"),
                cycle["endpoint"] or "-",
                runs[0] if runs else "-",
            ]
        )
        rows += [["", "", "", run] for run in runs[1:10]]
    terminal.table(rows)
    if found["airflow"]["healthy"]:
        terminal.say()
        terminal.say(f"  {login(settings)}")
    else:
        terminal.say()
        terminal.say("  Start with `make run`.")


def login(settings: Settings) -> str:
    """How one gets into Airflow's UI."""
    password = installation_secrets(home_of(settings)).password
    return f"UI: {airflow_url(settings)}  user: {ADMIN}  password: {password}"


def _champion(settings: Settings, cycle: str) -> str | None:
    try:
        entry = production(Ledger(client(settings, "s3"), settings.bucket, cycle).entries())
    except (BotoCoreError, ClientError, FlywheelError):
        return None
    return entry.version if entry else None


def _endpoint(settings: Settings, cycle: str) -> str | None:
    """Name of the cycle's endpoint if it answers requests."""
    try:
        found = client(settings, "sagemaker").describe_endpoint(EndpointName=cycle)
    except (BotoCoreError, ClientError):
        return None
    return cycle if found["EndpointStatus"] in SERVING else None


def _runs(settings: Settings, cycle: Cycle) -> list[dict[str, str]]:
    password = installation_secrets(home_of(settings)).password
    api = AirflowApi(airflow_url(settings), ADMIN, password)
    try:
        runs = [run for kind in KINDS for run in api.runs(f"{cycle.name}_{kind}")]
    except (StackError, httpx.HTTPError):
        return []
    finally:
        api.close()
    return [{"interval": _interval(run, cycle), "state": run["state"]} for run in runs]


def _interval(run: dict[str, Any], cycle: Cycle) -> str:
    """The run's interval as it is written everywhere; the run's id where it cannot be told."""
    asked = (run["conf"] or {}).get("interval_start")
    try:
        if asked:
            is_window = run["dag_id"] == scoring_dag(cycle.name)
            return str(starting_at(cycle, asked, window_schedule(cycle) if is_window else None))
        return str(Interval.from_iso([run["data_interval_start"], run["data_interval_end"]]))
    except (FlywheelError, TypeError):
        return str(run["dag_run_id"])
