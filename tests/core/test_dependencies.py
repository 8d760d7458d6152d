"""What an interval waits for, judged by real outputs, a real ledger and real jobs."""
# ruff: noqa: ANN401 - the service's test class and contexts have no types

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from flywheel.operators import EvaluateOperator, TrainOperator, TransformOperator
from flywheel.triggers import interval_ready
from flywheel.triggers.interval_ready import IntervalReadyTrigger
from include.core.cycle import Cycle
from include.core.dependencies import IntervalDependencies
from include.core.documents.ledger import Entry
from include.core.documents.model import Verdict
from include.core.documents.retraining import RetrainingRequest
from include.core.exceptions import FlywheelError, HistoryIncomplete, InvalidCycle
from include.core.history import clean_record, fetch_record
from include.core.layout import Interval, split_uri
from include.core.ledger import Ledger, champion_as_of, production
from include.core.places import Places
from include.core.retraining.records import RetrainingRequests
from include.core.schedule import history, starting_at
from include.core.settings import Settings
from tests.examples import manifest, not_none, step_result, verdict

NEVER = timedelta()
LONG_AGO = datetime(2013, 1, 1, tzinfo=UTC)


class World:
    """What runs of a cycle would have left, without their jobs."""

    def __init__(self, service: Any, cycle: Cycle, settings: Settings, attempt: Any) -> None:
        self.service, self.cycle, self.settings, self.attempt = service, cycle, settings, attempt
        self.ledger = Ledger(service.s3, settings.bucket, cycle.name)
        hook = TransformOperator(task_id="transform", cycle=cycle).hook
        self.order = IntervalDependencies(hook, cycle, settings, NEVER)
        self.january, self.february, self.march = self.months = list(history(cycle, self.month(3)))

    def month(self, number: int) -> Interval:
        """One month of 2013."""
        return starting_at(self.cycle, f"2013-{number:02d}-01")

    def clean(self, interval: Interval) -> dict[str, Any]:
        """Fetch and clean; the result of clean."""
        fetched = fetch_record(self.cycle, interval, self.settings)
        content = self.put("fetch", interval, fetched.key)["digest"]
        return self.put("clean", interval, clean_record(self.cycle, interval, content, self.settings).key)

    def put(self, step: str, interval: Interval, key: str) -> dict[str, Any]:
        """An output with its manifest; the step's result."""
        uri = Places(self.settings.bucket, self.cycle.name).output(step, interval, key)
        written = manifest(key, step=step)
        place = {"Bucket": self.settings.bucket, "Key": f"{split_uri(uri)[1]}manifest.json"}
        self.service.s3.put_object(**place, Body=json.dumps(written.as_json()).encode())
        return step_result(step, uri, interval=interval.iso, key=key, digest=written.digest)

    def decide(
        self,
        interval: Interval,
        *,
        promote: bool = True,
        said: Verdict | None = None,
        run: str = "run",
        **params: Any,
    ) -> Entry:
        """Go through the operators' own keys up to the decision, which is returned."""
        context = self.attempt(run, **params)
        context.results["clean"] = self.clean(interval)
        for operator in (TransformOperator, TrainOperator, EvaluateOperator):
            made = operator(task_id=operator.step, cycle=self.cycle)
            key = made.spec(context, interval, made.step_inputs(context, interval)).key
            result = self.put(operator.step, interval, key)
            if operator is TrainOperator:
                result["model_uri"] = f"{result['uri']}model.tar.gz"
            context.results[operator.step] = result
        train, results = context.results["train"], context.results
        return self.ledger.decide(
            Entry(
                kind="decision",
                at=LONG_AGO,
                by={},
                interval=interval,
                key=train["key"],
                model_uri=train["model_uri"],
                transform_uri=results["transform"]["uri"],
                evaluation_uri=results["evaluate"]["uri"],
                data_end=interval.end,
                verdict=said or verdict(promote=promote),
                reasons=(),
            )
        )

    def promote(self, decision: Entry) -> Entry:
        """Carry a decision out."""
        arn = f"arn:{decision.key}"
        return self.ledger.promote(replace(decision, kind="promotion", version=arn), decision)

    def awaited(self, need: Any, interval: Interval) -> Interval | None:
        """What an interval waits for, with all the patience there is."""
        order = IntervalDependencies(self.order.hook, self.cycle, self.settings, timedelta(days=36500))
        return order.awaited(need, interval, time.time())


@pytest.fixture
def world(service: Any, cycle: Cycle, installed: Settings, attempt: Any) -> World:
    """A cycle in which nothing has happened yet."""
    return World(service, cycle, installed, attempt)


def test_the_first_interval_waits_for_nothing(world: World) -> None:
    """There is none before it."""
    assert world.awaited("cleaned", world.january) is None
    assert world.awaited("decided", world.january) is None


