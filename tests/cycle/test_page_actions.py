"""What the page does, pressed in a real browser inside a real Airflow: from an empty project to a rollback.

Each test goes on from where the one before came to, as people do; the first meets a project without any run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from include.cli.airflow_api import AirflowApi
from include.cli.home import ADMIN
from tests.examples import not_none

if TYPE_CHECKING:
    from playwright.sync_api import FrameLocator, Locator

    from tests.cycle.conftest import Stack, Visit

pytestmark = [pytest.mark.airflow, pytest.mark.long, pytest.mark.timeout(2400)]

CYCLE = "/plugin/flywheel/flywheel/cycles/digits"
TRAIN, SCORE, BACK = (f"digits_{of}" for of in ("train_and_deploy", "score_and_monitor", "roll_back"))
ENDED = {"success", "failed"}
#: a run on a busy machine, in milliseconds
RUN_MS = 900_000


@pytest.fixture(scope="module", autouse=True)
def fresh(stack: Stack) -> None:
    """A stack that nobody has used yet."""
    done = stack("up")
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def press(cycle: FrameLocator, action: str, name: str, fill: Callable[[Locator], None]) -> str:
    """Open a form, fill it in and send it; the run that the page says it has started."""
    cycle.locator(f"[data-action={action}]").click()
    form = cycle.locator("dialog form")
    fill(form)
    said = cycle.locator("#said a")
    before = said.count()
    form.get_by_role("button", name=name, exact=True).click()
    said.nth(before).wait_for()
    return str(said.nth(before).inner_text())


def train(cycle: FrameLocator, *, approval: bool) -> str:
    """Train January once more, asking or not."""

    def fill(form: Locator) -> None:
        form.locator("[name=interval_start]").fill("2013-01-01")
        form.locator("[name=force]").check()
        if approval:
            form.locator("[name=approval]").check()

    return press(cycle, "train", "Train", fill)


def shown(cycle: FrameLocator, run: str, state: str) -> None:
    """Wait until the page, without being asked again, tells how a run ended."""
    cycle.locator(f"#runs tr[data-run='{run}'][data-state={state}]").wait_for(timeout=RUN_MS)


def answer(cycle: FrameLocator, option: str, reason: str) -> None:
    """Wait for the question and answer it."""
    cycle.locator(f"[data-answer={option}]").wait_for(timeout=RUN_MS)
    cycle.get_by_label("Reason").fill(reason)
    cycle.locator(f"[data-answer={option}]").click()
    cycle.get_by_text("your answer was taken").last.wait_for()
    cycle.locator(f"[data-answer={option}]").wait_for(state="detached")


def test_an_empty_project_says_what_comes_first(visit: Visit) -> None:
    """No error and no empty frame: each part says what will be there, and what brings it."""
    page = visit.open("/plugin/flywheel")
    cards = visit.inside(page)
    assert cards.locator("[data-cycle]").count() == 2
    assert cards.locator(".trouble, .problem").count() == 0
    assert "No model has been trained yet" in cards.locator("[data-cycle=digits]").inner_text()
    visit.keep(page, "empty-overview")
    cycle = visit.inside(visit.open(CYCLE))
    assert cycle.locator(".trouble, .problem").count() == 0
    for panel in ("quality", "drift", "traffic", "windows", "ledger", "runs", "endpoint"):
        assert "yet" in cycle.locator(f"#{panel}").inner_text()
    assert cycle.locator("[data-action=roll_back]").is_disabled()
    assert "nothing to go back from" in not_none(
        cycle.locator("[data-action=roll_back]").get_attribute("title")
    )


def test_a_training_is_started_and_rejected(visit: Visit, api: AirflowApi) -> None:
    """The run arrives, waits for a person with its evidence, is rejected: nothing goes into production."""
    page = visit.open(CYCLE)
    cycle = visit.inside(page)
    run = train(cycle, approval=True)
    cycle.locator(f"#runs tr[data-run='{run}']").wait_for()
    told = api.run(TRAIN, run)
    assert told is not None
    assert told["conf"] == {"interval_start": "2013-01-01", "approval": True, "deploy": True, "force": True}
    assert told["triggering_user_name"] == ADMIN
    cycle.locator("[data-answer=Reject]").wait_for(timeout=RUN_MS)
    assert cycle.locator(".panel.waiting table").count() > 0
    visit.keep(page, "approval")
    waiting = visit.inside(visit.open("/plugin/flywheel")).locator("[data-cycle=digits] .waiting")
    assert "waits for approval" in waiting.inner_text()
    answer(cycle, "Reject", "not this one")
    shown(cycle, run, "success")
    line = cycle.locator("#ledger tr[data-entry=rejection]")
    line.wait_for()
    assert "not this one" in not_none(line.locator(".reasons").text_content())
    assert "Nothing is in production" in cycle.locator("header.top").inner_text()


def test_a_training_is_started_and_approved(visit: Visit, api: AirflowApi) -> None:
    """The version is promoted, served, and the page shows it as the champion, by itself."""
    cycle = visit.inside(visit.open(CYCLE))
    run = train(cycle, approval=True)
    answer(cycle, "Approve", "it was looked at")
    shown(cycle, run, "success")
    assert api.step_result(TRAIN, run, "approve")["approval"] == [f"Approved by {ADMIN}: it was looked at."]
    cycle.locator("#ledger tr[data-entry=promotion].current").wait_for()
    cycle.locator("header.top .champion", has_text="digits/").wait_for()
    cycle.locator("#endpoint", has_text="InService").wait_for()


def test_a_window_is_scored(visit: Visit, api: AirflowApi) -> None:
    """The window arrives on the page with its report, and its run's steps can be looked at."""
    cycle = visit.inside(visit.open(CYCLE))
    run = press(
        cycle, "score", "Score", lambda form: form.locator("[name=interval_start]").fill("2013-02-01")
    )
    told = api.run(SCORE, run)
    assert told is not None
    assert told["conf"] == {"interval_start": "2013-02-01", "force": False}
    shown(cycle, run, "success")
    line = cycle.locator("#windows tr", has_text="2013-02-01 \N{EN DASH} 2013-03-01")
    line.wait_for()
    line.get_by_role("link", name="report").wait_for()
    assert run in unquote(not_none(line.get_by_role("link", name="run").get_attribute("href")))


