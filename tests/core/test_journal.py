"""Records are read through compacted segments, which are believed only where S3 says the same."""
# ruff: noqa: ANN401 - boto3 clients and the service's test class have no types

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from include.core.journal import ImmutableObjects, list_etags, verified_copies
from include.core.ledger import Ledger
from include.core.settings import Settings
from tests.core.test_ledger import entry

LEDGER, SEGMENTS = "flights/ledger/", "flights/volumes/ledger/"


class Counted:
    """A real client that counts the objects that are read with it."""

    def __init__(self, s3: Any) -> None:
        self._s3, self.gets = s3, 0

    def get_object(self, **asked: Any) -> Any:
        """Count, and ask."""
        self.gets += 1
        return self._s3.get_object(**asked)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)


def fill(ledger: Ledger, count: int, first: int = 0) -> None:
    """Append decisions until there are so many."""
    for number in range(first, count):
        ledger.decide(entry(2, f"{number:04d}"))


def reads(s3: Any, bucket: str) -> int:
    """How many objects a first look at the ledger reads."""
    counted = Counted(s3)
    Ledger(counted, bucket, "flights").entries()
    return counted.gets


@pytest.fixture
def ledger(service: Any, installed: Settings) -> Ledger:
    """An empty ledger in a bucket of its own."""
    return Ledger(service.s3, installed.bucket, "flights")


def test_a_segment_is_left_at_every_fifth_entry(ledger: Ledger, service: Any, installed: Settings) -> None:
    """It holds what came since the last hundred."""
    fill(ledger, 11)
    names = list(list_etags(service.s3, installed.bucket, SEGMENTS))
    assert names == [f"{SEGMENTS}00000005.json", f"{SEGMENTS}00000010.json"]
    assert reads(service.s3, installed.bucket) == 2


def test_a_first_look_reads_few_objects(ledger: Ledger, service: Any, installed: Settings) -> None:
    """The segments of the last thousand and of the last hundred, and up to four entries."""
    for before, count in itertools.pairwise([0, 4, 99, 104, 209]):
        fill(ledger, count, before)
        assert reads(service.s3, installed.bucket) <= 6, count
        assert Ledger(service.s3, installed.bucket, "flights").entries() == ledger.entries(), count


def test_a_second_look_reads_what_is_new(service: Any, ledger: Ledger, installed: Settings) -> None:
    """Entries never change."""
    fill(ledger, 7)
    counted = Counted(service.s3)
    reader = Ledger(counted, installed.bucket, "flights")
    reader.entries()
    counted.gets = 0
    assert reader.entries() == ledger.entries()
    assert counted.gets == 0
    ledger.decide(entry(3))
    assert reader.entries() == ledger.entries()
    assert counted.gets == 1


def test_segments_of_a_hundred_are_read_where_there_are_no_others(
    ledger: Ledger, service: Any, installed: Settings
) -> None:
    """As version 0.1.0 left them."""
    fill(ledger, 200)
    for key, etag in list_etags(service.s3, installed.bucket, SEGMENTS).items():
        assert etag
        service.s3.delete_object(Bucket=installed.bucket, Key=key)
    listed = list_etags(service.s3, installed.bucket, LEDGER)
    for end in (100, 200):
        keys = [f"{LEDGER}{number:08d}.json" for number in range(end - 99, end + 1)]
        copies = {
            key: {"etag": listed[key], "text": _text(service.s3, installed.bucket, key)} for key in keys
        }
        body = json.dumps({"entries": copies}).encode()
        service.s3.put_object(Bucket=installed.bucket, Key=f"{SEGMENTS}{end:08d}.json", Body=body)
    assert reads(service.s3, installed.bucket) == 2
    assert Ledger(service.s3, installed.bucket, "flights").entries() == ledger.entries()


def _text(s3: Any, bucket: str, key: str) -> str:
    return str(s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode())


def test_an_entry_stands_if_it_cannot_be_compacted(
    ledger: Ledger, service: Any, installed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segments save requests; nothing that was decided is lost for want of one."""

    def refuse(*_: Any) -> None:
        raise service.s3.exceptions.ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject")

    monkeypatch.setattr("include.core.journal.write_segment", refuse)
    fill(ledger, 5)
    assert len(Ledger(service.s3, installed.bucket, "flights").entries()) == 5
    assert not list_etags(service.s3, installed.bucket, SEGMENTS)


def test_a_copy_that_s3_does_not_confirm_is_not_believed(
    ledger: Ledger, service: Any, installed: Settings
) -> None:
    """Somebody overwrote an entry against the rule: what is there is read, not what was."""
    fill(ledger, 5)
    key = f"{LEDGER}00000002.json"
    changed = json.loads(_text(service.s3, installed.bucket, key)) | {"key": "other"}
    service.s3.put_object(Bucket=installed.bucket, Key=key, Body=json.dumps(changed).encode())
    assert Ledger(service.s3, installed.bucket, "flights").entries()[1].key == "other"


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"\xff", b'{"entries": []}', b'{"entries": {"k": {"etag": "e"}}}', b'{"entries": {"k": 1}}'],
)
def test_a_damaged_segment_is_passed_over(text: bytes) -> None:
    """It says nothing, and its entries are read one by one."""
    assert verified_copies(text, {"k": "e"}) == {}


@pytest.fixture
def objects(service: Any, installed: Settings) -> list[str]:
    """Keys of twelve objects, one of which is no text."""
    keys = [f"flights/clean/{number:02d}" for number in range(12)]
    for key in keys:
        body = b"\xff" if key.endswith("07") else key.encode()
        service.s3.put_object(Bucket=installed.bucket, Key=key, Body=body)
    return keys


def test_whoever_reads_many_objects_leaves_a_segment(
    objects: list[str], service: Any, installed: Settings
) -> None:
    """The next one reads it, and what it cannot hold."""
    first, second = Counted(service.s3), Counted(service.s3)
    found = ImmutableObjects(first, installed.bucket, "flights/clean/").read(objects)
    assert list(found) == objects
    assert ImmutableObjects(second, installed.bucket, "flights/clean/").read(objects) == found
    assert (first.gets, second.gets) == (13, 2)


def test_a_segment_of_objects_grows(objects: list[str], service: Any, installed: Settings) -> None:
    """What was read beside it is added, nothing is dropped."""
    for part in (objects[:6], objects[6:]):
        ImmutableObjects(service.s3, installed.bucket, "flights/clean/").read(part)
    counted = Counted(service.s3)
    assert len(ImmutableObjects(counted, installed.bucket, "flights/clean/").read(objects)) == 12
    assert counted.gets == 2


def test_objects_that_do_not_exist_are_left_out_and_asked_for_again(
    objects: list[str], service: Any, installed: Settings
) -> None:
    """Only what exists is remembered."""
    reader = ImmutableObjects(service.s3, installed.bucket, "flights/clean/")
    late = [f"flights/clean/late{number}" for number in range(4)]
    assert list(reader.read([*late, objects[0]])) == [objects[0]]
    for key in late:
        service.s3.put_object(Bucket=installed.bucket, Key=key, Body=b"late")
    assert list(reader.read([*late, objects[0]])) == [*late, objects[0]]
