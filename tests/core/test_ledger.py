"""The ledger in real objects: append-only, forward-only, one winner."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from include.core.documents.ledger import Entry
from include.core.exceptions import FlywheelError, PromotionLost
from include.core.layout import Interval
from include.core.ledger import Ledger, champion_as_of, production
from include.core.settings import Settings
from tests.examples import not_none, verdict


def month(number: int) -> datetime:
    """The first of a month."""
    return datetime(2013, number, 1, tzinfo=UTC)


def entry(end: int, name: str = "a", **changes: Any) -> Entry:  # noqa: ANN401 - any field
    """A decision about a model of data up to the first of month `end`."""
    made = Entry(
        kind="decision",
        at=datetime(2013, 1, 1, tzinfo=UTC),
        by={"dag_id": "d", "run_id": f"run-{name}"},
        interval=Interval(month(end - 1), month(end)),
        key=f"key-{end}-{name}",
        model_uri=f"s3://b/{end}/{name}/model.tar.gz",
        transform_uri=f"s3://b/{end}/transform/",
        evaluation_uri=f"s3://b/{end}/{name}/",
        data_end=month(end),
        verdict=verdict(promote=True),
        reasons=("It is better.",),
    )
    return replace(made, **changes)


def promotion(end: int, name: str = "a") -> Entry:
    """The promotion that follows such a decision."""
    return entry(end, name, kind="promotion", version=f"arn:{end}-{name}")


@pytest.fixture
def ledger(service: Any, installed: Settings) -> Ledger:  # noqa: ANN401 - the service's test class
    """An empty ledger in a bucket of its own."""
    return Ledger(service.s3, installed.bucket, "flights")


def put(ledger: Ledger, end: int, name: str = "a") -> Entry:
    """Decide and promote."""
    return ledger.promote(promotion(end, name), ledger.decide(entry(end, name)))


def test_an_empty_ledger_has_no_champion(ledger: Ledger) -> None:
    """Nothing is promoted, nothing is in production."""
    assert ledger.entries() == []
    assert production([]) is None
    assert champion_as_of([], month(3), inclusive=True) is None


def test_what_is_written_is_read_again(ledger: Ledger) -> None:
    """Entries are numbered from one in the order they came."""
    decision = ledger.decide(entry(2))
    promoted = ledger.promote(promotion(2), decision)
    assert ledger.entries() == [decision, promoted]
    assert [e.number for e in ledger.entries()] == [1, 2]


def test_the_same_decision_and_promotion_are_recorded_once(ledger: Ledger) -> None:
    """Clearing the tasks writes nothing new."""
    first = put(ledger, 2)
    assert put(ledger, 2) == first
    assert len(ledger.entries()) == 2


def test_the_champion_is_the_newest_data_before_the_moment(ledger: Ledger) -> None:
    """Evaluation compares with what was before, scoring uses what was there when the interval began."""
    for end in (2, 3, 4):
        put(ledger, end)
    entries = ledger.entries()
    assert not_none(champion_as_of(entries, month(3), inclusive=False)).data_end == month(2)
    assert not_none(champion_as_of(entries, month(3), inclusive=True)).data_end == month(3)
    assert champion_as_of(entries, month(2), inclusive=False) is None


def test_a_decision_alone_makes_no_champion(ledger: Ledger) -> None:
    """A tie keeps what there is."""
    ledger.decide(entry(2))
    assert production(ledger.entries()) is None


@pytest.mark.parametrize("seed", range(3))
def test_the_history_does_not_depend_on_the_order_of_runs(ledger: Ledger, seed: int) -> None:
    """A backfill backwards or shuffled ends with the same champions as one forwards."""
    ends = list(range(2, 8))
    random.Random(seed).shuffle(ends)  # noqa: S311 - any order will do
    for end in ends:
        put(ledger, end)
    entries = ledger.entries()
    found = {e: not_none(champion_as_of(entries, month(e), inclusive=True)).model_uri for e in range(2, 8)}
    assert found == {e: entry(e).model_uri for e in range(2, 8)}
    assert not_none(production(entries)).data_end == month(7)


def test_production_never_moves_back(ledger: Ledger) -> None:
    """An older version is recorded as history only."""
    put(ledger, 5)
    older = put(ledger, 3)
    assert older.number == 4
    assert not_none(production(ledger.entries())).data_end == month(5)


def test_a_promotion_is_lost_to_one_that_came_after_the_decision(ledger: Ledger) -> None:
    """The loser is told by whom and what to do."""
    mine = ledger.decide(entry(2, "mine"))
    put(ledger, 2, "theirs")
    with pytest.raises(PromotionLost, match=r"run-theirs .* arn:2-theirs .* `decide`"):
        ledger.promote(promotion(2, "mine"), mine)


def test_who_decides_anew_may_replace_what_was_promoted(ledger: Ledger) -> None:
    """The later of two for the same data counts, since it was decided knowing the other."""
    put(ledger, 2, "first")
    put(ledger, 2, "second")
    put(ledger, 2, "first")
    assert not_none(production(ledger.entries())).model_uri == entry(2, "first").model_uri
    assert len(ledger.entries()) == 6


def test_of_concurrent_promoters_of_the_same_data_one_wins(ledger: Ledger) -> None:
    """All have decided before any promotes; the ledger has no gap and no number twice."""
    names = [f"run{number}" for number in range(8)]
    decisions = {name: ledger.decide(entry(2, name)) for name in names}

    def promote(name: str) -> bool:
        try:
            ledger.promote(promotion(2, name), decisions[name])
        except PromotionLost:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(promote, names))
    entries = ledger.entries()
    assert won.count(True) == 1
    assert [e.number for e in entries] == list(range(1, 10))
    assert not_none(production(entries)).key == entry(2, names[won.index(True)]).key


def test_concurrent_promoters_of_different_data_all_win(ledger: Ledger) -> None:
    """Each takes another number."""
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda end: put(ledger, end), range(2, 8)))
    entries = ledger.entries()
    assert [e.number for e in entries] == list(range(1, 13))
    assert sorted(e.data_end for e in entries if e.kind == "promotion") == [month(end) for end in range(2, 8)]


def test_an_entry_that_is_none_is_named(ledger: Ledger, service: Any, installed: Settings) -> None:  # noqa: ANN401 - the service's test class
    """Somebody wrote there by hand."""
    service.s3.put_object(Bucket=installed.bucket, Key="flights/ledger/00000001.json", Body=b'{"a": 1}')
    with pytest.raises(FlywheelError, match=r"ledger/00000001\.json"):
        ledger.entries()
