"""Presigned URLs: a ticket is exchanged once, a session ends, and nobody else gets access."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from local_sagemaker.engine.notebooks import sessions
from local_sagemaker.engine.notebooks.sessions import COOKIE, TICKET_S
from sagemaker_kit.notebooks import address, create, described, shim, signed_in, wait
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service

NOW = 1_000_000.0


@pytest.fixture(scope="module")
def service(start_shared_service: Callable[..., Service]) -> Service:
    """A service with one instance, `lab`, for all tests of the module."""
    made = start_shared_service()
    create(made, "lab")
    return made


def test_an_address_can_be_used_once(service: Service) -> None:
    """The second request with it is refused; another address works."""
    url = address(service, "lab", SessionExpirationDurationInSeconds=1800)
    first, second = httpx.get(url), httpx.get(url)
    assert (first.status_code, second.status_code) == (302, 403)
    assert "Max-Age=1800; HttpOnly; SameSite=Lax" in first.headers["set-cookie"]
    assert "was used already" in second.text
    assert httpx.get(address(service, "lab")).status_code == 302


def test_there_is_no_access_without_a_session(service: Service) -> None:
    """Neither the page nor its API answers."""
    lab = f"http://{described(service, 'lab')['Url']}/lab"
    page = httpx.get(lab, follow_redirects=True)
    assert (page.status_code, "Signed out" in page.text) == (401, True)
    assert httpx.get(f"{lab.removesuffix('lab')}api/contents").status_code == 403


@pytest.mark.parametrize(("forged", "seconds", "status"), [("", 60, 200), ("", -1, 403), ("x", 60, 403)])
def test_a_session_ends_and_cannot_be_forged(
    service: Service, forged: str, seconds: int, status: int
) -> None:
    """The instance's server checks the seal and the time."""
    (key,) = Path(service.root, "notebooks/lab/starts").glob("*/session.key")
    sealed = sessions.seal_session(forged or key.read_text(), int(time.time()) + seconds)
    contents = f"http://{described(service, 'lab')['Url']}/api/contents"
    assert httpx.get(contents, cookies={COOKIE: sealed}).status_code == status


def test_no_secret_is_where_others_can_read_it(service: Service) -> None:
    """Neither in a command line, nor in a file that others may read."""
    (key,) = Path(service.root, "notebooks/lab/starts").glob("*/session.key")
    assert key.stat().st_mode & 0o077 == 0
    server = psutil.Process(shim(service, "lab"))
    words = [word for process in (server, *server.children(recursive=True)) for word in process.cmdline()]
    assert words
    assert [word for word in words if key.read_text() in word or "token" in word.lower()] == []


def test_an_instance_that_is_stopped_has_no_address(service: Service) -> None:
    """An earlier address is refused, too."""
    create(service, "brief")
    before = address(service, "brief")
    service.sagemaker.stop_notebook_instance(NotebookInstanceName="brief")
    with refused("ValidationException", "notebook-instance/brief", "InService"):
        address(service, "brief")
    wait(service, "stopped", "brief")
    assert httpx.get(before).status_code == 403
    with refused("ValidationException", "RecordNotFound"):
        address(service, "nobody")


def test_an_open_page_works_on(service: Service) -> None:
    """A session permits any number of requests."""
    with signed_in(service, "lab") as (client, lab):
        assert [client.get(lab).status_code for _ in range(2)] == [200, 200]


def test_a_ticket_is_exchanged_once_and_in_time() -> None:
    """Only a digest of it is kept; expired tickets are dropped."""
    ticket, held = sessions.issue_ticket({}, NOW, 1800)
    assert ticket not in str(held)
    assert sessions.redeem_ticket(held, ticket, NOW + TICKET_S - 1) == (1800, {})
    assert sessions.redeem_ticket(held, ticket, NOW + TICKET_S) == (None, {})
    assert sessions.redeem_ticket(held, "another", NOW)[0] is None
    other, later = sessions.issue_ticket(held, NOW + TICKET_S, 1800)
    assert sessions.redeem_ticket(later, other, NOW + TICKET_S) == (1800, {})


@pytest.mark.parametrize("cookie", ["", ".", "12", "12.", "x.y", "\u00e9.\u00e9"])
def test_a_malformed_cookie_is_refused(cookie: str) -> None:
    """It causes no error."""
    assert sessions.is_open("secret", cookie, 0.0) is False
