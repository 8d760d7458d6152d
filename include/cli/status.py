"""What runs and what is in production, as one value for people and programs."""

from __future__ import annotations

import json
from typing import Any

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from include.cli.airflow_api import Json, airflow_of
from include.cli.driver import short_version
from include.cli.environment import airflow_url, client, login, sagemaker_url, uses_local_sagemaker
from include.cli.health import airflow_health, is_answering
from include.cli.home import Home
from include.cli.terminal import StackError, Terminal
from include.core.cycle import Cycle, find_cycles
from include.core.exceptions import FlywheelError
from include.core.layout import Interval, scoring_dag, training_dag
from include.core.ledger import Ledger, production
from include.core.schedule import starting_at, window_schedule
from include.core.settings import Settings

#: states of an endpoint that answers
SERVING = {"InService", "Updating", "SystemUpdating", "RollingBack"}
AIRFLOW_PARTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")
#: runs of a cycle that people are shown
RUNS = 10


def show_status(settings: Settings, terminal: Terminal, *, as_json: bool) -> int:
    """Print what runs, for people or for programs."""
    status = find_status(settings)
    if as_json:
        print(json.dumps(status, indent=2))
    else:
        _print(status, settings, terminal)
    return 0


def find_status(settings: Settings) -> dict[str, Any]:
    """Return whether the services are well, and for every cycle its champion, its endpoint and its runs.

    What cannot be asked because a service does not run is None or empty.
    """
    # an Airflow on the port of an installation that was never made is another's
    health = airflow_health(settings) if Home(settings).is_installed() else {}
    is_airflow_well = all(health.get(part) == "healthy" for part in AIRFLOW_PARTS)
    is_local = uses_local_sagemaker(settings)
    has_sagemaker = is_local and is_answering(f"{sagemaker_url(settings)}/health")
    can_ask = has_sagemaker or not is_local
    return {
        "airflow": {"url": airflow_url(settings), "healthy": is_airflow_well},
        "local_sagemaker": {"url": sagemaker_url(settings), "healthy": has_sagemaker},
        "cycles": {
            name: {
                "champion": _find_champion(settings, name) if can_ask else None,
                "endpoint": _find_endpoint(settings, name) if can_ask else None,
                "runs": _find_runs(settings, cycle) if health else [],
            }
            for name, cycle in find_cycles().items()
        },
    }


def _print(status: dict[str, Any], settings: Settings, terminal: Terminal) -> None:
    rows = [["service", "state", "address"]]
    for name in ("airflow", "local_sagemaker"):
        state = "healthy" if status[name]["healthy"] else "not running"
        rows.append([name.replace("_", " "), state, status[name]["url"]])
    terminal.table(rows)
    terminal.say()
    rows = [["cycle", "champion", "endpoint", "runs"]]
    for name, cycle in status["cycles"].items():
        runs = [f"{run['interval']} {run['state']}" for run in cycle["runs"][:RUNS]] or ["-"]
        rows.append([name, short_version(cycle["champion"]), cycle["endpoint"] or "-", runs[0]])
        rows += [["", "", "", run] for run in runs[1:]]
    terminal.table(rows)
    terminal.say(f"\n  {login(settings)}" if status["airflow"]["healthy"] else "\n  Start with `make run`.")


def _find_champion(settings: Settings, cycle: str) -> str | None:
    try:
        entry = production(Ledger(client(settings, "s3"), settings.bucket, cycle).entries())
    except (BotoCoreError, ClientError, FlywheelError):
        return None
    return entry.version if entry else None


def _find_endpoint(settings: Settings, cycle: str) -> str | None:
    """Return the name of the cycle's endpoint if it answers requests."""
    try:
        status = client(settings, "sagemaker").describe_endpoint(EndpointName=cycle)["EndpointStatus"]
    except (BotoCoreError, ClientError):
        return None
    return cycle if status in SERVING else None


def _find_runs(settings: Settings, cycle: Cycle) -> list[dict[str, str]]:
    dags = (training_dag(cycle.name), scoring_dag(cycle.name))
    try:
        with airflow_of(settings) as api:
            runs = [run for dag_id in dags for run in api.runs(dag_id)]
    except (StackError, httpx.HTTPError):
        return []
    return [{"interval": _interval_text(run, cycle), "state": run["state"]} for run in runs]


def _interval_text(run: Json, cycle: Cycle) -> str:
    """Return the run's interval as it is written everywhere; the run's id where it cannot be told."""
    # a scheduled or backfilled run has an interval, and is refused another
    asked = run["run_type"] == "manual" and (run["conf"] or {}).get("interval_start")
    try:
        if asked:
            is_window = run["dag_id"] == scoring_dag(cycle.name)
            return str(starting_at(cycle, asked, window_schedule(cycle) if is_window else None))
        return str(Interval.from_iso([run["data_interval_start"], run["data_interval_end"]]))
    except (FlywheelError, TypeError):
        return str(run["dag_run_id"])
