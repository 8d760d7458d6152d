"""From a window's evidence to a run that trains: decide, request_retraining, and the fetch that answers."""
# ruff: noqa: ANN401 - contexts and results have no types

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from flywheel.operators import (
    DecideRetrainingOperator,
    FetchOperator,
    RequestRetrainingOperator,
    retrain_asset,
)
from include.core.documents.ledger import Entry
from include.core.documents.monitoring import Malformed, Matured
from include.core.exceptions import IntervalError, OutputMissing
from include.core.layout import Interval, retrain_uri
from include.core.monitoring import Monitoring
from include.core.retraining.records import MonitoringLog, RetrainingRequests
from tests.examples import evidence, matured, month, quality, step_result, verdict


@pytest.fixture
def watched(run: Any) -> Any:
    """A cycle that asks after one alarm."""
    return replace(run, cycle=replace(run.cycle, monitoring=Monitoring(alarms=1, windows=2)))


def monitored(
    watched: Any, number: int, *, run_id: str = "one", run_type: str = "manual", **given: Any
) -> Any:
    """The context after a month was monitored."""
    window, folder = month(number), f"s3://{watched.bucket}/monitor/{number}/"
    watched.put(folder, "evidence.json", json.dumps(evidence(window, **given).as_json()).encode())
    context = watched.attempt(run_id)
    run = context["dag_run"]
    run.run_type = run_type
    if run_type == "manual":
        context["params"]["interval_start"] = f"{window.start:%Y-%m-%d}"
    else:
        run.data_interval_start, run.data_interval_end = window.start, window.end
    context["outlet_events"] = defaultdict(lambda: SimpleNamespace(extra={}))
    context.results["monitor"] = step_result("monitor", folder, key=f"key {number}")
    return context


def ask(watched: Any, number: int, **given: Any) -> Any:
    """Decide about a month that alarms, and ask; the context afterwards."""
    context = monitored(watched, number, **{"alarm": True, **given})
    watched.do(DecideRetrainingOperator, context)
    watched.do(RequestRetrainingOperator, context)
    return context


def requests(watched: Any) -> list[Any]:
    """All that were recorded."""
    return RetrainingRequests(watched.service.s3, watched.bucket, watched.cycle.name).entries()


def trained(watched: Any, number: int, run_id: str) -> None:
    """A training for a month comes to a decision."""
    interval = month(number)
    watched.make(FetchOperator).ledger.decide(
        Entry(
            kind="decision",
            at=datetime(2026, 1, 1, tzinfo=UTC),
            by={"dag_id": "flights_train_and_deploy", "run_id": run_id},
            interval=interval,
            key="k",
            model_uri=f"s3://b/{number}/",
            transform_uri="s3://b/",
            evaluation_uri="s3://b/",
            data_end=interval.end,
            verdict=verdict(promote=True),
            reasons=(),
        )
    )


# Deciding and asking


def test_an_alarm_becomes_a_request_and_an_event(watched: Any) -> None:
    """The event tells what a person wants to know; the record tells everything."""
    context = ask(watched, 2)
    (request,) = requests(watched)
    assert (request.number, request.train_interval) == (1, month(2))
    assert request.reasons == (f"{month(2)}: temp has drifted.",)
    extra = context["outlet_events"][retrain_asset(watched.cycle)].extra
    assert extra["request"] == 1
    assert "temp has drifted" in extra["reasons"]
    assert extra["decision_uri"] == context.results["decide"]["uri"]
    assert extra["page"].endswith(f"/flywheel/cycles/{watched.cycle.name}#window={month(2)}")
    assert context.pushed["_link_PageLink"] == extra["page"]


def test_decide_records_what_was_found_and_what_was_decided(watched: Any) -> None:
    """One object of each, which the result names."""
    context = monitored(watched, 2)
    result = watched.do(DecideRetrainingOperator, context)
    names = MonitoringLog(watched.service.s3, watched.bucket, watched.cycle.name).names()
    assert sorted(f"s3://{watched.bucket}/{watched.cycle.name}/watch/{name}" for name in names) == sorted(
        [result["record"], result["uri"]]
    )
    assert result["decision"]["due"] is False


@pytest.mark.parametrize(
    ("given", "is_due"), [({"alarm": False}, False), ({"alarm": True, "run_type": "backfill"}, True)]
)
def test_without_an_alarm_and_in_a_backfill_nothing_is_asked_for(
    watched: Any, given: dict[str, Any], *, is_due: bool
) -> None:
    """The task is skipped for the decision's own reason; Airflow would emit the events of its tasks."""
    context = monitored(watched, 2, **given)
    decision = watched.do(DecideRetrainingOperator, context)["decision"]
    assert (decision["due"], decision["emission"]["is_emitted"]) == (is_due, False)
    with pytest.raises(AirflowSkipException, match=re.escape(decision["emission"]["why"])):
        watched.do(RequestRetrainingOperator, context)
    assert requests(watched) == []


