"""What it takes to retrain: the rule over windows, on evidence written by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.core.documents.monitoring import Evidence
from include.core.documents.retraining import AlarmCount, Emission, RetrainingJudgement, RetrainingRequest
from include.core.layout import Interval
from include.core.monitoring import Monitoring
from include.core.retraining.requests import Moment, answered, emission, is_open
from include.core.retraining.rule import Finding, Past, judge_retraining
from tests.examples import BY, evidence, month, quality

RULE = Monitoring(alarms=2, windows=3)


def past(number: int, *, trained: tuple[int, ...] = (1,), rule: Monitoring = RULE) -> Past:
    """What there is when a month is decided about, trained on the months that are given."""
    last = [month(n) for n in range(max(1, number - rule.windows + 1), number + 1)]
    ends = frozenset(month(n).end for n in trained)
    return Past(last=tuple(last), train_interval=month(number), trainings=ends)


def decide(*found: Evidence, rule: Monitoring = RULE, **given: Any) -> RetrainingJudgement:  # noqa: ANN401 - what `past` takes
    """The rule's word about the last of some windows."""
    findings = {f.window: f for f in map(Finding.of, found)}
    newest = max(findings)
    return judge_retraining(rule, findings, past(newest.start.month, rule=rule, **given))


def watched(alarms: str, *, first: int = 2, **given: Any) -> list[Evidence]:  # noqa: ANN401 - what `evidence` takes
    """Evidence of consecutive months: `a` alarms, `.` does not, `b` is broken, `-` nobody watched."""
    signs = [(first + n, sign) for n, sign in enumerate(alarms) if sign != "-"]
    return [evidence(month(n), alarm=sign != ".", broken=sign == "b", **given) for n, sign in signs]


@pytest.mark.parametrize(
    ("alarms", "is_due"),
    [
        ("a", False),
        ("aa", True),
        ("a.", False),
        ("a.a", True),
        ("aa.", False),
        ("a..a", False),
        ("-a", False),
    ],
)
def test_two_of_three_windows_and_the_newest_among_them(alarms: str, *, is_due: bool) -> None:
    """One bad month is no trend, and one that is over is none any more."""
    assert decide(*watched(alarms)).due is is_due


def test_a_decision_tells_why() -> None:
    """Each window that alarmed, with what it found, and the rule it was judged by."""
    found = decide(*watched("aa"))
    assert found.reasons == tuple(f"{month(n)}: temp has drifted." for n in (2, 3))
    assert found.against == ()
    assert found.alarms == AlarmCount(watched=2, alarmed=2, needed=2, of=3, missing=(), held_back=())
    assert found.rule.minimum_new_labels == 1000
    assert found.train_interval == month(3)


def test_it_tells_why_not() -> None:
    """Also where nothing has happened."""
    assert decide(*watched(".")).against == ("The newest window gives no alarm.",)
    assert decide(*watched("a")).against == ("1 of the last 3 windows alarmed; it takes 2.",)


def test_a_window_that_nobody_watched_is_named_and_gives_no_alarm() -> None:
    """It would have been the second."""
    found = decide(*watched("a-.a", first=2)[1:])
    assert found.alarms.missing == (str(month(3)),)
    assert found.due is False


def test_windows_of_another_champion_do_not_count() -> None:
    """The new model has its own record to make."""
    older = watched("aa")
    newer = evidence(month(4), alarm=True, data_end=month(3).end)
    found = decide(*older, newer, trained=(1, 3))
    assert (found.alarms.watched, found.due) == (1, False)
    assert found.alarms.missing == ()


def test_a_broken_window_alerts_and_never_retrains() -> None:
    """A model that learnt the fault would be worse than the one that meets it."""
    found = decide(*watched("aab"))
    assert found.due is False
    assert found.against == ("The newest window is held back: broken upstream: temp (missing_column_check).",)
    assert found.alarms.held_back == (str(month(4)),)
    assert decide(*watched("bba")).alarms.alarmed == 1


def test_the_cool_down_is_kept() -> None:
    """However much has drifted."""
    rule = Monitoring(alarms=2, windows=3, cool_down=timedelta(days=90))
    found = decide(*watched("aa"), rule=rule)
    assert found.against == ("The cool-down lasts until 2013-05-02T00:00:00+00:00.",)
    assert decide(*watched("aaaa"), rule=rule).due is True


@pytest.mark.parametrize(("judged", "is_due"), [(499, False), (500, True), (None, False)])
def test_there_must_be_labels_to_learn_from(judged: int | None, *, is_due: bool) -> None:
    """Those of all windows since the champion's data count together."""
    found = decide(*watched("aa", judged=judged))
    assert (found.due, found.new_labels) == (is_due, 2 * (judged or 0))


def test_labels_count_when_they_could_be_known() -> None:
    """What came out about a window later is no part of a decision about its own time."""
    early = evidence(month(2), alarm=True, judged=None)
    late = quality(month(3).end, judged=7_000)
    findings = {f.window: f for f in (Finding.of(early, [late]), Finding.of(evidence(month(3), alarm=True)))}
    assert judge_retraining(RULE, findings, past(3)).new_labels == 27_000
    assert judge_retraining(RULE, findings, past(2)).new_labels == 0


def test_quality_that_turns_out_worse_later_is_an_alarm_from_then_on() -> None:
    """Before, nobody could know."""
    late = quality(month(3).end, is_worse=True)
    findings = {f.window: f for f in (Finding.of(evidence(month(2)), [late]), Finding.of(evidence(month(3))))}
    assert judge_retraining(RULE, findings, past(2)).alarms.alarmed == 0
    found = judge_retraining(RULE, findings, past(3))
    assert found.alarms.alarmed == 1
    assert "by labels that came late" in found.reasons[0]


