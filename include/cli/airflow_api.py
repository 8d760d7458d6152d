"""What the stack asks of Airflow, over its REST interface."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from include.cli.environment import airflow_url
from include.cli.home import ADMIN, Home
from include.cli.terminal import StackError
from include.core.settings import Settings

#: an api-server that is busy starting tasks may take seconds, in seconds
ANSWER_TIMEOUT_S = 30.0
#: how often a request is repeated that found nobody, as while the api-server is started again
ATTEMPTS = 20
PAUSE_S = 1.0
#: runs of a backfill at a time; Airflow would take ten, and let the DAG's own limit not count
BACKFILL_RUNS = 3

Json = dict[str, Any]


class AirflowApi:
    """One user's view of one Airflow.

    :param heal: called before a request is repeated: starts again what has died
    :param attempts: how often a request is sent that finds nobody, or an Airflow that has lost its database
    """

    def __init__(
        self,
        url: str,
        user: str,
        password: str,
        transport: httpx.BaseTransport | None = None,
        *,
        heal: Callable[[], None] = lambda: None,
        attempts: int = ATTEMPTS,
    ) -> None:
        self.url = url
        self._heal, self._attempts = heal, attempts
        self._login = {"username": user, "password": password}
        self._client = httpx.Client(base_url=url, timeout=ANSWER_TIMEOUT_S, transport=transport)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, method: str, path: str, body: Json | None = None) -> Json:
        """Return the answer to any request; raise StackError if Airflow refuses it."""
        return _checked(self._send(method, path, body))

    def dag(self, dag_id: str) -> Json | None:
        """Return a DAG Airflow has read, or None."""
        return self._find(f"/dags/{dag_id}")

    def import_errors(self) -> list[Json]:
        """Return the DAG files Airflow could not read, each with its `stack_trace`."""
        return list(self.ask("GET", "/importErrors")["import_errors"])

    def unpause(self, dag_id: str) -> None:
        """Let a DAG's runs start."""
        self.ask("PATCH", f"/dags/{dag_id}", {"is_paused": False})

    def run(self, dag_id: str, run_id: str) -> Json | None:
        """Return a run, or None."""
        return self._find(_path(dag_id, run_id))

    def runs(self, dag_id: str) -> list[Json]:
        """Return the newest runs, newest first; none where there is no such DAG."""
        answer = self._find(f"/dags/{dag_id}/dagRuns?limit=50&order_by=-run_after")
        return list(answer["dag_runs"]) if answer else []

    def events(self, dag_id: str, run_id: str) -> list[Json]:
        """Return the events of assets that started a run."""
        return list(self.ask("GET", f"{_path(dag_id, run_id)}/upstreamAssetEvents")["asset_events"])

    def trigger(self, dag_id: str, run_id: str, conf: Json) -> None:
        """Start a run; that there is one of this id already is fine."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        answer = self._send("POST", f"/dags/{dag_id}/dagRuns", body)
        if answer.status_code != httpx.codes.CONFLICT:
            _checked(answer)

    def backfill(self, dag_id: str, first: datetime, last: datetime, *, again: bool = False) -> None:
        """Make a run for each interval that starts from `first` to `last` and has none that succeeded.

        :param again: also for those that have one
        """
        body = {
            "dag_id": dag_id,
            "from_date": first.isoformat(),
            "to_date": last.isoformat(),
            "max_active_runs": BACKFILL_RUNS,
            "reprocess_behavior": "completed" if again else "failed",
        }
        # Airflow refuses a backfill that has nothing to do
        if self.ask("POST", "/backfills/dry_run", body)["backfills"]:
            self.ask("POST", "/backfills", body)

    def is_backfilling(self, dag_id: str) -> bool:
        """Return whether a backfill of a DAG is under way."""
        backfills = self.ask("GET", f"/backfills?dag_id={dag_id}&limit=1&order_by=-id")["backfills"]
        return any(backfill["completed_at"] is None for backfill in backfills)

    def runs_from(self, dag_id: str, first: datetime, last: datetime) -> list[Json]:
        """Return the runs whose logical date, the start of their interval, is from `first` to `last`."""
        dates = {"logical_date_gte": first.isoformat(), "logical_date_lte": last.isoformat()}
        query = urlencode({**dates, "limit": 100, "order_by": "logical_date"})
        return list(self.ask("GET", f"/dags/{dag_id}/dagRuns?{query}")["dag_runs"])

    def clear_failed(self, dag_id: str, run_id: str) -> None:
        """Let a failed run go on with the tasks that failed and those after them."""
        self.ask("POST", f"{_path(dag_id, run_id)}/clear", {"dry_run": False, "only_failed": True})

    def tasks(self, dag_id: str, run_id: str) -> list[Json]:
        """Return the task instances of a run."""
        return list(self.ask("GET", f"{_path(dag_id, run_id)}/taskInstances?limit=100")["task_instances"])

    def queued_tasks(self) -> list[Json]:
        """Return the task instances of all runs that were handed to an executor and have not begun."""
        return list(
            self.ask("GET", "/dags/~/dagRuns/~/taskInstances?state=queued&limit=100")["task_instances"]
        )

    def step_result(self, dag_id: str, run_id: str, task_id: str) -> Json:
        """Return what a step returned; empty if it returned nothing."""
        entry = self._find(f"{_path(dag_id, run_id)}/taskInstances/{task_id}/xcomEntries/return_value")
        value = entry["value"] if entry else {}
        value = json.loads(value) if isinstance(value, str) else value
        return value if isinstance(value, dict) else {}

    def log(self, dag_id: str, run_id: str, task_id: str, attempt: int) -> list[str]:
        """Return the lines of a task's log."""
        path = f"{_path(dag_id, run_id)}/taskInstances/{task_id}/logs/{attempt}"
        answer = self._find(f"{path}?full_content=true")
        return [line for entry in answer["content"] for line in _lines(entry)] if answer else []

    def _find(self, path: str) -> Json | None:
        answer = self._send("GET", path)
        return None if answer.status_code == httpx.codes.NOT_FOUND else _checked(answer)

    def _send(self, method: str, path: str, body: Json | None = None) -> httpx.Response:
        """Send a request, with a new token if the old one has run out, and again if nobody answers."""
        for attempt in range(self._attempts):
            is_last = attempt == self._attempts - 1
            try:
                if "Authorization" not in self._client.headers:
                    self._log_in()
                answer = self._client.request(method, f"/api/v2{path}", json=body)
            except httpx.TransportError as error:
                if is_last:
                    raise StackError(f"Airflow at {self.url} does not answer: {error!r}.") from error
                self._pause()
                continue
            if answer.is_server_error and not is_last:
                self._pause()
                continue
            if answer.status_code != httpx.codes.UNAUTHORIZED:
                return answer
            self._client.headers.pop("Authorization", None)
        raise StackError(
            f"Airflow at {self.url} does not take the password of this installation: another Airflow "
            "has the port. Stop it, or choose another port by FLYWHEEL_AIRFLOW_PORT."
        )

    def _pause(self) -> None:
        time.sleep(PAUSE_S)
        self._heal()

    def _log_in(self) -> None:
        answer = self._client.post("/auth/token", json=self._login)
        if answer.is_success:
            self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


