"""A page that a person visits cannot make the service do anything."""

from __future__ import annotations

import http.client
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from sagemaker_kit.service import Service

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
#: a name that Chromium is told to find on this machine, as a page can do with DNS
REBOUND = "rebound.example"
HTML = b"<title>before</title><script>document.title='after'</script>"
BUCKET = "precious"
LINK = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
DELETE = b"<Delete><Object><Key>ledger.json</Key></Object></Delete>"


@pytest.fixture(scope="module")
def sagemaker(start_shared_service: Callable[..., Service]) -> Service:
    """A service that keeps something precious, and something that would run in a browser."""
    service = start_shared_service()
    service.s3.create_bucket(Bucket=BUCKET)
    service.s3.put_object(Bucket=BUCKET, Key="ledger.json", Body=b"{}", ContentType="application/json")
    service.s3.put_object(Bucket=BUCKET, Key="page.html", Body=HTML, ContentType="text/html")
    return service


def ask(
    service: Service, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b""
) -> tuple[int, dict[str, str]]:
    """Return status and headers of the answer to a request with these headers alone."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(service.url).port or 0, timeout=30)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in [*headers, ("content-length", str(len(body)))]:
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *((h, 200) for h in ("127.0.0.1", "localhost:80", "LOCALHOST", "localhost.", "[::1]:1", "127.1.2.3")),
        *((h, 200) for h in ("bucket.localhost", "sagemaker.localhost:4566")),
        *((h, 403) for h in ("rebound.example", "localhost.rebound.example", "127.0.0.1.rebound.example")),
        *(
            (h, 403)
            for h in (
                "",
                "10.0.0.1",
                "192.168.0.1",
                "a@localhost",
                "localhost@a",
                "localhost:x",
                "[::",
                "2130706433",
            )
        ),
    ],
)
def test_a_service_without_keys_answers_to_names_of_this_machine(
    sagemaker: Service, host: str, status: int
) -> None:
    """Whoever lets another name lead here is refused, on the long way and on the short one."""
    assert ask(sagemaker, "GET", "/health", [("host", host)])[0] == status
    invoked = ask(sagemaker, "POST", "/endpoints/none/invocations", [("Host", host)])[0]
    assert invoked == (400 if status == 200 else 403)


@pytest.mark.parametrize("hosts", [[], ["localhost", "localhost"], ["localhost", "rebound.example"]])
def test_a_request_has_one_host(sagemaker: Service, hosts: list[str]) -> None:
    """Without one, or with two, nobody knows for whom a request is."""
    assert ask(sagemaker, "GET", "/health", [("host", host) for host in hosts])[0] == 400
    assert ask(sagemaker, "POST", "/endpoints/none/invocations", [("Host", host) for host in hosts])[0] == 400


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/precious/ledger.json", {"origin": "http://localhost:1"}, 200),
        ("GET", "/precious/ledger.json", {"origin": "http://localhost:2"}, 403),
        ("GET", "/precious/ledger.json", {"origin": "https://rebound.example"}, 403),
        ("GET", "/precious/ledger.json", {"origin": "null"}, 403),
        ("GET", "/precious/ledger.json", {"sec-fetch-site": "none", **LINK}, 200),
        ("GET", "/precious/ledger.json", {"sec-fetch-site": "same-origin"}, 200),
        ("GET", "/precious/ledger.json", {"sec-fetch-site": "cross-site"}, 403),
        ("GET", "/precious/ledger.json", {"sec-fetch-site": "same-site"}, 403),
        ("GET", "/precious/ledger.json", {"sec-fetch-site": "anything else"}, 403),
        ("GET", "/precious/ledger.json", {"sec-fetch-site": "same-site", **LINK}, 200),
        ("GET", "/precious/ledger.json", {"sec-fetch-site": "cross-site", **LINK}, 200),
        ("GET", "/precious/ledger.json", {"sec-fetch-site": "cross-site", **LINK, "origin": "null"}, 403),
        (
            "GET",
            "/precious/ledger.json",
            {"sec-fetch-site": "same-site", **LINK, "sec-fetch-dest": "iframe"},
            403,
        ),
        ("GET", "/?Action=DeleteAlarms&Version=2010-08-01", {"sec-fetch-site": "cross-site", **LINK}, 403),
        ("POST", "/precious?delete", {"sec-fetch-site": "cross-site", **LINK}, 403),
        (
            "POST",
            "/precious?delete",
            {"origin": "https://rebound.example", "content-type": "text/plain"},
            403,
        ),
        ("DELETE", "/precious/ledger.json", {"sec-fetch-site": "same-site"}, 403),
        ("POST", "/endpoints/none/invocations", {"sec-fetch-site": "same-site"}, 403),
        ("POST", "/endpoints/none/invocations", {"Origin": "https://rebound.example"}, 403),
        ("POST", "/endpoints/none/invocations", {}, 400),
    ],
)
def test_a_page_of_another_site_is_refused(
    sagemaker: Service, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """But links may be followed to look at something, and this service's own pages may ask."""
    body = DELETE if method == "POST" else b""
    assert ask(sagemaker, method, path, [("Host", "localhost:1"), *headers.items()], body)[0] == status
    assert sagemaker.s3.head_object(Bucket=BUCKET, Key="ledger.json")["ContentLength"] == 2


