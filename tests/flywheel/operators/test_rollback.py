"""Production goes back by an entry of the ledger, and forward again with the next challenger."""
# ruff: noqa: ANN401 - contexts and the helper of conftest have no types

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from flywheel.operators import DeployOperator, RegisterOperator, RollBackOperator, VerifyOperator
from include.core.exceptions import RollbackRefused
from include.core.ledger import champion_as_of, production, rollback
from tests.examples import not_none

JANUARY, FEBRUARY, MARCH = "2013-01-01", "2013-02-01", "2013-03-01"


def roll_back(run: Any, name: str = "back", to: str | None = None) -> Any:
    """The context after a rollback."""
    context = run.attempt(name, to_version=to, reason="It is wrong about Sundays.")
    run.do(RollBackOperator, context)
    return context


def three(run: Any) -> list[str]:
    """Versions of three months, each promoted."""
    months = [run.at(month) for month in (JANUARY, FEBRUARY, MARCH)]
    return [month.registered().results["register"]["version"] for month in months]


def in_production(run: Any) -> Any:
    """The version in production, by the ledger."""
    return not_none(production(run.entries())).version


def test_production_goes_back_to_the_last_good_version(run: Any) -> None:
    """The entry tells who, when, why, from and to; the registry follows."""
    _, february, march = three(run)
    roll_back(run)
    entry = run.entries()[-1]
    assert (entry.kind, entry.version, entry.replaces) == ("rollback", february, march)
    assert (entry.reasons, entry.by["run_id"]) == (("It is wrong about Sundays.",), "back")
    assert in_production(run) == february
    assert [run.approval_of(version) for version in (february, march)] == ["Approved", "Rejected"]


def test_a_run_rolls_back_once(run: Any) -> None:
    """Clearing its task does not go back another version."""
    _, february, _ = three(run)
    context = roll_back(run)
    first = context.results["roll_back"]
    assert run.do(RollBackOperator, context) == first
    assert in_production(run) == february


def test_a_run_that_is_triggered_again_under_its_id_rolls_back_again(run: Any) -> None:
    """It was deleted in between. Version 0.1.0 did not write when a run was triggered."""
    january, _, _ = three(run)
    context = roll_back(run)
    context["dag_run"].run_after += timedelta(days=1)
    run.do(RollBackOperator, context)
    assert in_production(run) == january
    entries = run.entries()
    by = {"dag_id": entries[-1].by["dag_id"], "run_id": "back"}
    old = replace(entries[-1], by=by)
    for moment, is_same in ((old.at - timedelta(seconds=1), True), (old.at + timedelta(seconds=1), False)):
        again = {**by, "triggered_at": moment.isoformat()}
        if is_same:
            assert rollback([*entries[:-1], old], None, "again", again) == old
        else:
            with pytest.raises(RollbackRefused):
                rollback([*entries[:-1], old], None, "again", again)


def test_what_is_served_bears_the_interval_of_its_version(run: Any) -> None:
    """Also after a rollback from another month's run, and then it is the configuration that served before."""
    january = run.do(DeployOperator, run.registered())["config"]
    february = run.at(FEBRUARY)
    later = february.do(DeployOperator, february.registered())["config"]
    march = run.at(MARCH)
    context = roll_back(march)
    back = march.make(DeployOperator, version_from="roll_back").execute(context)["config"]
    assert (back, "-20130201-" in later) == (january, True)


def test_a_second_rollback_goes_back_further(run: Any) -> None:
    """Until there is nothing left."""
    january, _, _ = three(run)
    roll_back(run, "one")
    roll_back(run, "two")
    assert in_production(run) == january
    with pytest.raises(RollbackRefused, match=re.escape(january)):
        roll_back(run, "three")
    assert in_production(run) == january


def test_a_version_can_be_named(run: Any) -> None:
    """By its number or its ARN; one that was never before the current is refused, naming those that were."""
    january, february, march = three(run)
    with pytest.raises(RollbackRefused, match=f"'{march}' .* {february}, {january}"):
        roll_back(run, "one", to=march)
    roll_back(run, "two", to=january.rpartition("/")[2])
    assert in_production(run) == january


def test_there_must_be_something_to_roll_back(run: Any) -> None:
    """A cycle without a champion."""
    with pytest.raises(RollbackRefused):
        roll_back(run)
    assert run.entries() == []


def test_the_earlier_version_is_served_and_verified(run: Any) -> None:
    """By the very steps that brought it into service when it was new."""
    run.do(DeployOperator, run.registered())
    february = run.at(FEBRUARY)
    february.do(DeployOperator, february.registered(answer={"label": "0", "score": 0.1}))
    context = roll_back(run)
    context.results["deploy"] = run.make(DeployOperator, version_from="roll_back").execute(context)
    context.results["verify"] = run.make(VerifyOperator).execute(context)
    assert context.results["verify"]["counts"] == {"rows": 1}
    assert run.served() == context.results["deploy"]["config"]


def test_what_was_withdrawn_does_not_come_back_by_itself(run: Any) -> None:
    """Clearing the old run's tasks changes neither production nor the registry."""
    run.registered()
    context = run.at(FEBRUARY).registered()
    roll_back(run)
    before = run.entries()
    assert run.at(FEBRUARY).do(RegisterOperator, context) == context.results["register"]
    assert run.entries() == before
    assert run.approval_of(context.results["register"]["version"]) == "Rejected"
    with pytest.raises(AirflowSkipException):
        run.do(DeployOperator, context)


def test_the_next_challenger_is_promoted(run: Any) -> None:
    """It was compared with the version gone back to; production moves forward again."""
    january = run.registered().results["register"]["version"]
    february = run.at(FEBRUARY).registered().results["register"]["version"]
    roll_back(run)
    end_of_march = run.make(RollBackOperator).interval(run.at(MARCH).evaluated()).end
    assert not_none(champion_as_of(run.entries(), end_of_march, inclusive=False)).version == january
    march = run.at(MARCH).registered().results["register"]["version"]
    assert in_production(run) == march
    assert february not in {january, march}


def test_the_history_before_a_rollback_stays_what_it_was(run: Any) -> None:
    """Decisions made until then were made against the version that was champion then."""
    _, february, _ = three(run)
    end_of_march = run.make(RollBackOperator).interval(run.at(MARCH).evaluated()).end
    roll_back(run, to=None)
    roll_back(run, "further")
    assert not_none(champion_as_of(run.entries(), end_of_march, inclusive=False)).version == february


def test_training_the_withdrawn_interval_anew_promotes_it(run: Any) -> None:
    """Another model of the same data is another version, promoted after the rollback."""
    three(run)
    roll_back(run)
    anew = run.at(MARCH).registered(name="forced").results["register"]["version"]
    assert in_production(run) == anew