@contextmanager
def airflow_of(
    settings: Settings, *, heal: Callable[[], None] = lambda: None, attempts: int = ATTEMPTS
) -> Iterator[AirflowApi]:
    """Yield the administrator's view of an installation's own Airflow."""
    password = Home(settings).secrets().password
    api = AirflowApi(airflow_url(settings), ADMIN, password, heal=heal, attempts=attempts)
    try:
        yield api
    finally:
        api.close()


def _path(dag_id: str, run_id: str) -> str:
    return f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"


def _lines(entry: Json | str) -> list[str]:
    """Return a log entry as people read it: its text, and of an exception its type and text."""
    if isinstance(entry, str):
        return entry.splitlines()
    event = str(entry.get("event", ""))
    if event.startswith("::"):  # folds of the UI
        return []
    errors = [f"{error['exc_type']}: {error['exc_value']}" for error in entry.get("error_detail") or []]
    return [line for text in (event, *errors) for line in text.splitlines()]


def _checked(answer: httpx.Response) -> Json:
    if not answer.is_success:
        asked = f"{answer.request.method} {answer.request.url.path}"
        raise StackError(f"Airflow refused {asked} with {answer.status_code}: {answer.text[:500]}")
    body = answer.json() if answer.content else {}
    return body if isinstance(body, dict) else {}
