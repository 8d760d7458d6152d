"""What `make watch` goes through, and how it tells of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from include.cli.driver import CycleRun, cycle_named
from include.cli.terminal import StackError
from include.cli.watch import MonitoredWindow, Retraining, windows_of
from include.core.cycle import find_cycles
from include.core.layout import Interval
from include.core.monitoring import Monitoring

FLIGHTS = find_cycles()["flights"]
QUALITY = {"metric": "roc_auc", "value": 0.65, "low": 0.63, "high": None}


def watched(*, due: bool = False, emitted: bool = False, **given: Any) -> MonitoredWindow:  # noqa: ANN401 - any field
    """A quiet February, unless told otherwise."""
    made = MonitoredWindow(
        window=["2013-02-01T00:00:00+00:00", "2013-03-01T00:00:00+00:00"],
        champion="flights/1",
        quality=QUALITY,
        is_alarm=False,
        why="nothing",
        decision={"due": due, "against": [], "emission": {"is_emitted": emitted, "why": ""}},
        retraining=None,
    )
    return replace(made, **given)


def test_the_windows_are_those_after_the_first_training() -> None:
    """January has no champion; of a finished source all the others are complete."""
    assert [str(window)[:7] for window in windows_of(FLIGHTS)] == [f"2013-{n:02}" for n in range(2, 13)]


def test_a_cycle_with_daily_windows_is_watched_day_by_day() -> None:
    """From the day on that January's model can be used."""
    daily = replace(FLIGHTS, monitoring=Monitoring(schedule="0 0 * * *"))
    found = windows_of(daily)
    assert len(found) == 365 - 31
    assert str(found[0]) == "2013-02-01_2013-02-02"


def test_a_row_tells_of_a_quiet_window() -> None:
    """With the quality as far as it is known."""
    assert watched().row() == [
        "2013-02-01",
        "flights/1",
        "roc_auc 0.6500 [0.6300, ?]",
        "quiet",
        "not due",
        "-",
    ]
    assert watched(quality=None).row()[2] == "-"


@pytest.mark.parametrize("outcome", ["promoted", "refused", "skipped"])
def test_a_row_tells_what_came_of_a_request(outcome: str) -> None:
    """And which version it was."""
    done = Retraining(
        request=1,
        run_id="asset_triggered__1",
        interval=Interval.from_iso(watched().window).iso,
        outcome=outcome,
        version="flights/2",
        reasons=[],
    )
    row = watched(due=True, emitted=True, is_alarm=True, retraining=done).row()
    assert row[3:] == ["ALARM", "asked for", f"{outcome} flights/2"]


def test_what_is_due_and_not_asked_for_is_told_apart() -> None:
    """An older window, or one whose request another run has made."""
    assert watched(due=True).row()[4] == "due, not asked"


def test_a_run_has_the_same_id_every_time() -> None:
    """So that a second call finds it; a run that Airflow made keeps its own."""
    run = CycleRun("flights", "score_and_monitor", "2013-02-01", made_by="watch")
    assert run.run_id == "watch__2013-02-01"
    assert replace(run, given_id="asset_triggered__1").run_id == "asset_triggered__1"


def test_an_unknown_cycle_is_refused_with_those_there_are() -> None:
    """Before anything is started."""
    with pytest.raises(StackError, match=", ".join(find_cycles())):
        cycle_named("trains")