def test_transform_waits_for_the_first_that_is_not_cleaned(world: World) -> None:
    """Whichever of those before it comes last."""
    world.clean(world.february)
    assert world.awaited("cleaned", world.march) == world.january
    world.clean(world.january)
    assert world.awaited("cleaned", world.march) is None


def test_evaluate_waits_for_the_first_that_is_not_decided(world: World) -> None:
    """A run that works backwards lets the others go first."""
    assert world.awaited("decided", world.march) == world.january
    world.promote(world.decide(world.january))
    assert world.awaited("decided", world.march) == world.february
    world.promote(world.decide(world.february))
    assert world.awaited("decided", world.march) is None


def test_a_decision_that_is_not_carried_out_yet_is_waited_for(world: World) -> None:
    """Who the champion is, is open until then."""
    decision = world.decide(world.january)
    assert world.awaited("decided", world.february) == world.january
    world.promote(decision)
    assert world.awaited("decided", world.february) is None


def test_a_decision_to_keep_what_there_is_needs_nothing_more(world: World) -> None:
    """There is nothing to carry out."""
    world.decide(world.january, promote=False)
    assert world.awaited("decided", world.february) is None


def test_an_interval_that_was_not_judged_holds_nobody_up(world: World) -> None:
    """Its holdout had too few rows of a class: that is a decision, and later intervals go on."""
    undecided = replace(verdict(promote=False), undecided="few_events")
    assert not_none(world.decide(world.january, said=undecided).verdict).undecided == "few_events"
    assert world.awaited("decided", world.february) is None


def test_a_decision_by_other_code_or_settings_is_waited_for(world: World) -> None:
    """It would be made differently today, and with it the champion."""
    world.promote(world.decide(world.january))
    other = IntervalDependencies(
        world.order.hook, world.cycle, replace(world.settings, threads=7), timedelta(days=1)
    )
    assert other.awaited("decided", world.february, time.time()) == world.january


def test_a_decision_against_another_champion_is_waited_for(world: World) -> None:
    """February was judged before January got another version."""
    world.promote(world.decide(world.january))
    world.decide(world.february, promote=False)
    assert world.awaited("decided", world.march) is None
    world.promote(world.decide(world.january, run="again", force=True))
    assert world.awaited("decided", world.march) == world.february


def test_a_forced_decision_counts(world: World) -> None:
    """It was made from the same, only once more."""
    world.promote(world.decide(world.january, force=True))
    assert world.awaited("decided", world.february) is None


def test_a_hole_is_named_with_what_to_run(world: World) -> None:
    """Nobody works on it, so waiting would be in vain."""
    world.promote(world.decide(world.january))
    with pytest.raises(HistoryIncomplete, match="not decided: 2013-02-01_2013-03-01") as caught:
        world.order.awaited("decided", world.march, since=0)
    assert "backfill create --dag-id flights_train_and_deploy --from-date 2013-02-01" in str(caught.value)


def test_an_interval_whose_decision_awaits_a_person_is_no_hole(world: World) -> None:
    """However long that takes."""
    decision = world.decide(world.january)
    world.ledger.decide(replace(decision, needs_approval=True, evaluation_uri=f"{decision.evaluation_uri}x/"))
    assert world.order.awaited("decided", world.february, since=0) == world.january


def test_an_interval_with_a_running_job_is_no_hole(
    world: World, probe: Any, attempt: Any, tmp_path: Any
) -> None:
    """SageMaker knows it, whoever has started it."""
    with pytest.raises(HistoryIncomplete):
        world.order.awaited("cleaned", world.february, since=0)
    operator = probe(do="wait", until=str(tmp_path / "go"), nonce=str(tmp_path), deferrable=True)
    with pytest.raises(TaskDeferred):
        operator.execute(attempt())
    assert world.order.awaited("cleaned", world.february, since=0) == world.january
    operator.on_kill()


def test_a_step_waits_in_the_triggerer(world: World, attempt: Any) -> None:
    """It holds no worker, and starts no job."""
    context = attempt(interval_start="2013-02-01", task_id="evaluate")
    with pytest.raises(TaskDeferred) as deferred:
        EvaluateOperator(task_id="evaluate", cycle=world.cycle).execute(context)
    _, kwargs = deferred.value.trigger.serialize()
    assert (kwargs["need"], kwargs["interval"]) == ("decided", world.february.iso)
    assert list(not_none(deferred.value.kwargs)) == ["since"]


def asked(world: World, attempt: Any) -> Any:
    """The context of a run that monitoring asked for, for March."""
    wanted = RetrainingRequest(
        at=LONG_AGO,
        by={},
        window=world.march,
        decision_uri="s3://b/d.json",
        reasons=(),
        train_interval=world.march,
        data_end=world.march.end,
    )
    RetrainingRequests(world.service.s3, world.settings.bucket, world.cycle.name).ask(wanted, lambda _: True)
    context = attempt(task_id="evaluate")
    context["dag_run"].run_type = "asset_triggered"
    context["dag_run"].consumed_asset_events = []
    return context


