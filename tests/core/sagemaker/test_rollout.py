"""What a rollout does next, and what makes an alarm: without any service."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from include.core.cycle import Cycle, Rollout
from include.core.sagemaker.readings import reading
from include.core.sagemaker.rollout import Canary, Move, Readings, Seen, alarm, judge_canary, next_move

ROLLOUT = Rollout(bake_s=60, minimum_invocations=20)
CANARY = Canary(
    config="both",
    champion="old",
    final="new",
    variant="canary-1",
    champion_variants=("champion",),
    weight=0.1,
    since=0.0,
)
SERVING = Seen(status="InService", config="old")
TRYING = Seen(status="InService", config="both", canary=CANARY)
GOOD = Readings(invocations=100, latency_mean_ms=5.0, latency_p99_ms=20.0)


@pytest.mark.parametrize(
    ("seen", "asked", "expected"),
    [
        (Seen(), None, Move.CREATE),
        (Seen(), "new", Move.FAIL),
        (Seen(status="Updating", is_active=True, config="old"), "both", Move.WAIT),
        (Seen(status="Failed", config="new"), None, Move.DELETE),
        (Seen(status="Failed", config="new"), "new", Move.FAIL),
        (Seen(status="UpdateRollbackFailed", config="old"), None, Move.FAIL),
        (SERVING, None, Move.START),
        (SERVING, "both", Move.FAIL),
        (TRYING, "both", Move.BAKE),
        (TRYING, None, Move.BAKE),
        (replace(TRYING, canary=replace(CANARY, final="other")), None, Move.RETURN),
        (replace(SERVING, config="new"), "new", Move.DONE),
        (replace(SERVING, config="new"), None, Move.DONE),
    ],
)
def test_what_is_served_tells_what_is_next(seen: Seen, asked: str | None, expected: Move) -> None:
    """With or without knowing what was asked for before."""
    assert next_move(seen, ROLLOUT, final="new", asked=asked) is expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (TRYING, Move.MUTE),
        (replace(TRYING, canary=replace(CANARY, weight=0.0)), Move.RETURN),
        (Seen(status="Updating", is_active=True, config="both", canary=CANARY), Move.WAIT),
        (SERVING, Move.FAIL),
    ],
)
def test_a_refused_version_goes_back_step_by_step(seen: Seen, expected: Move) -> None:
    """Its traffic first, then its containers, then the task fails."""
    assert next_move(seen, ROLLOUT, final="new", is_refused=True) is expected


def test_without_a_share_there_is_no_trial() -> None:
    """The old version is replaced at once."""
    assert next_move(SERVING, Rollout(canary_share=0), final="new") is Move.REPLACE


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"errors_5xx": 3}, "error_rate_limit"),
        ({"errors_4xx": 10}, "client_error_gain_limit"),
        ({"latency_p99_ms": 1000.1}, "latency_p99_limit_ms"),
        ({"latency_mean_ms": 51.0}, "latency_mean_limit_ms"),
    ],
)
def test_each_alarm_is_named(changes: dict[str, Any], name: str) -> None:
    """With what was measured and the limit."""
    rollout = replace(ROLLOUT, latency_mean_limit_ms=50.0)
    assert alarm(rollout, GOOD, GOOD) is None
    fired = alarm(rollout, replace(GOOD, **changes), GOOD)
    assert fired is not None
    assert fired.startswith(f"Alarm {name}: ")
    assert fired.endswith(f"the limit is {getattr(rollout, name):g}.")


def test_clients_that_err_alike_with_both_raise_no_alarm() -> None:
    """4XX count against the champion's."""
    bad_clients = replace(GOOD, errors_4xx=40)
    assert alarm(ROLLOUT, bad_clients, bad_clients) is None


@pytest.mark.parametrize(
    ("invocations", "errors", "baked_s", "is_good"),
    [
        (100, 0, 59, None),  # not over yet
        (100, 0, 60, True),
        (20, 5, 1, False),  # enough to know before the end
        (19, 19, 1, None),  # too few to know before the end
        (1, 1, 60, False),  # but at the end any alarm counts
        (3, 0, 60, True),  # too few, and the setting says: go on
    ],
)
def test_judgement(invocations: int, errors: int, baked_s: float, is_good: bool | None) -> None:  # noqa: FBT001 - the expected value
    """By time, number and alarm."""
    new = Readings(invocations=invocations, errors_5xx=errors)
    assert judge_canary(ROLLOUT, CANARY, new, GOOD, baked_s=baked_s).is_good is is_good


def test_too_few_invocations_can_be_a_reason_to_roll_back() -> None:
    """And they are named either way."""
    strict = replace(ROLLOUT, too_few="roll back")
    judgement = judge_canary(strict, CANARY, Readings(), GOOD, baked_s=60)
    assert judgement.is_good is False
    assert "had only 0 invocations, minimum_invocations is 20" in judgement.text


def test_a_canary_without_weight_is_refused() -> None:
    """Somebody has taken its traffic by hand: that is a word."""
    muted = replace(CANARY, weight=0.0)
    assert judge_canary(ROLLOUT, muted, GOOD, GOOD, baked_s=1).is_good is False


def test_points_of_several_variants_make_one_reading() -> None:
    """Sums add up, the mean is weighted, and of percentiles the worst counts."""
    one = {
        "invocations": [30.0],
        "errors_4xx": [1.0],
        "errors_5xx": [2.0],
        "latency_sum": [30_000.0],
        "latency_count": [30.0],
        "latency_p99": [2000.0],
    }
    two = {**one, "latency_sum": [90_000.0], "latency_p99": [9000.0]}
    none: dict[str, list[float]] = {name: [] for name in one}
    assert reading([one, two]) == Readings(
        invocations=60, errors_4xx=2, errors_5xx=4, latency_mean_ms=2.0, latency_p99_ms=9.0
    )
    assert reading([none]) == Readings()


@pytest.mark.parametrize("wrong", [{"canary_share": 1.0}, {"canary_share": -0.1}, {"bake_s": -1}])
def test_a_rollout_that_is_none_is_refused(cycle: Cycle, wrong: dict[str, Any]) -> None:
    """When the cycle is read, with all else that is wrong with it, and not when it deploys."""
    with pytest.raises(ValueError, match="=".join(f"{part}" for part in next(iter(wrong.items())))):
        replace(cycle, rollout=Rollout(**wrong))
