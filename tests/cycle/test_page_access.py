"""For who cannot see the page, or not well, or has no mouse: names and roles, contrasts, keys.

In a real browser and a real Airflow, on the flights cycle, at the widths and in the themes that people have.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cycle.conftest import Stack, Visit

pytestmark = [pytest.mark.airflow, pytest.mark.long, pytest.mark.timeout(1500)]

CYCLE = "/flywheel/cycles/flights"
READY = "main[data-state=ready]"
#: every text whose contrast with what is behind it is under WCAG's 4.5 (3 for large type), and their count
CONTRASTS = Path(__file__).with_name("contrasts.js").read_text(encoding="utf-8")
#: a line of Chromium's accessibility tree, as Playwright writes it, of something to act on that has no name
NAMELESS = re.compile(
    r"^\s*- (button|link|combobox|textbox|checkbox|img|region|table|dialog)(:|$| \[)", re.MULTILINE
)
#: what has the focus, and whether the user sees that it has
FOCUSED = """() => {
    const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
    const isSeen = style.outlineStyle !== 'none' && box.width > 0;
    return [e.tagName, e.id || e.textContent.trim().slice(0, 60), isSeen];
}"""


@pytest.fixture(scope="module", autouse=True)
def has_run(stack: Stack) -> None:
    """Run the flights cycle once."""
    done = stack("run", "--exit-when-done")
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


@pytest.mark.parametrize(("width", "theme"), [(400, "dark"), (400, "light"), (1000, "light"), (1600, "dark")])
def test_it_fits_and_can_be_read(visit: Visit, width: int, theme: str) -> None:
    """Nothing is wider than the window, the page is dark where Airflow is, all of it has enough contrast."""
    page = visit.open(f"/plugin/flywheel{CYCLE}", width=width, kept={"theme": theme})
    cycle = visit.inside(page)
    cycle.locator("#quality canvas").wait_for()
    root = cycle.locator("html")
    assert root.get_attribute("data-theme") == theme
    assert root.evaluate("e => e.scrollWidth <= e.clientWidth")
    cycle.locator("#runs button[aria-expanded=false]").first.click()
    cycle.get_by_text("jobs reused").wait_for()
    told = root.evaluate(CONTRASTS)
    assert told["bad"] == []
    assert told["texts"] > 100
    assert root.evaluate("e => e.scrollWidth <= e.clientWidth")
    visit.keep(page, f"cycle-{width}-{theme}")
    cycle.locator("tr:not([hidden]) .cell[data-level]").last.click()
    cycle.locator("dialog svg.bars").wait_for()
    assert root.evaluate(CONTRASTS)["bad"] == []
    assert cycle.locator("dialog").evaluate("e => e.scrollWidth <= e.clientWidth")


@pytest.mark.parametrize("path", ["/flywheel/", CYCLE])
def test_everything_has_a_name_and_a_place(visit: Visit, path: str) -> None:
    """The accessibility tree: one first heading, no level left out, nothing to act on without a name."""
    page = visit.open(path)
    page.locator(READY).wait_for()
    tree = page.locator("body").aria_snapshot()
    assert NAMELESS.findall(tree) == []
    levels = [int(level) for level in re.findall(r"- heading .*\[level=(\d)\]", tree)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert "- main" in tree


def test_each_chart_has_its_numbers(visit: Visit) -> None:
    """What is drawn is said in words, and stands in a table beside it."""
    page = visit.open(CYCLE)
    page.locator(READY).wait_for()
    for chart in page.locator("[role=img]").all():
        assert "table below has" in (chart.get_attribute("aria-label") or "")
        panel = chart.locator("xpath=ancestor::*[self::figure or self::section][1]")
        panel.locator("summary").last.click()
        assert panel.locator("details[open] tbody tr").count() > 0


def test_a_line_is_hidden_and_shown_again(visit: Visit) -> None:
    """The key's buttons say what they do, and the picture follows."""
    page = visit.open(CYCLE)
    page.locator(READY).wait_for()
    picture = "document.querySelector('#quality canvas').toDataURL()"
    before = page.evaluate(picture)
    key = page.locator(".line-key", has_text="its own evaluation")
    key.press("Enter")
    assert key.get_attribute("aria-pressed") == "false"
    assert page.evaluate(picture) != before
    key.press("Enter")
    assert key.get_attribute("aria-pressed") == "true"
    assert page.evaluate(picture) == before


def test_the_keyboard_goes_everywhere_and_out_again(visit: Visit) -> None:
    """Tab comes by everything once, always seen, and leaves the page at its end: it is trapped nowhere."""
    page = visit.open(CYCLE)
    page.locator(READY).wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED)[1] == "Skip to the content"
    seen = []
    while (now := page.evaluate(FOCUSED))[0] != "BODY":
        seen.append(now)
        assert len(seen) < 500, f"The keyboard is trapped: {seen[-5:]}"
        page.keyboard.press("Tab")
    assert [each for each in seen if not each[2]] == []
    names = " ".join(each[1] for each in seen)
    for name in ("Train ...", "Read again", "All numbers", "Show all", "0.", "training", "report"):
        assert name in names


def test_the_map_is_walked_by_arrow_keys(visit: Visit) -> None:
    """One stop of the Tab key; arrows go from cell to cell, Enter opens the window at that feature."""
    page = visit.open(CYCLE)
    page.locator(".heat [tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    cell = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert re.match(r"\w+, 2013-\d\d-01 . 2013-\d\d-01: distance 0\.\d{4}", cell)
    page.keyboard.press("Enter")
    page.locator("dialog svg.bars").wait_for()
    assert page.locator("#feature").input_value() == cell.split(",")[0]
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == cell


@pytest.mark.parametrize("action", ["train", "score", "roll_back"])
def test_a_form_takes_the_focus_and_gives_it_back(visit: Visit, action: str) -> None:
    """By keyboard alone: the form opens with its name, holds the focus, and Escape returns to its button."""
    page = visit.open(CYCLE)
    page.locator(f"[data-action={action}]").focus()
    page.keyboard.press("Enter")
    form = page.get_by_role("dialog")
    assert "flights" in form.aria_snapshot().splitlines()[0]
    assert NAMELESS.findall(form.aria_snapshot()) == []
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.action") == action


def test_a_report_opens_in_a_frame_that_escape_closes(visit: Visit) -> None:
    """The evaluation of the champion, over the page; the focus comes back to its link."""
    page = visit.open(CYCLE)
    page.get_by_role("link", name="Evaluation, evaluation of the champion").focus()
    page.keyboard.press("Enter")
    page.frame_locator("dialog iframe").get_by_role("heading").first.wait_for()
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="detached")
    assert page.evaluate("document.activeElement.textContent") == "Evaluation"
