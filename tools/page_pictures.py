"""Make the pictures of the page in docs/images from the Airflow that runs: `python -m tools.page_pictures`.

It needs a stack with something to see (`make replay`, then `make traffic`), Playwright of
requirements-dev.txt, and the system's Chromium. Files are written in few colours, to be small.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import sync_playwright

from include.cli.environment import airflow_url
from include.cli.home import ADMIN, Home
from include.core.settings import PROJECT, Settings

IMAGES = PROJECT / "docs" / "images"
COLOURS = 192
#: Playwright's own, which is not there in every environment
Page = Any
CYCLE = "/plugin/flywheel/flywheel/cycles/flights"


def _overview(frame: Page) -> None:
    frame.locator("[data-cycle=flights] .champion").wait_for()


def _cycle(frame: Page) -> None:
    frame.locator("#quality canvas").wait_for()


def _window(frame: Page) -> None:
    """Return the newest window, at what has moved most of all that matters."""
    frame.locator(".heat tr:not([hidden]) td:last-child .cell[data-level]").first.wait_for()
    cells = frame.locator(".heat tr:not([hidden]) td:last-child .cell[data-level]").all()
    max(cells, key=lambda cell: int(cell.get_attribute("data-level"))).click()
    frame.locator("dialog svg.bars").wait_for()


#: name, address, width, height, theme, and what is done before the picture is taken
PICTURES: tuple[tuple[str, str, int, int, str, Callable[[Page], None]], ...] = (
    ("overview", "/plugin/flywheel", 1280, 900, "light", _overview),
    ("cycle", CYCLE, 1280, 1500, "light", _cycle),
    ("window", CYCLE, 1280, 1150, "dark", _window),
    ("narrow", CYCLE, 400, 900, "dark", _cycle),
)


def main() -> None:
    """Take all pictures."""
    settings = Settings.from_environment(os.environ)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, path, width, height, theme, prepare in PICTURES:
            context = browser.new_context(viewport={"width": width, "height": height}, timezone_id="UTC")
            context.add_cookies([_session(settings)])
            context.add_init_script(f"localStorage.setItem('theme', '{theme}')")
            page = context.new_page()
            page.goto(airflow_url(settings) + path)
            prepare(page.frame_locator("iframe").first)
            page.wait_for_timeout(1500)  # the last frame of what was drawn
            _write(page.screenshot(), IMAGES / f"page-{name}.png")
            context.close()
        browser.close()


def _session(settings: Settings) -> Page:
    """Return what Airflow's login gives a browser."""
    login = {"username": ADMIN, "password": Home(settings).secrets().password}
    answer = httpx.post(f"{airflow_url(settings)}/auth/token", json=login).raise_for_status()
    token = answer.json()["access_token"]
    return {"name": "_token", "value": token, "url": airflow_url(settings)}


def _write(picture: bytes, path: Path) -> None:
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path)


if __name__ == "__main__":
    main()