def test_a_run_that_was_asked_for_does_not_wait_for_what_was_never_trained(
    world: World, attempt: Any
) -> None:
    """Where a cycle is trained only when it has to be, the months between have no decision, and get none."""
    evaluate = EvaluateOperator(task_id="evaluate", cycle=world.cycle, patience=NEVER)
    # It goes on to its own work, for which this context has no results of the steps before.
    with pytest.raises(FlywheelError, match="'transform'"):
        evaluate.proceed(asked(world, attempt), {}, since=0)
    with pytest.raises(HistoryIncomplete):
        evaluate.proceed(attempt(interval_start="2013-03-01"), {}, since=0)


def test_a_run_that_was_asked_for_needs_the_cleaned_data_all_the_same(world: World, attempt: Any) -> None:
    """A model of data with a gap would be another one."""
    transform = TransformOperator(task_id="transform", cycle=world.cycle, patience=NEVER)
    with pytest.raises(HistoryIncomplete):
        transform.proceed(asked(world, attempt), {}, since=0)


@pytest.mark.parametrize("patience_s", [0.0, 3600.0])
def test_the_trigger_fires_when_the_waiting_is_over(
    world: World, monkeypatch: pytest.MonkeyPatch, patience_s: float
) -> None:
    """Be it that the interval was cleaned, or that it is a hole; the task looks for itself."""
    arguments: dict[str, Any] = {
        "cycle": "flights",
        "interval": world.february.iso,
        "need": "cleaned",
        "since": time.time(),
        "patience_s": patience_s,
        "aws_conn_id": world.settings.aws_conn_id,
        "poll_interval_s": 0.1,
        "deadline": None,
    }
    trigger = IntervalReadyTrigger(**arguments)
    assert trigger.serialize() == ("flywheel.triggers.interval_ready.IntervalReadyTrigger", arguments)
    monkeypatch.setattr(interval_ready, "described_cycle", {"flights": world.cycle}.__getitem__)

    async def fire() -> Any:
        waiting = asyncio.ensure_future(anext(trigger.run()))
        if patience_s:
            await asyncio.sleep(0.5)
            assert not waiting.done()
            await asyncio.to_thread(world.clean, world.january)
        return await asyncio.wait_for(waiting, 60)

    assert asyncio.run(fire()).payload == {}


def test_a_cycle_that_broke_meanwhile_is_not_awaited(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trigger fires at once, whatever its patience."""

    def refuse(name: str) -> Any:
        raise InvalidCycle(name, ["schedule='tomorrow' is no schedule."])

    trigger = IntervalReadyTrigger(
        cycle="flights",
        interval=world.february.iso,
        need="cleaned",
        since=time.time(),
        patience_s=3600.0,
        aws_conn_id=world.settings.aws_conn_id,
        poll_interval_s=0.1,
        deadline=None,
    )
    monkeypatch.setattr(interval_ready, "described_cycle", refuse)
    assert not trigger.is_waiting()


def test_clearing_an_old_interval_leaves_production_alone(world: World) -> None:
    """Its decision is the recorded one; nothing is appended, and the endpoint's version stays."""
    for month in world.months:
        world.promote(world.decide(month))
    before = world.ledger.entries()
    again = world.decide(world.january, run="cleared")
    world.promote(again)
    assert world.ledger.entries() == before
    assert not_none(production(before)).data_end == world.march.end


def test_forcing_an_old_interval_leaves_production_alone(world: World) -> None:
    """Even a new model of old data is only promoted into the history."""
    for month in world.months:
        newest = world.promote(world.decide(month))
    forced = world.promote(world.decide(world.january, run="again", force=True))
    entries = world.ledger.entries()
    assert production(entries) == newest
    assert champion_as_of(entries, world.january.end, inclusive=True) == forced


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_any_order_of_runs_gives_the_same_decisions(world: World, order: tuple[int, ...]) -> None:
    """Each goes as soon as it need not wait; keys, decisions and champion do not depend on who came first."""
    for month in world.months:
        world.clean(month)
    waiting = [world.months[index] for index in order]
    while waiting:
        month = next(m for m in waiting if world.awaited("decided", m) is None)
        decision = world.decide(month, promote=month != world.february)
        if decision.promotes:
            world.promote(decision)
        waiting.remove(month)
    entries = world.ledger.entries()
    assert [(e.kind, f"{e.data_end:%Y-%m-%d}") for e in entries] == [
        ("decision", "2013-02-01"),
        ("promotion", "2013-02-01"),
        ("decision", "2013-03-01"),
        ("decision", "2013-04-01"),
        ("promotion", "2013-04-01"),
    ]
    assert all(world.awaited("decided", world.month(number)) is None for number in (2, 3, 4))
