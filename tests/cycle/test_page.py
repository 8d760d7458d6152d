"""The page in a real browser, inside a real Airflow, on a real cycle: looked at, clicked through, refused.

Needs a Chromium: the system's, driven by Playwright. `FLYWHEEL_SCREENSHOTS=DIR` keeps the pictures.
"""

from __future__ import annotations

import json
import os
import re
import signal
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from include.cli.airflow_api import AirflowApi
from include.cli.home import Home
from include.core.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from tests.cycle.conftest import Stack, Visit

pytestmark = [pytest.mark.airflow, pytest.mark.long, pytest.mark.timeout(1500)]

CYCLE = "/flywheel/cycles/digits"
READY = "main[data-state=ready]"
#: sends what a button of the page sends; the answer's status
SEND = """([path, body]) => fetch('/api/v2' + path, {
    method: 'POST', headers: {'Content-Type': 'application/json'}, body: body
}).then(answer => answer.status)"""


@pytest.fixture(scope="module", autouse=True)
def replayed(stack: Stack) -> str:
    """A stack where the digits cycle was trained for two months and watched for one."""
    done = stack("replay", "--cycle", "digits", "--intervals", "2")
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    told: str = done.stdout
    return told


def test_the_navigation_leads_to_a_card_for_each_cycle(visit: Visit) -> None:
    """One click in Airflow's own navigation; the card tells what the ledger says, each number leads on."""
    page = visit.open("/")
    page.get_by_role("link", name="Flywheel").or_(page.get_by_role("button", name="Flywheel")).first.click()
    cards = visit.inside(page)
    card = cards.locator("[data-cycle=digits]")
    assert re.fullmatch(r"digits/\d", card.locator(".champion").inner_text())
    assert "2013-" in card.inner_text()
    assert "in service" in card.inner_text()
    assert "No model has been trained yet" in cards.locator("[data-cycle=flights]").inner_text()
    numbers = card.locator("dd", has_text=re.compile(r"\d"))
    assert numbers.count() > 5
    assert numbers.count() == numbers.filter(has=cards.locator("a, button")).count()
    visit.keep(page, "overview")


def test_a_cycle_is_clicked_through(visit: Visit) -> None:
    """From the card to the cycle, a window, its report, a run's steps, and out to the run's own page."""
    page = visit.open("/plugin/flywheel")
    visit.inside(page).get_by_role("link", name="digits", exact=True).click()
    cycle = page.frame_locator("iframe").first
    cycle.locator("#quality canvas").wait_for()
    assert page.url.endswith(CYCLE)
    visit.keep(page, "cycle")
    cycle.locator("#windows button.link").first.click()
    cycle.locator("dialog svg.bars").wait_for()
    visit.keep(page, "window")
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


def test_an_address_opens_a_window_and_points_at_a_version(visit: Visit) -> None:
    """What links of Airflow's pages lead to: also where Airflow keeps the end of the address for itself."""
    window = visit.open(f"/plugin/flywheel{CYCLE}#window=2013-02-01_2013-03-01")
    heading = visit.inside(window).locator("dialog h2")
    assert heading.inner_text() == "digits: window 2013-02-01 \N{EN DASH} 2013-03-01"
    never = visit.open(f"{CYCLE}#window=2014-02-01_2014-03-01")
    never.locator("dialog [role=alert]", has_text="Not monitored yet").wait_for()
    visit.forgive("404")
    version = visit.open(f"{CYCLE}#version=1")
    version.locator("tr.aimed[data-entry=promotion]", has_text="digits/1").wait_for()


def test_the_endpoints_minutes_add_up(visit: Visit) -> None:
    """The bars' table has an hour of minutes, and as many requests as the variants had."""
    page = visit.open(CYCLE)
    page.locator(READY).wait_for()
    page.locator("#endpoint summary").click()
    cells = page.locator("#endpoint details td").all_inner_texts()
    asked = page.locator("#endpoint td[data-label=Requests]").all_inner_texts()
    assert len(cells) == 60
    assert sum(map(int, asked)) == sum(map(int, cells)) > 0
    assert page.locator("#traffic svg.bars").count() == 2


def test_times_are_in_the_users_zone(visit: Visit) -> None:
    """The browser's, or the one chosen in Airflow; both name the same moment."""
    tokyo = visit.open(CYCLE, timezone_id="America/New_York", kept={"timezone": json.dumps("Asia/Tokyo")})
    new_york = visit.open(CYCLE, timezone_id="America/New_York")
    for page, zone in ((tokyo, "Asia/Tokyo"), (new_york, "America/New_York")):
        page.locator(READY).wait_for()
        told = page.request.get(f"{visit.url}/flywheel/api/cycles/digits").json()
        entry = told["parts"]["ledger"]["value"]["entries"][0]
        when = datetime.fromisoformat(entry["at"]).astimezone(ZoneInfo(zone))
        row = page.locator(f"#ledger tr[data-number='{entry['number']}']")
        assert f"{when:%Y-%m-%d %H:%M}" in row.locator("[data-label=When]").inner_text()
        assert row.locator("[data-label='Data to']").inner_text() == entry["data_end"][:10]


