"""Runs are made or gone on with, followed to their end, and told as they go: against a scripted Airflow."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from include.cli.airflow_api import AirflowApi
from include.cli.driver import CycleRun, Driver
from include.cli.terminal import StackError, Terminal
from include.core import cycle
from include.core.exceptions import InvalidCycle
from include.core.layout import Interval

RUN = CycleRun("digits", "train_and_deploy", "2013-01-01")
MONTHS = [
    Interval(datetime(2013, month, 1, tzinfo=UTC), datetime(2013, month + 1, 1, tzinfo=UTC))
    for month in (1, 2)
]


class Airflow:
    """Answers as Airflow does; each run that is made ends with the next of `states`."""

    def __init__(self, *states: str) -> None:
        self.states: Iterator[str] = iter(states)
        self.runs: dict[str, dict[str, Any]] = {}
        #: what Airflow knows of a DAG at the first looks; afterwards it has it
        self.reads: Iterator[None] = iter(())
        self.errors: list[dict[str, str]] = []
        #: method and path of every request that changes something
        self.changes: list[str] = []

    def make_run(self, run_id: str, start: str | None = None) -> dict[str, Any]:
        """Make a run that is over when it is first looked at."""
        self.runs[run_id] = {
            "dag_run_id": run_id,
            "logical_date": start,
            "state": next(self.states),
            "duration": 2.0,
        }
        return {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        path = request.url.path.removeprefix("/api/v2")
        if path == "/auth/token":
            return httpx.Response(201, json={"access_token": "t"})
        body = httpx.Response(200, content=request.content).json() if request.content else {}
        if request.method != "GET" and not path.endswith("dry_run"):
            self.changes.append(f"{request.method} {path}")
        answers: dict[str, Callable[[], Any]] = {
            r"GET /dags/\w+": lambda: next(self.reads, {"dag_id": "d"}),
            r"GET /importErrors": lambda: {"import_errors": self.errors, "total_entries": len(self.errors)},
            r"PATCH /dags/\w+": dict,
            r"GET /dags/\w+/dagRuns": lambda: {"dag_runs": list(self.runs.values())},
            r"GET /dags/\w+/dagRuns/[\w-]+": lambda: self.runs.get(path.rpartition("/")[2]),
            r"POST /dags/\w+/dagRuns": lambda: self.make_run(body["dag_run_id"]),
            r"POST /dags/\w+/dagRuns/[\w-]+/clear": lambda: self.make_run(path.split("/")[4]),
            r"GET .*/taskInstances": lambda: {"task_instances": [self.task(path)]},
            r"GET .*/logs/1": lambda: {"content": ["the cause\n"]},
            r"GET /backfills": lambda: {"backfills": []},
            r"POST /backfills/dry_run": lambda: {"backfills": [{}]},
            r"POST /backfills": lambda: self.backfill(body),
        }
        found = next(answer for p, answer in answers.items() if re.fullmatch(p, f"{request.method} {path}"))()
        return httpx.Response(404 if found is None else 200, json=found, request=request)

    def task(self, path: str) -> dict[str, Any]:
        """Return the only task of a run, in the run's state."""
        state = self.runs[path.split("/")[4]]["state"]
        times = dict.fromkeys(("start_date", "end_date"), "2013-01-01T00:00:00+00:00")
        return {"task_id": "train", "try_number": 1, "state": state, "duration": 1.5, **times}

    def backfill(self, body: dict[str, Any]) -> dict[str, Any]:
        """Make a run for each month that has none that succeeded."""
        for month in MONTHS:
            start, run_id = month.start.isoformat(), f"backfill-{month.start:%m}"
            is_done = self.runs.get(run_id, {}).get("state") == "success"
            if not is_done or body["reprocess_behavior"] == "completed":
                self.make_run(run_id, start)
        return {}


@pytest.fixture
def output() -> io.StringIO:
    """What a user sees."""
    return io.StringIO()


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch, output: io.StringIO) -> Callable[[Airflow], Driver]:
    """Drivers of scripted Airflows, which wait for nothing."""
    monkeypatch.setattr("include.cli.driver.time.sleep", lambda _: None)

    def of(airflow: Airflow) -> Driver:
        api = AirflowApi("http://airflow", "admin", "password", httpx.MockTransport(airflow))
        return Driver(api, Terminal(output), Path("logs"), lambda: None)

    return of


