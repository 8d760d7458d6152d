"""The page in a real browser, inside a real Airflow, on a real cycle: looked at, clicked through, acted on.

Needs a Chromium: the system's, driven by Playwright. `FLYWHEEL_SCREENSHOTS=DIR` keeps the pictures.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from include.settings import PROJECT, Settings
from include.stack.airflow_api import AirflowApi
from include.stack.environment import stack_environment
from include.stack.home import ADMIN, home_of, installation_secrets
from include.stack.urls import airflow_url

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is in requirements-dev.txt")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.airflow,
    pytest.mark.long,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium"),
]

WAIT_MS = 120_000
#: prints a token of a user who may look and nothing else, signed by the Airflow whose environment it runs in
VIEWER = """
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
print(create_auth_manager().generate_jwt(SimpleAuthManagerUser(username="viewer", role="viewer")))
"""
#: sends what a button of the page sends; the answer's status
SEND = """([path, body]) => fetch('/api/v2' + path, {
    method: 'POST', headers: {'Content-Type': 'application/json'}, body: body
}).then(answer => answer.status)"""
#: what Chromium says of every page of a plugin, since Airflow gives its frame both
SANDBOX = "allow-scripts and allow-same-origin"

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def api(stack: Any, settings: Settings) -> Iterator[AirflowApi]:  # noqa: ANN401 - the command of conftest.py
    """A stack where the digits cycle was trained for two months and watched for one."""
    done = stack("replay", "--cycle", "digits", "--intervals", "2")
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    made = AirflowApi(airflow_url(settings), ADMIN, installation_secrets(home_of(settings)).password)
    yield made
    made.close()


@pytest.fixture(scope="module")
def tokens(api: AirflowApi, settings: Settings) -> dict[str, str]:
    """A session of the administrator, and one of somebody who may only look."""
    assert api.dag("digits_train_and_deploy")
    told = subprocess.run(
        [sys.executable, "-c", VIEWER],
        env=stack_environment(settings),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    admin = api._client.headers["Authorization"].removeprefix("Bearer ")
    return {"admin": admin, "viewer": told.stdout.split()[-1]}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for all tests."""
    with playwright.sync_playwright() as running:
        # where root runs it, as in a container, Chromium has no sandbox of its own
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(
    chromium: Any,  # noqa: ANN401 - Playwright's own
    tokens: dict[str, str],
    settings: Settings,
) -> Iterator[Open]:
    """Opens an address of Airflow; afterwards there must have been nothing wrong in the console."""
    wrong: list[str] = []
    contexts = []

    def note(message: Any) -> None:  # noqa: ANN401 - Playwright's own
        if message.type in {"error", "warning"} and SANDBOX not in message.text:
            wrong.append(message.text)

    def make(path: str, *, role: str = "admin", width: int = 1400, theme: str = "light") -> Any:  # noqa: ANN401 - as above
        context = chromium.new_context(viewport={"width": width, "height": 1000})
        contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        context.add_cookies([{"name": "_token", "value": tokens[role], "url": airflow_url(settings)}])
        context.add_init_script(f"localStorage.setItem('theme', '{theme}')")
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"{airflow_url(settings)}{path}")
        return page

    make.wrong = wrong  # type: ignore[attr-defined] # a test that expects refusals empties it
    yield make
    for context in contexts:
        context.close()
    assert wrong == []


def forgive(open_page: Open, text: str) -> None:
    """Expect of the console what the browser itself says of a refused request."""
    wrong = open_page.wrong  # type: ignore[attr-defined] # see there
    assert any(text in each for each in wrong)
    wrong[:] = [each for each in wrong if text not in each]


def frame(page: Any) -> Any:  # noqa: ANN401 - Playwright's own
    """Flywheel's page inside Airflow's, when it has something to show."""
    inside = page.frame_locator("iframe").first
    inside.locator("main[data-state=ready]").wait_for()
    return inside


def keep(page: Any, name: str) -> None:  # noqa: ANN401 - Playwright's own
    """Keep a picture, if a folder for them is named."""
    if folder := os.environ.get("FLYWHEEL_SCREENSHOTS"):
        page.wait_for_timeout(1000)  # the last frame of what was drawn
        page.screenshot(path=Path(folder) / f"{name}.png")