def test_the_budget_is_kept() -> None:
    """Whatever asked for the trainings; what was trained on later data does not count."""
    rule = Monitoring(alarms=1, windows=1, budget=2)
    newest = evidence(month(4), alarm=True, data_end=month(3).end)
    found = decide(newest, rule=rule, trained=(1, 3, 5))
    assert found.trainings_in_period == 2
    assert "the budget is 2" in found.against[0]
    assert decide(newest, rule=rule, trained=(3,)).due is True


def test_nothing_is_due_without_a_newer_training_interval() -> None:
    """Daily windows alarm while the month is not over."""
    day = Interval(datetime(2013, 2, 5, tzinfo=UTC), datetime(2013, 2, 6, tzinfo=UTC))
    rule = Monitoring(alarms=1, windows=1, minimum_new_labels=0)
    only = Past(last=(day,), train_interval=month(1), trainings=frozenset({month(1).end}))
    findings = {day: Finding.of(evidence(day, alarm=True))}
    assert judge_retraining(rule, findings, only).against == (
        "There is no complete training interval after the champion's data.",
    )


def test_nothing_is_due_after_the_newest_interval_was_trained_for_in_vain() -> None:
    """The champion stayed: the same data would give the same answer."""
    day = Interval(datetime(2013, 3, 5, tzinfo=UTC), datetime(2013, 3, 6, tzinfo=UTC))
    rule = Monitoring(alarms=1, windows=1, minimum_new_labels=0)
    ends = frozenset({month(1).end, month(2).end})
    findings = {day: Finding.of(evidence(day, alarm=True))}
    in_vain = judge_retraining(rule, findings, Past(last=(day,), train_interval=month(2), trainings=ends))
    assert in_vain.against == (
        f"The training for {month(2)} was decided before; there is no newer interval.",
    )
    untried = judge_retraining(
        rule, findings, Past(last=(day,), train_interval=month(2), trainings=frozenset())
    )
    assert untried.due is True


def test_what_was_trained_on_later_data_changes_no_judgement() -> None:
    """Deciding again after the training gives the same, as a backfill does."""
    found = watched("aa")
    assert decide(*found, trained=(1,)) == decide(*found, trained=(1, 3, 4, 5))


# Who asks


def request(
    number: int, window: int, *, at: datetime = datetime(2026, 1, 1, tzinfo=UTC), run: str = "other"
) -> RetrainingRequest:
    """The request of a month's window for that month."""
    return RetrainingRequest(
        number=number,
        at=at,
        by={**BY, "run_id": run},
        window=month(window),
        decision_uri="s3://b/d.json",
        reasons=("temp has drifted",),
        train_interval=month(window),
        data_end=month(window).end,
    )


def asks(
    number: int = 3,
    *,
    trained: tuple[int, ...] = (1,),
    alarms: str = "aa",
    **given: Any,  # noqa: ANN401 - what a moment is made of
) -> Emission:
    """Whether the decision about a month asks for retraining."""
    found = watched(alarms, first=number - len(alarms) + 1)
    moment = {"is_backfill": False, "newest": month(number), "requests": (), "by": BY, **given}
    before = past(number, trained=trained)
    return emission(decide(*found, trained=trained), before, Moment(trainings=before.trainings, **moment))


def test_the_newest_window_asks_when_it_is_due() -> None:
    """And only then."""
    assert asks().is_emitted is True
    assert asks(alarms=".") == Emission(is_emitted=False, why="Nothing is due.")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"is_backfill": True}, "A backfill records"),
        ({"newest": month(4)}, f"The newer window {month(4)} was monitored before"),
        ({"is_again": True}, "An earlier window was monitored late"),
        ({"trained": (1, 3)}, "has been decided already"),
        ({"trained": (1, 5)}, "has been decided already"),
        ({"requests": [request(7, 2)]}, f"Request 7 of {month(2)} is still open"),
    ],
)
def test_everyone_else_says_why_not(given: dict[str, Any], why: str) -> None:
    """Backfills, older windows, and those whom somebody answers already."""
    found = asks(**given)
    assert found.is_emitted is False
    assert why in found.why


def test_a_runs_own_request_does_not_stand_in_its_way() -> None:
    """A task that died between the request and the event asks again."""
    assert asks(requests=[request(1, 3, run="one")]).is_emitted is True


def test_a_request_is_open_until_it_is_answered_or_old() -> None:
    """A training that never came is asked for anew after the rule's number of windows."""
    asked = request(1, 2)
    assert is_open(asked, past(4), frozenset())
    assert not is_open(asked, past(4), {month(2).end})
    assert not is_open(asked, past(4), {month(3).end})
    assert is_open(asked, past(4), {month(1).end})
    assert not is_open(asked, past(5), frozenset())


# Who answers


def test_a_run_answers_what_was_asked_for_until_it_was_made() -> None:
    """Events coalesce, so that one may have to do for several requests; it trains for the latest data."""
    early, late = request(1, 3), request(2, 4, at=datetime(2026, 1, 3, tzinfo=UTC))
    made = datetime(2026, 1, 2, tzinfo=UTC)
    assert answered([early, late], made, []) == [early]
    assert answered([early, late], made, [2]) == [early, late]
    assert answered([late, early], made + timedelta(days=1), []) == [early, late]
    assert answered([], made, []) == []
