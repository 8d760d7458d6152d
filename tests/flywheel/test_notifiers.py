"""Alerts reach a webhook, and never decide about a task."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk import Context

from flywheel import notifiers
from flywheel.notifiers import DriftNotifier, FailureNotifier
from include.core.documents.retraining import WindowFinding
from include.core.settings import Settings
from tests.examples import decision, evidence, month, step_result

#: its address, and what it was sent
Webhook = tuple[str, list[dict[str, Any]]]


@pytest.fixture
def hook() -> Iterator[Webhook]:
    """A webhook on a free port, and what it was sent."""
    received: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the server's own name
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is said in a test."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/alerts", received
    server.shutdown()
    thread.join()
    server.server_close()


def context(task_id: str, *, result: object = None, run_type: str = "scheduled", **more: object) -> Context:
    """What Airflow gives to a callback, as far as alerts read it."""
    ti = SimpleNamespace(
        task_id=task_id,
        dag_id="flights_score_and_monitor",
        run_id="r1",
        log_url="http://localhost:8080/log",
        xcom_pull=lambda task_ids: result if task_ids == task_id else None,
    )
    return cast("Context", {"ti": ti, "dag_run": SimpleNamespace(run_type=run_type), **more})


def decided(*, is_alarm: bool, why: str = "temp has drifted") -> dict[str, Any]:
    """What the step that decides hands on."""
    made = decision(evidence(month(3)))
    finding = WindowFinding(record="s3://b/", is_alarm=is_alarm, why=why, quality=None)
    about = replace(made, evidence={str(month(3)): finding})
    return step_result("decide", record="s3://b/", decision=about.as_json(), again=[])


def alert_to(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Set where alerts go."""
    monkeypatch.setattr(notifiers, "settings", lambda: replace(Settings(), alert_to=url))


@pytest.mark.parametrize(
    ("task_id", "kind"),
    [("train", "failed task"), ("deploy", "failed deployment"), ("verify", "failed deployment")],
)
def test_a_failure_is_told_with_its_reason(
    hook: Webhook, monkeypatch: pytest.MonkeyPatch, task_id: str, kind: str
) -> None:
    """A step that serves production is told apart from the others."""
    url, received = hook
    alert_to(monkeypatch, url)
    FailureNotifier().notify(context(task_id, exception=ValueError("no rows")))
    assert [(alert["kind"], alert["reason"], alert["url"]) for alert in received] == [
        (kind, "no rows", "http://localhost:8080/log")
    ]


@pytest.mark.parametrize(
    ("result", "run_type", "expected"),
    [
        (decided(is_alarm=True), "scheduled", ["temp has drifted"]),
        (decided(is_alarm=False, why="held back: temp is missing"), "manual", ["held back: temp is missing"]),
        (decided(is_alarm=False), "scheduled", []),
        (decided(is_alarm=True), "backfill", []),
        (None, "scheduled", []),
    ],
    ids=["alarm", "broken upstream", "quiet", "backfill", "no result"],
)
def test_drift_is_told_of_a_window_that_alarmed(
    hook: Webhook, monkeypatch: pytest.MonkeyPatch, result: object, run_type: str, expected: list[str]
) -> None:
    """Only an alarm of the run's own window is told, and a backfill is silent."""
    url, received = hook
    alert_to(monkeypatch, url)
    DriftNotifier().notify(context("decide", result=result, run_type=run_type))
    assert [alert["reason"] for alert in received] == expected


def test_nobody_is_told_without_a_setting(hook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default sends nothing."""
    alert_to(monkeypatch, "")
    FailureNotifier().notify(context("train", exception=ValueError("no rows")))
    assert hook[1] == []


def test_an_alert_that_cannot_be_sent_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task's end is not changed by it."""
    said: list[str] = []
    alert_to(monkeypatch, "http://127.0.0.1:9/nobody")
    notifier = FailureNotifier()
    monkeypatch.setattr(
        type(notifier), "log", SimpleNamespace(warning=lambda text, *words: said.append(text % words))
    )
    notifier.notify(context("train", exception=ValueError("no rows")))
    assert len(said) == 1
    assert "could not be sent to FLYWHEEL_ALERT_TO" in said[0]


@pytest.mark.parametrize("address", ["file:///etc/passwd", "alerts.example.com"])
def test_other_addresses_are_refused(address: str) -> None:
    """What is neither a web address nor an ARN is refused when the settings are read."""
    with pytest.raises(ValueError, match=f"FLYWHEEL_ALERT_TO='{address}'"):
        Settings(alert_to=address)
