"""Watch records, decisions and requests in real objects, and what is decided from them."""
# ruff: noqa: ANN401 - boto3 clients and JSON have no types

from __future__ import annotations

import itertools
import json
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from include.core.cycle import Cycle
from include.core.documents.ledger import Entry
from include.core.documents.retraining import Emission, RetrainingDecision, RetrainingRequest
from include.core.exceptions import FlywheelError
from include.core.layout import Interval
from include.core.ledger import Ledger
from include.core.monitoring import Monitoring
from include.core.retraining.decisions import RetrainingDecisions
from include.core.retraining.records import MonitoringLog, RetrainingRequests, Snapshot
from include.core.settings import Settings
from tests.examples import BY, decision, evidence, matured, month, quality, verdict, watch_record


@pytest.fixture
def log(service: Any, installed: Settings) -> MonitoringLog:
    """An empty log in a bucket of its own."""
    return MonitoringLog(service.s3, installed.bucket, "flights")


@pytest.fixture
def deciding(service: Any, installed: Settings, cycle: Cycle) -> RetrainingDecisions:
    """A run that decides about a cycle that asks after two of three windows, with a training in January."""
    watched = replace(cycle, monitoring=Monitoring(alarms=2, windows=3))
    train(service, installed, 1)
    return RetrainingDecisions(service.s3, installed.bucket, watched, BY)


def train(service: Any, installed: Settings, number: int) -> None:
    """A training for a month comes to a decision."""
    end = month(number).end
    entry = Entry(
        kind="decision",
        at=end,
        by={"dag_id": "flights_train_and_deploy", "run_id": f"train {number}"},
        interval=month(number),
        key=f"{number}",
        model_uri=f"s3://b/{number}/",
        transform_uri="s3://b/",
        evaluation_uri=f"s3://b/{number}/",
        data_end=end,
        verdict=verdict(promote=True),
        reasons=(),
    )
    Ledger(service.s3, installed.bucket, "flights").decide(entry)


def request(window: int, run: str) -> RetrainingRequest:
    """A run's request for a month."""
    return RetrainingRequest(
        at=datetime(2026, 1, 1, tzinfo=UTC),
        by={**BY, "run_id": run},
        window=month(window),
        decision_uri="s3://b/d.json",
        reasons=(),
        train_interval=month(window),
        data_end=month(window).end,
    )


# What is written


def test_the_record_that_was_written_last_counts(log: MonitoringLog) -> None:
    """Also one that had been outdated by another."""
    quiet, alarm = evidence(month(2)), evidence(month(2), alarm=True)
    written = ((quiet, "a"), (alarm, "b"), (quiet, "a"))
    places = [log.put_record(watch_record(*each, second=n)) for n, each in enumerate(written)]
    assert [place.rpartition("/")[2] for place in places] == ["a.json", "b.json", "a-2.json"]
    counted = Snapshot(log).record(month(2))
    assert counted is not None
    assert counted[0] == places[2]


def test_the_same_record_is_written_once(log: MonitoringLog) -> None:
    """Whoever writes it, and when."""
    first, again = (watch_record(evidence(month(2)), second=second) for second in (1, 2))
    assert log.put_record(first) == log.put_record(again)
    assert len(log.names()) == 1


