"""What is forced to the disk, and how often, on file systems that commit in order and on others."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from include.local_sagemaker.s3 import ordering
from include.local_sagemaker.s3.objects import ObjectStore
from include.local_sagemaker.s3.properties import Properties

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
25 22 0:23 / /tmp rw,nosuid - tmpfs tmpfs rw,size=10m
31 22 254:1 / /data rw shared:5 master:2 - xfs /dev/vdb rw
"""


@pytest.mark.parametrize(
    ("device", "expected"), [("254:0", "ext4"), ("0:23", "tmpfs"), ("254:1", "xfs"), ("254:9", "")]
)
def test_the_kind_of_a_file_system_is_found_by_its_number(device: str, expected: str):
    """Optional fields between the mount's options and its type make no difference."""
    assert ordering.kind(MOUNTS, device) == expected


@pytest.mark.parametrize("is_ordered", [True, False])
@pytest.mark.parametrize("given", [Properties(""), Properties("", content_type="text/plain")])
def test_an_object_is_on_the_disk_before_it_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: Properties, *, is_ordered: bool
):
    """The folder is always forced last; where nothing keeps the order, so is each file before it."""
    objects = ObjectStore(tmp_path / "s3")
    objects.create_bucket("b-1")
    objects.put_bytes("b-1", "k", b"old", given)
    folder = objects.places.bucket("b-1").stat().st_ino
    forced: list[tuple[bool, int]] = []

    def fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        forced.append((stat.S_ISDIR(status.st_mode), status.st_ino))
        real(descriptor)

    real: Callable[[int], None] = os.fsync
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(ordering, "is_ordered", lambda _: is_ordered)
    info = objects.put_bytes("b-1", "k", b"new", given)

    assert forced[-1] == (True, folder)
    assert info.path.read_bytes() == b"new"
    files = [number for is_folder, number in forced if not is_folder]
    assert (info.status.st_ino in files) is not is_ordered or ordering._synchronise() is None
    expected = 1 if is_ordered else (2 if given == Properties("") else 4)
    assert len(forced) == expected or ordering._synchronise() is None


def test_a_file_is_settled_whatever_the_file_system(tmp_path: Path):
    """Settling and beginning are calls that succeed here, in the middle of a file as at its end."""
    with (tmp_path / "file").open("wb", buffering=0) as file:
        file.write(b"x" * 100_000)
        ordering.begin(file.fileno(), 0, 50_000)
        ordering.settle(file.fileno())
    assert (tmp_path / "file").stat().st_size == 100_000