def test_whoever_may_only_look_can_only_look(visit: Visit, api: AirflowApi) -> None:
    """Buttons are off and say why; and Airflow refuses the request that they would send."""
    page = visit.open(CYCLE, role="viewer")
    page.locator(READY).wait_for()
    states = page.locator("[data-action]").evaluate_all(
        "all => all.map(e => [e.disabled, e.title.slice(0, 13)])"
    )
    assert states == [[True, "Your role may"]] * 3
    assert "Airflow does not let your role" in page.locator("[data-refused]").inner_text()
    before = len(api.runs("digits_train_and_deploy"))
    for of in ("train_and_deploy", "score_and_monitor", "roll_back"):
        path = f"/dags/digits_{of}/dagRuns"
        assert page.evaluate(SEND, [path, json.dumps({"logical_date": None})]) == 403
    assert len(api.runs("digits_train_and_deploy")) == before
    visit.forgive("403")
    visit.keep(page, "viewer")


def test_a_right_that_was_lost_meanwhile_is_told(visit: Visit) -> None:
    """The page was drawn for somebody who may act; the refusal comes when they do, and the form shows it."""
    page = visit.open(CYCLE)
    page.locator("[data-action=score]:enabled").click()
    visit.sign_in(page.context, "viewer")
    page.locator("dialog").get_by_role("button", name="Score").click()
    page.locator("dialog [role=alert]", has_text="may not do this").wait_for()
    visit.forgive("403")


def test_the_tabs_of_airflows_own_pages(visit: Visit, api: AirflowApi) -> None:
    """A DAG's, a run's and a task's page show what Flywheel knows of them."""
    run = next(r for r in api.runs("digits_train_and_deploy") if r["state"] == "success")["dag_run_id"]
    base = "/dags/digits_train_and_deploy"
    dag = visit.open(f"{base}/plugin/flywheel-dag")
    visit.inside(dag).locator("#quality").wait_for()
    told = visit.inside(visit.open(f"{base}/runs/{run}/plugin/flywheel-run"))
    assert "jobs reused" in told.locator("#steps").inner_text()
    task = visit.inside(visit.open(f"{base}/runs/{run}/tasks/evaluate/plugin/flywheel-task"))
    assert "evaluation" in task.frame_locator("iframe").get_by_role("heading").first.inner_text()


def test_a_tasks_tab_shows_the_profile_of_its_output(visit: Visit, api: AirflowApi) -> None:
    """Every column with its distribution, in a frame that runs no script and loads nothing."""
    run = next(r for r in api.runs("digits_train_and_deploy") if r["state"] == "success")["dag_run_id"]
    page = visit.open(f"/dags/digits_train_and_deploy/runs/{run}/tasks/clean/plugin/flywheel-task")
    task = visit.inside(page)
    shown = task.locator("iframe.report")
    assert shown.get_attribute("sandbox") == "allow-same-origin"
    profile = task.frame_locator("iframe.report")
    profile.get_by_role("heading", name="pixel_0_1").wait_for()
    visit.keep(page, "profile")
    answer = page.request.get(f"{visit.url}{shown.get_attribute('src')}")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "sandbox allow-same-origin" in policy


def test_without_a_session_there_is_nothing(visit: Visit) -> None:
    """The addresses that the page asks, asked by nobody, are refused."""
    page = visit.open("/flywheel/static/icon.svg")
    page.context.clear_cookies()
    assert page.request.get(page.url.replace("static/icon.svg", "api/cycles")).status == 401


def test_loading_a_lost_line_and_a_session_that_is_over(visit: Visit) -> None:
    """Each says what it is; what was shown stays, and is called old."""
    page = visit.open("")
    held: list[Route] = []
    page.route("**/flywheel/api/**", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks its handlers, a method takes no mark
    page.goto(f"{visit.url}{CYCLE}")
    page.locator("main [role=status]", has_text="Loading").wait_for()
    visit.keep(page, "loading")
    for each in held:
        each.continue_()
    page.unroute("**/flywheel/api/**")
    page.locator(READY).wait_for()
    page.context.set_offline(True)
    page.get_by_role("button", name="Read again").click()
    page.get_by_role("alert").filter(has_text="Airflow does not answer").wait_for()
    assert page.locator("#quality").is_visible()
    visit.keep(page, "offline")
    page.context.set_offline(False)
    page.context.clear_cookies()
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("alert").filter(has_text="Your session is over").wait_for()
    visit.forgive("ERR_INTERNET_DISCONNECTED")
    visit.forgive("401")
    nowhere = visit.open("/flywheel/cycles/nothing")
    nowhere.locator("main[data-state=failed]").get_by_role("alert").filter(has_text="no cycle").wait_for()
    nowhere.wait_for_load_state("networkidle")
    visit.forgive("404")


def test_a_service_that_is_down_leaves_what_was_read(visit: Visit, settings: Settings, stack: Stack) -> None:
    """The page says once that it is old, of when it is and what to do; and it recovers by itself."""
    page = visit.open(CYCLE)
    page.locator(READY).wait_for()
    told = json.loads((Home(settings).run / "local-sagemaker.json").read_text(encoding="utf-8"))
    os.kill(told["pid"], signal.SIGKILL)
    trouble = page.locator(".trouble", has_text="The service of the connection does not answer")
    trouble.wait_for()
    assert trouble.count() == 1
    assert "digits/1" in page.locator("#ledger").inner_text()
    assert "old Read" in " ".join(page.locator("#ledger .old").inner_text().split())
    visit.keep(page, "stale")
    assert stack("up").returncode == 0
    trouble.wait_for(state="detached")