def test_concurrent_writers_of_one_decision_write_one(log: MonitoringLog) -> None:
    """Both find it written."""
    decisions = [decision(evidence(month(2)), f"run {n}", n) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        places = set(pool.map(log.put_decision, decisions))
    assert len(places) == 1
    assert len(log.names()) == 1


def test_windows_of_hours_are_found_by_their_folders(log: MonitoringLog) -> None:
    """They come in the order of time, which is not that of their names."""
    times = [datetime(2013, 1, 1, hour, tzinfo=UTC) for hour in (0, 6, 12)]
    windows = [Interval(*pair) for pair in itertools.pairwise(times)]
    for window in windows:
        log.put_record(watch_record(evidence(window)))
    assert Snapshot(log).windows() == windows


def test_what_later_windows_found_out_counts_for_the_earlier_one(log: MonitoringLog) -> None:
    """Labels that came late are in the record of the window they came in."""
    log.put_record(watch_record(evidence(month(2), judged=None)))
    late = quality(month(3).end, judged=7)
    log.put_record(watch_record(evidence(month(3)), "k", matured(month(2), late)))
    finding = Snapshot(log).findings(month(2).start)[month(2)]
    assert finding.quality_at(month(2).end) is None
    assert finding.quality_at(month(3).end) == late


def test_what_is_no_record_is_named(log: MonitoringLog, service: Any, installed: Settings) -> None:
    """Somebody wrote there by hand."""
    key = f"flights/watch/{month(2)}/k.json"
    service.s3.put_object(Bucket=installed.bucket, Key=key, Body=json.dumps([]).encode())
    with pytest.raises(FlywheelError, match=r"k\.json"):
        Snapshot(log).record(month(2))


# What is decided


def decide(
    deciding: RetrainingDecisions, number: int, *, is_backfill: bool = False, **given: Any
) -> RetrainingDecision:
    """Record a month and decide about it, and again about later ones."""
    deciding.record_window("k", "s3://b/", evidence(month(number), **given))
    decided = deciding.decide(month(number), is_backfill=is_backfill)
    list(deciding.decide_again(month(number)))
    return decided.decision


def test_two_alarms_ask(deciding: RetrainingDecisions) -> None:
    """The first one waits for a second."""
    assert decide(deciding, 2, alarm=True).emission.is_emitted is False
    second = decide(deciding, 3, alarm=True)
    assert second.due is True
    assert second.emission.is_emitted is True
    assert second.train_interval == month(3)


def test_a_backfill_decides_the_same_and_asks_for_nothing(deciding: RetrainingDecisions) -> None:
    """What it says of the windows is what the run of then would have said."""
    decide(deciding, 2, alarm=True, is_backfill=True)
    second = decide(deciding, 3, alarm=True, is_backfill=True)
    assert second.due is True
    assert second.emission == Emission(
        is_emitted=False, why="A backfill records its decisions and asks for nothing."
    )


@pytest.mark.parametrize("seed", range(3))
def test_decisions_do_not_depend_on_the_order_of_windows(deciding: RetrainingDecisions, seed: int) -> None:
    """Watched shuffled, every window ends with the decision it has forwards."""
    alarms = {2: True, 3: True, 4: False, 5: True, 6: True}
    months = list(alarms)
    random.Random(seed).shuffle(months)  # noqa: S311 - any order will do
    for number in months:
        decide(deciding, number, alarm=alarms[number])
    snapshot = Snapshot(deciding.log)
    last = {number: snapshot.decision(month(number)) for number in alarms}
    due = {number: bool(each and each[1].due) for number, each in last.items()}
    assert due == {2: False, 3: True, 4: False, 5: True, 6: True}
    assert all(each and each[1].alarms.missing == () for each in last.values())


def test_a_window_that_is_watched_late_makes_later_decisions_again_without_asking(
    deciding: RetrainingDecisions,
) -> None:
    """March saw February missing; then it turns out that both alarmed."""
    assert decide(deciding, 3, alarm=True).alarms.missing == (str(month(2)),)
    late = decide(deciding, 2, alarm=True)
    assert late.emission.is_emitted is False
    march = Snapshot(deciding.log).decision(month(3))
    assert march is not None
    assert march[1].due is True
    assert march[1].emission.is_emitted is False
    assert "deciding again" in march[1].emission.why
    assert march[1].alarms.missing == ()


def test_deciding_again_changes_nothing_where_nothing_has_changed(deciding: RetrainingDecisions) -> None:
    """Clearing the task writes nothing new."""
    for _ in range(2):
        decide(deciding, 2, alarm=True)
        decide(deciding, 3, alarm=True)
    assert len(deciding.log.names()) == 4


def test_a_decision_after_the_training_is_the_same_but_asks_for_nothing(
    deciding: RetrainingDecisions, service: Any, installed: Settings
) -> None:
    """The judgement looks at the windows, the emission at the moment."""
    decide(deciding, 2, alarm=True)
    before = decide(deciding, 3, alarm=True)
    train(service, installed, 3)
    after = decide(deciding, 3, alarm=True)
    assert replace(after, emission=before.emission, at=before.at) == before
    assert "has been decided already" in after.emission.why


# What is asked for


def test_of_two_requests_at_once_one_is_recorded(service: Any, installed: Settings) -> None:
    """The others are told whose it is."""
    requests = RetrainingRequests(service.s3, installed.bucket, "flights")
    with ThreadPoolExecutor(6) as pool:
        asked = list(pool.map(lambda n: requests.ask(request(3, f"run {n}"), lambda _: True), range(6)))
    assert [each.is_ours for each in asked].count(True) == 1
    assert len(requests.entries()) == 1


def test_a_request_that_is_closed_does_not_stand_in_the_way(service: Any, installed: Settings) -> None:
    """The next one has the next number."""
    requests = RetrainingRequests(service.s3, installed.bucket, "flights")
    requests.ask(request(3, "one"), lambda _: True)
    asked = requests.ask(request(4, "two"), lambda _: False)
    assert (asked.is_ours, asked.request.number) == (True, 2)
    assert requests.ask(request(4, "two"), lambda _: True) == asked
