"""Journals are bound in volumes, and a volume is believed only where S3 says the same."""
# ruff: noqa: ANN401 - boto3 clients and the service's test class have no types

from __future__ import annotations

from typing import Any

import pytest

from flywheel.ui.objects import Remembered
from include.core import journal
from include.core.compaction import bind, bound
from include.core.ledger import Ledger
from include.core.settings import Settings
from tests.flywheel.ui.conftest import entry
from tests.flywheel.ui.test_objects import Counted

PREFIX = "flights/ledger/"


@pytest.fixture
def put(service: Any, installed: Settings) -> Any:
    """Writes objects of a journal."""

    def write(*numbers: int, text: str = "") -> None:
        for number in numbers:
            key, body = f"{PREFIX}{number:08d}.json", text or f'{{"number": {number}}}'
            service.s3.put_object(Bucket=installed.bucket, Key=key, Body=body.encode())

    return write


def keys(s3: Any, bucket: str, prefix: str) -> list[str]:
    """What is there."""
    return [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]


def test_what_is_full_is_bound_once(service: Any, installed: Settings, put: Any):
    """Of five entries, by two: two volumes, and nothing more to do until there is a sixth."""
    put(1, 2, 3, 4, 5)
    names = ["flights/volumes/ledger/00000002.json", "flights/volumes/ledger/00000004.json"]
    assert bind(service.s3, installed.bucket, PREFIX, size=2) == names
    assert bind(service.s3, installed.bucket, PREFIX, size=2) == []
    put(6)
    assert bind(service.s3, installed.bucket, PREFIX, size=2) == ["flights/volumes/ledger/00000006.json"]


def test_a_ledger_that_grows_is_bound(service: Any, installed: Settings, monkeypatch: pytest.MonkeyPatch):
    """Whoever writes the entry that fills a volume leaves it, those of before included."""
    monkeypatch.setattr(journal, "SIZE", 2)
    monkeypatch.setattr(journal, "bind", lambda *where: bind(*where, size=2))
    ledger = Ledger(service.s3, installed.bucket, "flights")
    for number in (1, 2, 3):
        ledger.decide(entry("decision", 0, number))
    assert keys(service.s3, installed.bucket, "flights/volumes/") == ["flights/volumes/ledger/00000002.json"]


def test_an_entry_stands_if_it_cannot_be_bound(
    service: Any, installed: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Volumes make reading fast; nothing that was decided is lost for want of one."""
    monkeypatch.setattr(journal, "SIZE", 1)
    monkeypatch.setattr(
        journal, "bind", lambda s3, _bucket, prefix: bind(s3, "no-such-bucket-at-all", prefix, size=1)
    )
    ledger = Ledger(service.s3, installed.bucket, "flights")
    assert ledger.decide(entry("decision", 0, 1)).number == 1
    assert len(ledger.entries()) == 1
    assert "is not bound in volumes" in caplog.text


def test_a_journal_is_read_by_its_volumes(
    service: Any, installed: Settings, put: Any, monkeypatch: pytest.MonkeyPatch
):
    """Five entries are two volumes and one object; an entry that came later is one object more."""
    monkeypatch.setattr("flywheel.ui.objects.SIZE", 2)
    put(1, 2, 3, 4, 5)
    bind(service.s3, installed.bucket, PREFIX, size=2)
    counted = Counted(service.s3)
    objects = Remembered(counted)
    objects.fetch_journal(installed.bucket, PREFIX)
    assert counted.gets == 3
    assert objects.content(installed.bucket, f"{PREFIX}00000003.json") == b'{"number": 3}'
    assert counted.gets == 3


def test_a_copy_that_s3_does_not_confirm_is_not_believed(
    service: Any, installed: Settings, put: Any, monkeypatch: pytest.MonkeyPatch
):
    """Somebody overwrote an entry against the rule: what is there is shown, not what was."""
    monkeypatch.setattr("flywheel.ui.objects.SIZE", 2)
    put(1, 2)
    bind(service.s3, installed.bucket, PREFIX, size=2)
    put(2, text='{"number": 99}')
    objects = Remembered(service.s3)
    objects.fetch_journal(installed.bucket, PREFIX)
    assert objects.content(installed.bucket, f"{PREFIX}00000002.json") == b'{"number": 99}'


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"\xff", b'{"entries": []}', b'{"entries": {"k": {"etag": "e"}}}']
)
def test_a_damaged_volume_is_passed_over(text: bytes):
    """It says nothing, and its entries are read one by one."""
    assert list(bound(text, {"k": "e"})) == []
