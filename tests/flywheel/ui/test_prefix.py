"""Where a proxy gives Airflow a path of its own, every address of the page holds, on a real API server."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from flywheel.links import page_url
from include.core.settings import PROJECT, Settings
from tests.flywheel.ui.conftest import Written

pytestmark = [pytest.mark.airflow, pytest.mark.long, pytest.mark.timeout(600)]

#: a path that is not Flywheel's and not Airflow's
ROOT = "/team"
STARTS_S = 240


@pytest.fixture
def airflow(
    installed: Settings,
    token: Callable[[str | None], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[httpx.Client]:
    """A client, signed in, of an API server whose address has a path; its database is this test's own."""
    assert installed.bucket
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    url = f"http://127.0.0.1:{port}{ROOT}"
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", url)
    # as `airflow api-server` runs it, which would want the whole database to be there before
    command = ["-m", "uvicorn", "airflow.api_fastapi.main:app", "--port", str(port)]
    path = {"PYTHONPATH": os.pathsep.join([str(PROJECT), str(PROJECT / "config")])}
    signed_in = {"Authorization": f"Bearer {token('admin')}"}
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, *command],
            env={**os.environ, **path},
            stdout=log,
            stderr=log,
        )
    try:
        with httpx.Client(timeout=60, base_url=f"{url}/", headers=signed_in) as client:
            wait(client, server, tmp_path / "log")
            yield client
    finally:
        server.terminate()
        server.wait(60)


def wait(client: httpx.Client, server: subprocess.Popen[bytes], log: Path) -> None:
    """Until the server answers."""
    end = time.monotonic() + STARTS_S
    while True:
        assert server.poll() is None, log.read_text()[-3000:]
        try:
            client.get("api/v2/version")
        except httpx.TransportError:
            assert time.monotonic() < end, f"The API server did not answer within {STARTS_S} s."
            time.sleep(0.5)
        else:
            return


def views(airflow: httpx.Client) -> list[dict[str, Any]]:
    """What Airflow's pages are told of Flywheel's."""
    plugins = airflow.get("api/v2/plugins").json()["plugins"]
    [found] = [plugin["external_views"] for plugin in plugins if plugin["name"] == "flywheel"]
    return list(found)


def test_every_address_of_the_page_holds_under_a_path(airflow: httpx.Client, written: Written) -> None:
    """What Airflow's navigation, tabs and links name, what the page loads, and what it asks."""
    [base] = re.findall(r'<base href="([^"]+)"', airflow.get("plugin/flywheel").text)
    assert base == f"{ROOT}/"
    named = {
        view[part].replace("{", "").replace("}", "") for view in views(airflow) for part in ("href", "icon")
    }
    frame = page_url("cycles/flights").partition("/plugin/flywheel")[2]
    pages = [airflow.get(urljoin(str(airflow.base_url), name)) for name in [*sorted(named), frame]]
    assert [answer.status_code for answer in pages] == [200] * len(pages)
    shown = [answer.text for answer in pages if answer.headers["content-type"].startswith("text/html")]
    assert len(shown) == len(pages) - 1
    assert all(f'data-root="{ROOT}/flywheel"' in text for text in shown)
    loaded = sorted(set(re.findall(r'(?:src|href)="(/[^"]+)"', "".join(shown))))
    assert len(loaded) > 3
    assert [airflow.get(urljoin(str(airflow.base_url), each)).status_code for each in loaded] == [200] * len(
        loaded
    )
    cycle = airflow.get("flywheel/api/cycles/flights").json()
    assert cycle["parts"]["ledger"]["value"]["total"] == 2
    assert written.bucket
