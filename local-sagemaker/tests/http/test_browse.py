"""A person's browser can click through a bucket."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable

import pytest

from sagemaker_kit.service import Service

HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def sagemaker(start_shared_service: Callable[..., Service]) -> Service:
    """A service with a bucket of odd names."""
    service = start_shared_service()
    service.s3.create_bucket(Bucket="looked-at")
    for key in ("a/one.txt", "a/<b>&.txt", "top.txt"):
        service.s3.put_object(Bucket="looked-at", Key=key, Body=b"x" * 1500)
    return service


def read(sagemaker: Service, path: str, headers: dict[str, str]) -> str:
    """The text of one page."""
    request = urllib.request.Request(f"{sagemaker.url}{path}", headers=headers)  # noqa: S310 - the test's own service
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return str(answer.read(), "utf-8")


def test_a_browser_sees_folders_and_objects(sagemaker: Service) -> None:
    """The first page links the folder and the object beside it."""
    page = read(sagemaker, "/looked-at", HTML)
    assert 'href="/looked-at?list-type=2&amp;prefix=a%2F"' in page
    assert 'href="/looked-at/top.txt"' in page
    assert "1,500 bytes" in page


def test_names_are_text_and_not_markup(sagemaker: Service) -> None:
    """A key with angle brackets is shown, not obeyed."""
    page = read(sagemaker, "/looked-at?list-type=2&prefix=a%2F", HTML)
    assert "&lt;b&gt;&amp;.txt" in page
    assert "<b>" not in page


def test_clients_still_get_xml(sagemaker: Service) -> None:
    """Who does not ask for HTML gets S3's own answer."""
    assert read(sagemaker, "/looked-at?list-type=2", {}).startswith("<?xml")


def test_a_bucket_that_is_not_there_is_a_page_too(sagemaker: Service) -> None:
    """A missing bucket is told in words, with S3's status."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        read(sagemaker, "/nothing-here", HTML)
    assert caught.value.code == 404
    assert "nothing-here" in caught.value.read().decode()
    caught.value.close()