def test_a_run_that_is_not_there_is_made_and_followed(
    drive: Callable[[Airflow], Driver], output: io.StringIO
) -> None:
    """Under the id that a second call finds, with its tasks and their seconds."""
    airflow = Airflow("success")
    drive(airflow).complete([RUN])
    assert list(airflow.runs) == ["first_turn__2013-01-01"]
    assert "  train            ok         1.5 s\n" in output.getvalue()


def test_another_cycle_that_is_broken_stops_no_run(drive: Callable[[Airflow], Driver]) -> None:
    """Its import error may be there before the DAG is; one of the DAG's own file is told."""
    airflow = Airflow("success")
    airflow.reads = iter([None, None])
    airflow.errors = [{"filename": "/dags/broken_cycles.py", "stack_trace": "Cycle other: ..."}]
    drive(airflow).complete([RUN])
    assert list(airflow.runs) == ["first_turn__2013-01-01"]
    airflow.reads = iter([None])
    airflow.errors.append({"filename": "/dags/train_and_deploy.py", "stack_trace": "SyntaxError: ..."})
    with pytest.raises(StackError, match=r"no DAG digits_train_and_deploy. /dags/train_and_deploy.py:\nSyn"):
        drive(airflow).complete([RUN])


def test_a_broken_cycle_is_told_before_its_runs(
    drive: Callable[[Airflow], Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for a DAG that there will not be."""
    broken = InvalidCycle("digits", ["metric='roc_acu' is no metric."])
    monkeypatch.setattr(cycle, "_read_cycle", lambda _: broken)
    with pytest.raises(StackError, match="Cycle digits: metric='roc_acu' is no metric"):
        drive(Airflow()).complete([RUN])


def test_a_run_that_succeeded_is_not_made_again(
    drive: Callable[[Airflow], Driver], output: io.StringIO
) -> None:
    """Only the DAG is unpaused once more."""
    airflow = Airflow("success")
    driver = drive(airflow)
    driver.complete([RUN])
    airflow.changes.clear()
    driver.complete([RUN])
    assert airflow.changes == [f"PATCH /dags/{RUN.dag_id}"]
    assert output.getvalue().endswith("  done before\n")


def test_a_run_that_failed_is_told_with_its_log_and_gone_on_with(
    drive: Callable[[Airflow], Driver],
) -> None:
    """The second call clears what failed, and makes no other run."""
    airflow = Airflow("failed", "success")
    driver = drive(airflow)
    with pytest.raises(StackError) as caught:
        driver.complete([RUN])
    assert "Task train of digits_train_and_deploy failed" in str(caught.value)
    assert "    the cause\n" in str(caught.value)
    driver.complete([RUN])
    assert list(airflow.runs) == [RUN.run_id]
    assert airflow.changes[-1] == f"POST /dags/{RUN.dag_id}/dagRuns/{RUN.run_id}/clear"


def test_a_backfill_returns_the_run_of_each_interval_in_order(
    drive: Callable[[Airflow], Driver], output: io.StringIO
) -> None:
    """A second one finds them done; with `again` they are made once more."""
    airflow = Airflow(*["success"] * 4)
    driver = drive(airflow)
    runs = driver.backfill("digits_train_and_deploy", MONTHS, again=False)
    assert [run["dag_run_id"] for run in runs] == ["backfill-01", "backfill-02"]
    assert "digits_train_and_deploy, 2013-01-01 to 2013-03-01\n" in output.getvalue()
    driver.backfill("digits_train_and_deploy", MONTHS, again=False)
    assert "  2 of 2 intervals done before\n" in output.getvalue()
    driver.backfill("digits_train_and_deploy", MONTHS, again=True)
    assert list(airflow.states) == []


def test_a_failed_run_of_a_backfill_ends_it_with_the_task(drive: Callable[[Airflow], Driver]) -> None:
    """The next call tries it again."""
    airflow = Airflow("success", "failed", "success")
    driver = drive(airflow)
    with pytest.raises(StackError, match="failed for 2013-02-01 in train"):
        driver.backfill("digits_train_and_deploy", MONTHS, again=False)
    driver.backfill("digits_train_and_deploy", MONTHS, again=False)
    assert [run["state"] for run in airflow.runs.values()] == ["success", "success"]
