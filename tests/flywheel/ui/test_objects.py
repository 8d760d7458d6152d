"""Objects that never change are asked for once."""
# ruff: noqa: ANN401 - boto3 clients and the service's test class have no types

from __future__ import annotations

from typing import Any

import pytest

from flywheel.ui.objects import ObjectCache
from include.core.documents.results import RolloutOutcome
from include.core.settings import Settings


class Counted:
    """A real client that counts what is asked of it."""

    def __init__(self, s3: Any) -> None:
        self._s3, self.exceptions, self.gets = s3, s3.exceptions, 0

    def get_object(self, **asked: Any) -> Any:
        """Count, and ask."""
        self.gets += 1
        return self._s3.get_object(**asked)

    def get_paginator(self, operation: str) -> Any:
        """The client's own."""
        return self._s3.get_paginator(operation)


@pytest.fixture
def counted(service: Any, installed: Settings) -> Counted:
    """A client of a bucket with three objects of three bytes."""
    for name in "abc":
        service.s3.put_object(Bucket=installed.bucket, Key=f"x/{name}", Body=b'"' + name.encode() + b'"')
    return Counted(service.s3)


def test_an_object_is_read_once(counted: Counted, installed: Settings) -> None:
    """Also when it was fetched ahead with others."""
    objects = ObjectCache(counted)
    objects.fetch(installed.bucket, ["x/a", "x/b", "x/a"])
    assert objects.find_object(installed.bucket, "x/a") == b'"a"'
    assert objects.find_object(installed.bucket, "x/b") == b'"b"'
    assert counted.gets == 2


def test_memory_is_bounded(counted: Counted, installed: Settings) -> None:
    """The object that was used longest ago is forgotten, and read again when it is asked for."""
    objects = ObjectCache(counted, kept_bytes=6)
    for name in ("a", "b", "a", "c", "a", "b"):
        assert objects.find_object(installed.bucket, f"x/{name}") == f'"{name}"'.encode()
    assert counted.gets == 4


def test_that_there_is_none_is_not_remembered(counted: Counted, installed: Settings, service: Any) -> None:
    """What is written later is found."""
    objects = ObjectCache(counted)
    uri = f"s3://{installed.bucket}/x/late"
    assert objects.document(uri, RolloutOutcome) is None
    service.s3.put_object(Bucket=installed.bucket, Key="x/late", Body=b'{"is_good": true, "text": "calm"}')
    assert objects.document(uri, RolloutOutcome) == RolloutOutcome(is_good=True, text="calm")


def test_lists_are_as_s3_gives_them(counted: Counted, installed: Settings) -> None:
    """The names below a prefix, from one on if that is all that is wanted."""
    objects = ObjectCache(counted)
    assert [i["Key"] for i in objects.items(installed.bucket, "x/")] == ["x/a", "x/b", "x/c"]
    assert [i["Key"] for i in objects.items(installed.bucket, "x/", after="x/a")] == ["x/b", "x/c"]
    assert objects.folders(installed.bucket, "") == ["x"]


def test_what_sorts_after_a_key_is_listed_and_read(counted: Counted, installed: Settings) -> None:
    """Of a log only its end, each object once."""
    end = ObjectCache(counted).after(installed.bucket, "x/", "x/a")
    assert end.keys() == ["x/b", "x/c"]
    assert end.keys("c") == ["x/c"]
    assert end.read(["x/c"]) == end.read(["x/c"]) == {"x/c": b'"c"'}
    assert counted.gets == 1