def until(found: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever is waited for
    """What is true at last."""
    end = time.monotonic() + WAIT_MS / 1000
    while not (value := found()):
        assert time.monotonic() < end, "It did not come in time"
        time.sleep(0.5)
    return value


def test_the_navigation_leads_to_a_card_for_each_cycle(open_page: Open):
    """One click in Airflow's own navigation; the card tells what the ledger says."""
    page = open_page("/")
    page.get_by_role("link", name="Flywheel").or_(page.get_by_role("button", name="Flywheel")).first.click()
    cards = frame(page)
    card = cards.locator("[data-cycle=digits]")
    assert re.fullmatch(r"digits/\d", card.locator(".champion").inner_text())
    assert "2013-" in card.inner_text()
    assert "in service" in card.inner_text()
    assert "No model was trained yet" in cards.locator("[data-cycle=flights]").inner_text()
    keep(page, "overview")


def test_a_cycle_is_clicked_through(open_page: Open):
    """From the card to the cycle, a window, its report, a run's steps, and out to the run's own page."""
    page = open_page("/plugin/flywheel")
    frame(page).get_by_role("link", name="digits", exact=True).click()
    cycle = page.frame_locator("iframe").first
    cycle.locator("#quality canvas").wait_for()
    assert page.url.endswith("/flywheel/cycles/digits")
    keep(page, "cycle")
    cycle.locator("#windows button.link").first.click()
    cycle.locator("dialog svg.bars").wait_for()
    keep(page, "window")
    cycle.locator("dialog").get_by_role("link", name="Report", exact=True).click()
    report = cycle.frame_locator("dialog iframe")
    report.get_by_role("heading").first.wait_for()
    assert "digits" in report.get_by_role("heading").first.inner_text()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    cycle.locator("dialog").first.wait_for(state="detached")
    cycle.locator("#runs button[aria-expanded=false]").first.click()
    cycle.get_by_text("jobs reused").wait_for()
    cycle.locator("#runs tr[data-run] a").first.click()
    page.wait_for_url(re.compile(r"/dags/digits_\w+/runs/"))


@pytest.mark.parametrize(("width", "theme"), [(400, "dark"), (1600, "light")])
def test_it_fits_the_window_and_follows_the_theme(open_page: Open, width: int, theme: str):
    """Nothing is wider than the window, and the page is dark where Airflow is."""
    page = open_page("/plugin/flywheel/flywheel/cycles/digits", width=width, theme=theme)
    cycle = frame(page)
    cycle.locator("#quality canvas").wait_for()
    root = cycle.locator("html")
    assert root.get_attribute("data-theme") == theme
    assert root.evaluate("e => e.scrollWidth <= e.clientWidth")
    keep(page, f"cycle-{width}-{theme}")


def test_everything_is_reached_by_keyboard_and_named(open_page: Open):
    """Tab comes to the first link and to the buttons; no button and no link is without a name."""
    page = open_page("/flywheel/cycles/digits")
    page.locator("main[data-state=ready]").wait_for()
    page.locator("#quality canvas").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.locator("[data-action=train]").focus()
    page.keyboard.press("Enter")
    page.locator("dialog[open]").wait_for()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.action") == "train"
    nameless = (
        "[...document.querySelectorAll('a, button')].filter(e => !(e.ariaLabel || e.textContent.trim()))"
    )
    assert page.evaluate(f"{nameless}.length") == 0


def test_a_training_is_started_approved_and_rolled_back(open_page: Open, api: AirflowApi):
    """The run arrives in Airflow, waits for a person, is answered on the page; then production goes back."""
    page = open_page("/plugin/flywheel/flywheel/cycles/digits")
    cycle = frame(page)
    cycle.locator("[data-action=train]").click()
    form = cycle.locator("dialog form")
    form.locator("[name=interval_start]").fill("2013-01-01")
    form.locator("[name=approval]").check()
    form.locator("[name=force]").check()
    form.get_by_role("button", name="Train").click()
    started = cycle.locator("#said a").first.inner_text()
    cycle.locator(f"#runs tr[data-run='{started}']").wait_for()
    run = api.run("digits_train_and_deploy", started)
    assert run is not None
    assert run["conf"] == {"interval_start": "2013-01-01", "approval": True, "deploy": True, "force": True}
    assert run["triggering_user_name"] == ADMIN

    cycle.locator("[data-answer=Approve]").wait_for(timeout=600_000)
    keep(page, "approval")
    cycle.get_by_label("Reason").fill("it was looked at")
    cycle.locator("[data-answer=Approve]").click()
    cycle.get_by_text("your answer was taken").wait_for()
    until(lambda: (api.run("digits_train_and_deploy", started) or {})["state"] in {"success", "failed"})
    assert api.step_result("digits_train_and_deploy", started, "approve")["approval"] == [
        f"Approved by {ADMIN}: it was looked at."
    ]

    cycle.locator("[data-action=roll_back]").click()
    cycle.locator("dialog [name=reason]").fill("a test of going back")
    cycle.locator("dialog").get_by_role("button", name="Roll back").click()
    back = until(lambda: api.runs("digits_roll_back"))[0]
    assert back["conf"] == {"to_version": None, "reason": "a test of going back"}
    until(lambda: (api.run("digits_roll_back", back["dag_run_id"]) or {})["state"] in {"success", "failed"})
    cycle.locator(f"#runs tr[data-run='{back['dag_run_id']}']").wait_for()


def test_whoever_may_only_look_can_only_look(open_page: Open, api: AirflowApi):
    """Buttons are off and say why; and Airflow refuses the request that they would send."""
    page = open_page("/flywheel/cycles/digits", role="viewer")
    page.locator("main[data-state=ready]").wait_for()
    states = page.locator("[data-action]").evaluate_all("all => all.map(e => e.disabled)")
    assert states == [True, True, True]
    assert "Airflow does not let your role" in page.locator("[data-refused]").inner_text()
    before = len(api.runs("digits_train_and_deploy"))
    path = "/dags/digits_train_and_deploy/dagRuns"
    assert page.evaluate(SEND, [path, json.dumps({"logical_date": None})]) == 403
    assert len(api.runs("digits_train_and_deploy")) == before
    forgive(open_page, "403")
    keep(page, "viewer")


def test_a_right_that_was_lost_meanwhile_is_told(open_page: Open, tokens: dict[str, str], settings: Settings):
    """The page was drawn for somebody who may act; the refusal comes when they do, and the form shows it."""
    page = open_page("/flywheel/cycles/digits")
    page.locator("[data-action=score]:enabled").click()
    page.context.add_cookies([{"name": "_token", "value": tokens["viewer"], "url": airflow_url(settings)}])
    page.locator("dialog").get_by_role("button", name="Score").click()
    page.locator("dialog [role=alert]", has_text="may not do this").wait_for()
    forgive(open_page, "403")


def test_the_tabs_of_airflows_own_pages(open_page: Open, api: AirflowApi):
    """A DAG's, a run's and a task's page show what Flywheel knows of them."""
    run = next(r for r in api.runs("digits_train_and_deploy") if r["state"] == "success")["dag_run_id"]
    base = "/dags/digits_train_and_deploy"
    dag = open_page(f"{base}/plugin/flywheel-dag")
    frame(dag).locator("#quality").wait_for()
    told = frame(open_page(f"{base}/runs/{run}/plugin/flywheel-run"))
    assert "jobs reused" in told.locator("#steps").inner_text()
    task = frame(open_page(f"{base}/runs/{run}/tasks/evaluate/plugin/flywheel-task"))
    assert "evaluation" in task.frame_locator("iframe").get_by_role("heading").first.inner_text()


def test_without_a_session_there_is_nothing(open_page: Open):
    """The addresses that the page asks, asked by nobody, are refused."""
    page = open_page("/flywheel/static/icon.svg")
    page.context.clear_cookies()
    assert page.request.get(page.url.replace("static/icon.svg", "api/cycles")).status == 401
