"""The service's own page: what runs, and what is there, for a person who looks."""

from __future__ import annotations

import http.client
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sagemaker_kit.jobs import IMAGE, Lab
from sagemaker_kit.service import Service
from sagemaker_kit.serving import until

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SCRIPT = "<script>document.title='ran'</script>"
#: writes a line that a browser could run, and goes on until it is stopped
WORK = f'echo "epoch 1 {SCRIPT}"; while sleep 0.2; do :; done'
HTML = {"accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def lab(
    start_shared_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """A service with a job that runs and has written, one that has failed, and an object."""
    image = tmp_path_factory.mktemp("image") / "image.toml"
    image.write_text(IMAGE)
    made = Lab(start_shared_service("--image", str(image)))
    made.put(folder__a="1")
    made.process("broken", "echo no such column >&2; exit 3")
    until(lambda: status(made, "broken") == "Failed", "the end of the job that fails", 60)
    made.process("busy", WORK)
    until(lambda: "epoch 1" in get(made.service, "/", HTML)[1], "the job's first line", 60)
    yield made
    made.sagemaker.stop_processing_job(ProcessingJobName="busy")
    until(lambda: status(made, "busy") == "Stopped", "the end of the job that runs", 60)


def status(lab: Lab, name: str) -> str:
    """The status of a processing job."""
    return str(lab.sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"])


def get(
    service: Service, path: str, headers: dict[str, str], method: str = "GET"
) -> tuple[int, str, dict[str, str]]:
    """Status, text and headers of the answer to a request."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(service.url).port or 0, timeout=30)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, {name.lower(): value for name, value in answer.getheaders()}


def test_the_first_page_has_jobs_with_their_logs_endpoints_and_objects(lab: Lab) -> None:
    """What runs stands first, with the end of its log; the page is read again while one looks at it."""
    code, text, _ = get(lab.service, "/", HTML)

    assert code == 200
    assert re.findall(r'<td><a href="/\?job=processing-job/(\w+)">', text) == ["busy", "broken"]
    assert "Failed" in text
    assert '<td><a href="/lab">lab</a></td>' in text
    assert '<meta http-equiv="refresh" content="5">' in text
    assert "no such column" not in text


def test_a_jobs_page_has_its_reason_and_its_log(lab: Lab) -> None:
    """And is read again only while the job runs."""
    code, text, _ = get(lab.service, "/?job=processing-job%2Fbroken", HTML)

    assert code == 200
    assert text.count("no such column") == 2  # the reason quotes the log
    assert "http-equiv" not in text
    assert 'http-equiv="refresh"' in get(lab.service, "/?job=processing-job/busy", HTML)[1]


@pytest.mark.parametrize("job", ["processing-job/none", "endpoint/none", "none", "../../etc/passwd", "%00"])
def test_a_job_that_is_not_there_is_said(lab: Lab, job: str) -> None:
    """Whatever the address asks for."""
    code, text, _ = get(lab.service, f"/?job={job}", HTML)
    assert (code, "There is no such job." in text) == (404, True)


def test_what_programs_wrote_is_text(lab: Lab) -> None:
    """Nothing of a log is markup, and the page's policy lets nothing run."""
    for path in ("/", "/?job=processing-job/busy"):
        _, text, headers = get(lab.service, path, HTML)
        assert SCRIPT not in text
        assert "&lt;script&gt;" in text
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "<script" not in text


def test_programs_still_get_their_answers(lab: Lab) -> None:
    """Who asks for no HTML lists the buckets; a page is only read."""
    assert "<ListBucketsResult" in get(lab.service, "/", {})[1]
    assert "text/html" not in get(lab.service, "/", HTML, "POST")[2]["content-type"]
    assert (
        "text/html"
        not in get(lab.service, "/?Action=GetCallerIdentity&Version=2011-06-15", HTML)[2]["content-type"]
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "rebound.example"},
        {"origin": "https://other.example"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
    ],
)
def test_a_page_of_another_site_does_not_read_it(lab: Lab, headers: dict[str, str]) -> None:
    """Neither by another name, nor by a script, nor in a frame."""
    code, text, _ = get(lab.service, "/", {**HTML, **headers})
    assert (code, "busy" in text) == (403, False)


def test_with_keys_it_asks_for_one(start_service: Callable[..., Service], tmp_path: Path) -> None:
    """A browser cannot sign: it gives a key and its secret."""
    keys = tmp_path / "keys"
    keys.write_text(
        "[me]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = secret-of-the-tests\n"
    )
    keys.chmod(0o600)
    service = start_service("--credentials", str(keys))

    assert get(service, "/", HTML)[0] == 401
    basic = {"authorization": "Basic QUtJQUlPU0ZPRE5ON0VYQU1QTEU6c2VjcmV0LW9mLXRoZS10ZXN0cw=="}
    assert "There are no buckets." in get(service, "/", {**HTML, **basic})[1]


def test_a_person_clicks_through_it(lab: Lab) -> None:
    """In a real Chromium, as wide as a telephone: nothing runs, nothing is cut off."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 400, "height": 800})
        page.goto(lab.service.url)
        assert _is_whole(page)
        page.click("text=busy")
        page.wait_for_selector("text=processing job:")
        assert f"epoch 1 {SCRIPT}" in page.inner_text("pre")
        assert (page.title(), _is_whole(page)) == ("busy", True)
        page.click("text=Local SageMaker")
        page.click("text=lab")
        page.wait_for_url("**/lab")
        assert "folder/" in page.inner_text("table")
        browser.close()


def _is_whole(page: Any) -> bool:  # noqa: ANN401 - playwright may not be installed
    """Whether nothing of a page is wider than its window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))