def test_an_open_request_is_not_repeated(watched: Any) -> None:
    """By another run of the window, or by the next window."""
    ask(watched, 2)
    for number in (2, 3):
        with pytest.raises(AirflowSkipException, match="Request 1 of"):
            ask(watched, number, run_id="two")
    assert len(requests(watched)) == 1


def test_of_two_runs_that_decided_at_once_one_asks(watched: Any) -> None:
    """Neither knew of the other."""
    one, two = (monitored(watched, 2, run_id=run_id, alarm=True) for run_id in ("one", "two"))
    for context in (one, two):
        watched.do(DecideRetrainingOperator, context)
    assert one.results["decide"]["uri"] == two.results["decide"]["uri"]
    watched.do(RequestRetrainingOperator, one)
    with pytest.raises(AirflowSkipException, match=r"^Request 1 "):
        watched.do(RequestRetrainingOperator, two)


def test_a_retry_asks_with_the_request_that_is_there(watched: Any) -> None:
    """The attempt before may have died before its event."""
    context = ask(watched, 2)
    again = context.retried()
    again["outlet_events"] = defaultdict(lambda: SimpleNamespace(extra={}))
    assert watched.do(RequestRetrainingOperator, again)["request"] == 1
    assert again["outlet_events"][retrain_asset(watched.cycle)].extra["request"] == 1


def test_what_was_trained_meanwhile_is_not_asked_for(watched: Any) -> None:
    """The timetable was faster."""
    context = monitored(watched, 2, alarm=True)
    watched.do(DecideRetrainingOperator, context)
    trained(watched, 2, "scheduled")
    with pytest.raises(AirflowSkipException, match="2013-03-01"):
        watched.do(RequestRetrainingOperator, context)


def test_labels_that_came_late_are_part_of_the_record(watched: Any) -> None:
    """What mature found about the months before counts from now on."""
    ask_not = monitored(watched, 2, judged=None)
    watched.do(DecideRetrainingOperator, ask_not)
    context = monitored(watched, 3, judged=None)
    place = f"s3://{watched.bucket}/mature/3/"
    late = matured(month(2), quality(month(3).end, judged=1234), "key 2")
    found = Matured(quality=(late,), malformed=Malformed(count=0, examples=()))
    watched.put(place, "matured.json", json.dumps(found.as_json()).encode())
    context.results["mature"] = step_result("mature", place)
    assert watched.do(DecideRetrainingOperator, context)["decision"]["new_labels"] == 1234


def test_missing_evidence_is_named(watched: Any) -> None:
    """A monitor that was marked a success by hand left none."""
    context = monitored(watched, 2)
    context.results["monitor"]["uri"] = f"s3://{watched.bucket}/nothing/"
    with pytest.raises(OutputMissing, match=r"nothing/evidence\.json.*`monitor`"):
        watched.do(DecideRetrainingOperator, context)


# Answering


def answering(watched: Any, *numbers: int, minutes: int = 60, run_id: str = "asked") -> Any:
    """The context of a run that events started."""
    context = watched.attempt(run_id)
    context["dag_run"] = SimpleNamespace(
        data_interval_start=None,
        data_interval_end=None,
        run_after=datetime.now(UTC) + timedelta(minutes=minutes),
        run_type="asset_triggered",
        consumed_asset_events=[SimpleNamespace(extra={"request": number}) for number in numbers],
    )
    return context


def checked(watched: Any, context: Any) -> Interval:
    """The interval that a run trains for, after the check of its first step."""
    operator = watched.make(FetchOperator)
    operator.check_requests(context)
    found: Interval = operator.interval(context)
    return found


def test_a_run_that_was_asked_for_trains_for_the_requests_interval(
    watched: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """And its first task tells the reasons."""
    caplog.set_level("INFO")
    ask(watched, 2)
    assert checked(watched, answering(watched, 1)) == month(2)
    assert f"Request 1, of window {month(2)}: {month(2)}: temp has drifted." in caplog.text


def test_a_run_whose_clock_is_behind_knows_the_request_by_its_event(watched: Any) -> None:
    """What is written in the request's hour may be before it on another machine."""
    ask(watched, 2)
    assert checked(watched, answering(watched, 1, minutes=-60)) == month(2)


def test_a_run_that_answers_nothing_new_is_skipped(watched: Any) -> None:
    """Another run has decided about that data since."""
    ask(watched, 2)
    trained(watched, 2, "scheduled")
    with pytest.raises(AirflowSkipException, match=r"entry 1 .* by scheduled"):
        checked(watched, answering(watched, 1))


def test_a_runs_own_decision_does_not_skip_it(watched: Any) -> None:
    """Clearing its tasks later does them again."""
    ask(watched, 2)
    trained(watched, 2, "asked")
    assert checked(watched, answering(watched, 1)) == month(2)


def test_an_event_without_a_request_is_no_order(watched: Any) -> None:
    """Somebody made one by hand; later steps cannot know an interval either."""
    with pytest.raises(AirflowSkipException, match=retrain_uri(watched.cycle.name)):
        checked(watched, answering(watched))
    with pytest.raises(IntervalError, match=retrain_uri(watched.cycle.name)):
        watched.make(FetchOperator).interval(answering(watched))
