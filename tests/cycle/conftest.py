"""An installation of its own for each module of tests that starts a real Airflow, and a browser for it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from include.cli.airflow_api import AirflowApi, airflow_of
from include.cli.environment import airflow_url, stack_environment
from include.cli.home import ADMIN, Home
from include.core.settings import PROJECT, Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, FrameLocator, Page

Stack = Callable[..., "subprocess.CompletedProcess[str]"]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WAIT_MS = 120_000
#: prints a token of a user who may look and nothing else, signed by the Airflow whose environment it runs in
VIEWER = """
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
print(create_auth_manager().generate_jwt(SimpleAuthManagerUser(username="viewer", role="viewer")))
"""
#: what Chromium says of every page of a plugin, since Airflow gives its frame both
SANDBOX = "allow-scripts and allow-same-origin"


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    """An installation of its own, on ports nobody has.

    Not below pytest's own directory: pytest closes that to other users, and PostgreSQL started by root runs
    as one.
    """
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        ports = one.getsockname()[1], other.getsockname()[1]
    home = Path(tempfile.mkdtemp(prefix="flywheel-test-"))
    yield Settings(home=home, airflow_port=ports[0], sagemaker_port=ports[1], poll_interval_s=0.5)
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def stack(settings: Settings) -> Iterator[Stack]:
    """The command `python -m include.cli`; in the end everything it started is down."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment = {
        **inherited,
        "FLYWHEEL_HOME": str(settings.home),
        "FLYWHEEL_AIRFLOW_PORT": str(settings.airflow_port),
        "FLYWHEEL_SAGEMAKER_PORT": str(settings.sagemaker_port),
        "FLYWHEEL_POLL_INTERVAL_S": str(settings.poll_interval_s),
    }

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "include.cli", *arguments],
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    yield call
    call("down")


@pytest.fixture(scope="module")
def api(settings: Settings, stack: Stack) -> Iterator[AirflowApi]:
    """Airflow's API, of a stack that something else has started."""
    assert callable(stack)
    with airflow_of(settings) as made:
        yield made


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of a module; skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is in requirements-dev.txt")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with playwright.sync_playwright() as running:
        # where root runs it, as in a container, Chromium has no sandbox of its own
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """Opens pages of an Airflow, and notes what was wrong in the console."""

    def __init__(self, chromium: Browser, settings: Settings, tokens: dict[str, str]) -> None:
        self.url = airflow_url(settings)
        self.wrong: list[str] = []
        self._chromium, self._settings, self._tokens = chromium, settings, tokens
        self._contexts: list[BrowserContext] = []

    def token(self, role: str) -> str:
        """A session of the administrator, or of a viewer; made once for a module."""
        if role not in self._tokens:
            self._tokens[role] = self._viewer() if role == "viewer" else self._admin()
        return self._tokens[role]

    def _admin(self) -> str:
        login = {"username": ADMIN, "password": Home(self._settings).secrets().password}
        token: str = (
            httpx.post(f"{self.url}/auth/token", json=login).raise_for_status().json()["access_token"]
        )
        return token

    def _viewer(self) -> str:
        told = subprocess.run(
            [sys.executable, "-c", VIEWER],
            env=stack_environment(self._settings),
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        )
        return told.stdout.split()[-1]

    def open(
        self,
        path: str,
        *,
        role: str = "admin",
        width: int = 1400,
        kept: dict[str, str] | None = None,
        **more: Any,  # noqa: ANN401 - any setting of a browser's context
    ) -> Page:
        """A page of Airflow; `kept` is what the browser has kept of the user's choices in Airflow."""
        context = self._chromium.new_context(viewport={"width": width, "height": 1000}, **more)
        self._contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        self.sign_in(context, role)
        for name, value in ({"theme": "light"} | (kept or {})).items():
            context.add_init_script(f"localStorage.setItem('{name}', '{value}')")
        page = context.new_page()
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        if path:
            page.goto(f"{self.url}{path}")
        return page

    def sign_in(self, context: BrowserContext, role: str) -> None:
        """Make a browser's session that of somebody else."""
        context.add_cookies([{"name": "_token", "value": self.token(role), "url": self.url}])

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and SANDBOX not in message.text:
            self.wrong.append(message.text)

    def inside(self, page: Page) -> FrameLocator:
        """Flywheel's page inside Airflow's, when it has something to show."""
        inside = page.frame_locator("iframe").first
        inside.locator("main[data-state=ready]").wait_for()
        return inside

    def keep(self, page: Page, name: str) -> None:
        """Keep a picture, if `FLYWHEEL_SCREENSHOTS` names a folder for them."""
        if folder := os.environ.get("FLYWHEEL_SCREENSHOTS"):
            page.wait_for_timeout(1000)  # the last frame of what was drawn
            page.screenshot(path=Path(folder) / f"{name}.png")

    def forgive(self, text: str) -> None:
        """Expect of the console what the browser itself says of a refused request."""
        assert any(text in each for each in self.wrong)
        self.wrong[:] = [each for each in self.wrong if text not in each]

    def close(self) -> None:
        """Leave all pages."""
        for context in self._contexts:
            context.close()


@pytest.fixture(scope="module")
def tokens() -> dict[str, str]:
    """Sessions by role, made when first asked for."""
    return {}


@pytest.fixture
def visit(chromium: Browser, settings: Settings, tokens: dict[str, str]) -> Iterator[Visit]:
    """Pages of the module's Airflow; afterwards there must have been nothing wrong in the console."""
    made = Visit(chromium, settings, tokens)
    yield made
    made.close()
    assert made.wrong == []