@pytest.mark.parametrize("wants", [{"accept": "text/html,*/*"}, {"sec-fetch-dest": "iframe"}])
@pytest.mark.parametrize(
    "query", ["", "?response-content-type=text/html", "?response-content-disposition=inline"]
)
def test_an_object_that_would_run_is_saved(sagemaker: Service, wants: dict[str, str], query: str) -> None:
    """Whatever its address says: as a file, of its own type, and of no site."""
    for path in ("/precious/page.html", urlsplit(presigned(sagemaker, "page.html")).path):
        status, headers = ask(sagemaker, "GET", f"{path}{query}", [("host", "localhost"), *wants.items()])
        assert status == 200
        assert headers["content-disposition"] == "attachment"
        assert headers["content-security-policy"] == "sandbox"
        assert headers["x-content-type-options"] == "nosniff"


def test_an_object_that_cannot_run_is_shown(sagemaker: Service) -> None:
    """JSON, texts and pictures open in the browser; programs get what they always got."""
    shown = ask(sagemaker, "GET", "/precious/ledger.json", [("host", "localhost"), ("accept", "text/html")])[
        1
    ]
    assert "content-disposition" not in shown
    assert shown["content-security-policy"] == "sandbox"
    assert (
        "content-disposition" not in ask(sagemaker, "GET", "/precious/page.html", [("host", "localhost")])[1]
    )


def presigned(service: Service, key: str) -> str:
    """Return the address that lets whoever has it read an object."""
    return str(service.s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key}))


# The same in a real browser.


@contextmanager
def site(page: str) -> Iterator[int]:
    """Serve one page on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: Any) -> None:  # noqa: ANN401 (the base class's own)
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A real Chromium, for which every `.example` is this machine."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with playwright.sync_playwright() as running:
        # without its own checks of such requests, which not every browser has
        own = "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests"
        options = ["--no-sandbox", "--host-resolver-rules=MAP *.example 127.0.0.1", own]
        browser = running.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


ATTACK = """async ([base, job]) => {
  const form = {"content-type": "text/plain"}, target = {"x-amz-target": "SageMaker.CreateProcessingJob"};
  const body = "<Delete><Object><Key>ledger.json</Key></Object></Delete>";
  const tried = [
    fetch(base + "/precious?delete", {method: "POST", headers: form, mode: "no-cors", body}),
    fetch(base + "/precious/ledger.json", {method: "PUT", body: "gone"}),
    fetch(base + "/", {method: "POST", body: job, headers: target}),
    fetch(base + "/precious/ledger.json"),
  ];
  return (await Promise.allSettled(tried)).map(one => one.value?.status ?? one.status);
}"""
JOB = '{"ProcessingJobName": "intruder"}'


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "other.example"])
def test_no_page_reaches_the_service(sagemaker: Service, chromium: Any, host: str) -> None:  # noqa: ANN401
    """Of another site, or of this machine on another port."""
    with site("<title>a page</title>") as port:
        page = chromium.new_page()
        page.goto(f"http://{host}:{port}/")
        seen = page.evaluate(ATTACK, [sagemaker.url, JOB])
        page.close()
    assert seen == [0, *["rejected"] * 3]  # what a page may not read has status 0
    assert sagemaker.s3.get_object(Bucket=BUCKET, Key="ledger.json")["Body"].read() == b"{}"
    assert sagemaker.sagemaker.list_processing_jobs()["ProcessingJobSummaries"] == []


def test_a_rebound_name_reaches_nothing(sagemaker: Service, chromium: Any) -> None:  # noqa: ANN401
    """A page whose own name leads here is of the same origin as the service; its name betrays it."""
    base = f"http://{REBOUND}:{urlsplit(sagemaker.url).port}"
    page = chromium.new_page()
    page.route(
        "**/start", lambda route: route.fulfill(body="<title>came first</title>", content_type="text/html")
    )
    page.goto(f"{base}/start")
    seen = page.evaluate(ATTACK, [base, JOB])
    page.close()
    assert seen == [403] * 4
    assert sagemaker.s3.get_object(Bucket=BUCKET, Key="ledger.json")["Body"].read() == b"{}"


def test_an_object_with_a_script_is_not_run(sagemaker: Service, chromium: Any) -> None:  # noqa: ANN401
    """It is saved, by its plain address and by a presigned one."""
    for address in (f"{sagemaker.url}/precious/page.html", presigned(sagemaker, "page.html")):
        page = chromium.new_page()
        with page.expect_download() as saved, pytest.raises(Exception, match="Download"):
            page.goto(address)
        assert saved.value.path().read_bytes() == HTML
        page.close()


def test_a_link_from_another_page_is_followed(sagemaker: Service, chromium: Any) -> None:  # noqa: ANN401
    """As those in Airflow are: the folder, and from there the object."""
    with site(f'<a href="{sagemaker.url}/precious">outputs</a>') as port:
        page = chromium.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        page.click("a")
        page.click("text=ledger.json")
        page.wait_for_url("**/precious/ledger.json")
        assert page.inner_text("body").strip().startswith("{}")
        page.close()
