"""The loop in a real Airflow: a window is watched, and a request starts the training that answers it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from include.cli.airflow_api import AirflowApi, airflow_of
from include.cli.environment import client
from include.core.documents.retraining import RetrainingRequest
from include.core.retraining.records import MonitoringLog, RetrainingRequests, Snapshot
from include.core.settings import Settings
from tests.examples import month

pytestmark = [pytest.mark.airflow, pytest.mark.long, pytest.mark.timeout(2400)]

Stack = Callable[..., "subprocess.CompletedProcess[str]"]
TRAINING, WATCHING = "digits_train_and_deploy", "digits_score_and_monitor"


@pytest.fixture(scope="module")
def first(stack: Stack) -> str:
    """What `make watch CYCLE=digits WINDOWS=1` printed."""
    done = stack("watch", "--cycle", "digits", "--windows", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def api(first: str, settings: Settings) -> Iterator[AirflowApi]:
    """The Airflow that did it."""
    assert first
    with airflow_of(settings) as made:
        yield made


def ended(api: AirflowApi, run_type: str, count: int) -> dict[str, Any]:
    """The newest of so many trainings of a type, once it has ended."""
    deadline = time.monotonic() + 900
    while time.monotonic() < deadline:
        runs = [run for run in api.runs(TRAINING) if run["run_type"] == run_type]
        if len(runs) == count and runs[0]["state"] in {"success", "failed"}:
            return runs[0]
        time.sleep(1)
    raise AssertionError(f"no {count} runs of type {run_type} have ended: {api.runs(TRAINING)}")


def emit(api: AirflowApi, extra: dict[str, Any]) -> None:
    """An event of the asset, as the success of request_retraining makes one."""
    assets = api.ask("GET", "/assets")["assets"]
    (found,) = (asset["id"] for asset in assets if asset["name"] == "flywheel://digits/retrain")
    api.ask("POST", "/assets/events", {"asset_id": found, "extra": extra})


def test_a_quiet_window_is_recorded_and_asks_for_nothing(first: str, settings: Settings) -> None:
    """The decision is printed, kept for programs, and in S3."""
    assert "quiet  not due" in first
    kept = json.loads((settings.home / "watch.json").read_text())
    assert [window["window"] for window in kept["windows"]] == [month(2).iso]
    log = MonitoringLog(client(settings, "s3"), settings.bucket, "digits")
    decision = Snapshot(log).decision(month(2))
    assert decision is not None
    assert decision[1].as_json() == kept["windows"][0]["decision"]


def test_a_second_watch_repeats_nothing(first: str, stack: Stack, api: AirflowApi) -> None:
    """It prints the same."""
    before = [run["dag_run_id"] for dag_id in (TRAINING, WATCHING) for run in api.runs(dag_id)]
    again = stack("watch", "--cycle", "digits", "--windows", "1")
    assert again.returncode == 0, again.stdout + again.stderr
    assert [run["dag_run_id"] for dag_id in (TRAINING, WATCHING) for run in api.runs(dag_id)] == before
    told = [line for line in first.splitlines() if line.startswith("  2013-02-01")]
    assert told
    assert [line for line in told if line not in again.stdout] == []


def test_a_request_starts_a_training_for_its_interval_that_tells_the_reasons(
    api: AirflowApi, settings: Settings
) -> None:
    """Airflow makes the run of the event, and one that answers nothing new is skipped."""
    wanted = RetrainingRequest(
        at=datetime.now(UTC),
        by={"dag_id": WATCHING, "run_id": "by hand"},
        window=month(2),
        decision_uri="s3://flywheel/d.json",
        reasons=("the pictures have faded",),
        train_interval=month(2),
        data_end=month(2).end,
    )
    asked = RetrainingRequests(client(settings, "s3"), settings.bucket, "digits").ask(wanted, lambda _: False)
    emit(api, {"request": asked.request.number})
    run = ended(api, "asset_triggered", 1)
    assert run["state"] == "success"
    assert api.step_result(TRAINING, run["dag_run_id"], "decide")["interval"] == month(2).iso
    assert "the pictures have faded" in "\n".join(api.log(TRAINING, run["dag_run_id"], "fetch", 1))
    emit(api, {"request": asked.request.number})
    again = ended(api, "asset_triggered", 2)
    states = {task["state"] for task in api.tasks(TRAINING, again["dag_run_id"])}
    assert (again["state"], states) == ("success", {"skipped"})


def test_a_backfilled_window_asks_for_nothing(api: AirflowApi) -> None:
    """It is decided about, and its request is skipped."""
    api.backfill(WATCHING, month(3).start, month(3).start)
    deadline = time.monotonic() + 900
    runs: list[dict[str, Any]] = []
    while time.monotonic() < deadline and not (runs and runs[0]["state"] in {"success", "failed"}):
        runs = api.runs_from(WATCHING, month(3).start, month(3).start)
        time.sleep(1)
    (run,) = runs
    assert (run["run_type"], run["state"]) == ("backfill", "success")
    states = {task["task_id"]: task["state"] for task in api.tasks(WATCHING, run["dag_run_id"])}
    assert (states["decide"], states["request_retraining"]) == ("success", "skipped")
    decision = api.step_result(WATCHING, run["dag_run_id"], "decide")["decision"]
    assert decision["emission"]["is_emitted"] is False