def test_production_goes_back(visit: Visit, api: AirflowApi) -> None:
    """After one more promotion the last good version is in production again; the ledger says why."""
    cycle = visit.inside(visit.open(CYCLE))
    first = cycle.locator("header.top .champion").inner_text()
    shown(cycle, train(cycle, approval=False), "success")
    cycle.locator("header.top .champion").filter(has_not_text=first).wait_for()
    back = press(
        cycle,
        "roll_back",
        "Roll back",
        lambda form: form.locator("[name=reason]").fill("a test of going back"),
    )
    told = api.run(BACK, back)
    assert told is not None
    assert told["conf"] == {"to_version": None, "reason": "a test of going back"}
    shown(cycle, back, "success")
    cycle.locator("header.top .champion", has_text=first).wait_for()
    reasons = cycle.locator("#ledger tr[data-entry=rollback] .reasons")
    assert "a test of going back" in not_none(reasons.text_content())


def test_a_rollback_that_has_nowhere_to_go_fails_and_is_shown(visit: Visit, api: AirflowApi) -> None:
    """Airflow's verdict is the page's: the run is red, and nothing has changed in production."""
    cycle = visit.inside(visit.open(CYCLE))
    champion = cycle.locator("header.top .champion").inner_text()
    back = press(
        cycle, "roll_back", "Roll back", lambda form: form.locator("[name=reason]").fill("once too often")
    )
    shown(cycle, back, "failed")
    end = time.monotonic() + RUN_MS / 1000
    while not_none(api.run(BACK, back))["state"] not in ENDED:
        assert time.monotonic() < end, "It did not end in time"
        time.sleep(0.5)
    assert cycle.locator("header.top .champion").inner_text() == champion
