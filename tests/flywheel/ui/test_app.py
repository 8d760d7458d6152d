"""Who gets what of the page: only users, only what they may see, and nothing but the page's own objects."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from flywheel.ui import app
from flywheel.ui.app import STATIC
from include.core.exceptions import InvalidCycle
from tests.examples import month
from tests.flywheel.ui.conftest import KEY, Browser, Written

ADDRESSES = [
    "/flywheel/",
    "/flywheel/cycles/flights",
    "/flywheel/dags/flights_train_and_deploy/runs/one",
    "/flywheel/static/main.js",
    "/flywheel/api/cycles",
    "/flywheel/api/cycles/flights",
    "/flywheel/api/cycles/flights/traffic",
    "/flywheel/api/cycles/flights/outputs?uri=s3://b/flights/k",
    "/flywheel/api/cycles/flights/windows/2013-02-01_2013-03-01",
    "/flywheel/api/dags/flights_train_and_deploy",
    f"/flywheel/cycles/flights/files/evaluate/{month(1)}/{KEY}/report.html",
]
REPORT = f"evaluate/{month(1)}/{KEY}/report.html"


@pytest.mark.parametrize("address", ADDRESSES)
def test_nobody_sees_anything_without_signing_in(browser: Browser, address: str) -> None:
    """Every address asks for a user of Airflow, the page's own files included."""
    assert browser(signed_in=False).get(address).status_code == 401


def test_no_address_is_forgotten_above(browser: Browser) -> None:
    """Every route of the application is among the addresses that are tried."""
    [mount] = browser().app.routes
    patterns = [route.path_regex for route in mount.app.routes]  # type: ignore[attr-defined] # starlette's
    assert [
        p.pattern
        for p in patterns
        if not any(p.match(urlsplit(a).path[len("/flywheel") :]) for a in ADDRESSES)
    ] == []


def test_a_user_without_a_role_sees_no_cycle(browser: Browser, written: Written) -> None:
    """Whoever may not read the DAGs is told only that there is something they may not see."""
    written.put(REPORT, b"<p>secret</p>")
    nobody = browser(None)
    found = nobody.get("/flywheel/api/cycles").json()
    assert (found["cycles"], found["hidden"]) == ([], 2)
    addresses = (
        "/api/cycles/flights",
        "/api/dags/flights_train_and_deploy",
        f"/cycles/flights/files/{REPORT}",
    )
    assert [nobody.get(f"/flywheel{address}").status_code for address in addresses] == [404, 404, 404]


def test_a_broken_cycle_is_named_and_no_more(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with it may quote the description, which Airflow shows to those who may read it."""
    monkeypatch.setattr(app, "broken_cycles", lambda: {"shop": InvalidCycle("shop", ["secret"])})
    answer = browser("viewer").get("/flywheel/api/cycles")
    assert answer.json()["broken"] == ["shop"]
    assert "secret" not in answer.text


@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("user", True), ("admin", True)])
def test_the_buttons_are_those_that_airflow_would_obey(browser: Browser, role: str, *, may: bool) -> None:
    """A viewer looks, a user acts."""
    found = browser(role).get("/flywheel/api/cycles").json()["cycles"][1]
    assert found["name"] == "flights"
    assert found["may"] == dict.fromkeys(("train", "score", "roll_back", "answer"), may)


def test_a_cycle_that_does_not_exist_is_not_found(browser: Browser) -> None:
    """It is refused as one that may not be seen."""
    answer = browser().get("/flywheel/api/cycles/trains")
    assert answer.status_code == 404
    assert "trains" in answer.json()["detail"]


def test_a_report_is_shown_without_any_power(browser: Browser, written: Written) -> None:
    """It comes as it was written, and the browser is told to run and load nothing of it."""
    written.put(REPORT, b"<p>good</p>")
    answer = browser("viewer").get(f"/flywheel/cycles/flights/files/{REPORT}")
    assert answer.content == b"<p>good</p>"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-same-origin" in policy
    assert "script" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_server_tells_where_outputs_are(browser: Browser) -> None:
    """The page's scripts get the place and the pages of each output, in order."""
    uris = [f"s3://flywheel/flights/{REPORT}", "s3://flywheel/flights/ledger/00000001.json", "https://x/y"]
    found = browser().get("/flywheel/api/cycles/flights/outputs", params={"uri": uris}).json()
    assert [each["place"] for each in found] == [f"evaluate/{month(1)}/{KEY}", None, None]
    assert [[name for name, _ in each["pages"]] for each in found] == [
        ["report.html", "model_card.html", "profile.html"],
        [],
        [],
    ]


@pytest.mark.parametrize(
    "path",
    [
        "ledger/00000001.json",
        f"train/{month(1)}/{KEY}/model.tar.gz",
        f"clean/{month(1)}/{KEY}/flights.parquet",
        f"evaluate/{month(1)}/{KEY}/%2e%2e/%2e%2e/%2e%2e/ledger/00000001.json",
        f"evaluate/{month(1)}/{KEY}/..%2f..%2f..%2fledger/00000001.json",
        "../digits/ledger/00000001.json",
        f"report/{month(1)}/{KEY}/report.html",
    ],
)
def test_nothing_but_reports_is_handed_out(browser: Browser, written: Written, path: str) -> None:
    """Objects that are there but no reports, other folders, and reports that are not there are refused."""
    for name in (f"train/{month(1)}/{KEY}/model.tar.gz", f"clean/{month(1)}/{KEY}/flights.parquet"):
        written.put(name, b"bytes")
    assert browser().get(f"/flywheel/cycles/flights/files/{path}").status_code == 404


def test_the_page_allows_only_its_own_files(browser: Browser) -> None:
    """No script or style but from files of its own, no frame of others around it."""
    answer = browser("viewer").get("/flywheel/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy
    assert 'data-root="/flywheel"' in answer.text


@pytest.mark.parametrize("name", ["../app.py", "%2e%2e/app.py", "page.html", "no.js", "vendor/uPlot.LICENSE"])
def test_only_the_pages_own_files_are_handed_out(browser: Browser, name: str) -> None:
    """Scripts, styles and pictures of the folder, and nothing beside it."""
    assert browser().get(f"/flywheel/static/{name}").status_code == 404


def test_everything_that_the_page_loads_is_there(browser: Browser) -> None:
    """What page.html and the modules name is among the files, with the type that browsers ask for."""
    texts = {path: path.read_text() for path in [STATIC / "page.html", *STATIC.glob("*.js")]}
    named = {
        name
        for text in texts.values()
        for name in re.findall(r'{root}/static/([^"]+)|from "\./([^"]+)"', text)
    }
    names = sorted({one or other for one, other in named})
    assert len(names) > 10
    answers = [browser().get(f"/flywheel/static/{name}") for name in names]
    assert [answer.status_code for answer in answers] == [200] * len(names)
    assert {a.headers["content-type"].split(";")[0] for a in answers} == {
        "text/javascript",
        "text/css",
        "image/svg+xml",
    }


def test_nothing_is_loaded_from_elsewhere() -> None:
    """The page works where there is no internet: no file names another host."""
    own = [path for path in STATIC.rglob("*") if path.suffix in {".js", ".css", ".html", ".svg"}]
    foreign = re.compile(r"https?://(?!www\.w3\.org/)[^\s)]+")
    found = {path.name: foreign.findall(path.read_text()) for path in own}
    assert {name: links for name, links in found.items() if links} == {
        "uPlot.iife.min.js": ["https://github.com/leeoniya/uPlot"]
    }
    assert (Path(STATIC) / "vendor/uPlot.LICENSE").read_text().startswith("The MIT License")
