"""What is forced to the disk before an object is answered."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from local_sagemaker.storage.objects.draft import begin_writeback
from local_sagemaker.storage.objects.objects import ObjectStore
from local_sagemaker.storage.objects.properties import Properties


def test_an_object_is_on_the_disk_before_it_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes are forced first and its folder last; so are properties that could not be made again."""
    objects = ObjectStore(tmp_path / "s3")
    objects.create_bucket("b-1")
    objects.put_bytes("b-1", "k", b"old")
    forced: list[tuple[bool, int]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        forced.append((stat.S_ISDIR(status.st_mode), status.st_ino))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    info = objects.put_bytes("b-1", "k", b"new")
    folder = objects.places.bucket("b-1").stat().st_ino
    assert forced == [(False, info.status.st_ino), (True, folder)]
    forced.clear()
    info = objects.put_bytes("b-1", "k", b"typed", Properties("", content_type="text/plain"))
    assert [is_folder for is_folder, _ in forced] == [False, False, True, True]
    assert (forced[0][1], forced[-1][1]) == (info.status.st_ino, folder)


def test_the_disk_may_begin_early(tmp_path: Path) -> None:
    """The hint changes nothing of a file, whatever the system makes of it."""
    with (tmp_path / "file").open("wb", buffering=0) as file:
        file.write(b"x" * 100_000)
        begin_writeback(file.fileno(), 0, 50_000)
    assert (tmp_path / "file").read_bytes() == b"x" * 100_000
