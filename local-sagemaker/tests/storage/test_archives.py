"""Archives as somebody who means harm would pack them: nothing is written outside of the folder."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import Literal

import pytest

from local_sagemaker.engine.jobs.channels import ModelDataError, unpack_model
from local_sagemaker.storage.archives import UnsafeArchiveError

Member = tuple[str, bytes, str]
LONG = "d" * 247


def packed(path: Path, members: list[Member]) -> Path:
    """An archive of members: name, type, and what is in it or where it leads."""
    with tarfile.open(path, "w:gz") as tar:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, content if kind != tarfile.REGTYPE else ""
            member.size = len(content) if kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(content.encode()))
    return path


def deep(levels: int = 16) -> list[Member]:
    """Folders and links so long that Python's older filter resolves no path through them."""
    steps, members, path = "abcdefghijklmnop"[:levels], [], ""
    for step in steps:
        members += [
            (f"{path}{LONG}", tarfile.DIRTYPE, ""),
            (f"{path}{step}", tarfile.SYMTYPE, LONG),
        ]
        path += f"{LONG}/"
    way = "/".join(steps)
    return [
        *members,
        (f"{way}/{'l' * 254}", tarfile.SYMTYPE, "../" * levels),
        ("escape", tarfile.SYMTYPE, f"{way}/{'l' * 254}/../outside"),
        ("escape", tarfile.REGTYPE, "harm"),
    ]


@pytest.mark.parametrize(
    "members",
    [
        [("../outside", tarfile.REGTYPE, "harm")],
        [("a/../../outside", tarfile.REGTYPE, "harm")],
        [("link", tarfile.SYMTYPE, ".."), ("link/outside", tarfile.REGTYPE, "harm")],
        [("link", tarfile.SYMTYPE, "../outside"), ("link", tarfile.REGTYPE, "harm")],
        [("link", tarfile.SYMTYPE, "/etc")],
        [("hard", tarfile.LNKTYPE, "../present")],
        [
            ("inside", tarfile.DIRTYPE, ""),
            ("link", tarfile.SYMTYPE, "inside"),
            ("link/x", tarfile.REGTYPE, "harm"),
        ],
        [("device", tarfile.CHRTYPE, "")],
        [("pipe", tarfile.FIFOTYPE, "")],
        deep(),
    ],
)
def test_no_member_leaves_the_folder(tmp_path: Path, members: list[Member]) -> None:
    """Dots, links, links to links, devices: refused, and what is outside is as it was."""
    (tmp_path / "present").write_text("as it was")
    folder = tmp_path / "model"
    folder.mkdir()
    with pytest.raises(ModelDataError, match="s3://lab/model") as caught:
        unpack_model(packed(tmp_path / "model.tar.gz", members), folder, "s3://lab/model.tar.gz")
    assert isinstance(caught.value.__cause__, UnsafeArchiveError)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "model.tar.gz", "present"]
    assert (tmp_path / "present").read_text() == "as it was"


def test_an_absolute_path_lands_in_the_folder(tmp_path: Path) -> None:
    """As tar does, and a link that stays inside is kept."""
    members = [("/weights/a", tarfile.REGTYPE, "1"), ("latest", tarfile.SYMTYPE, "weights/a")]
    unpack_model(packed(tmp_path / "model.tar.gz", members), tmp_path, "s3://lab/model.tar.gz")
    assert (tmp_path / "latest").read_text() == "1"


@pytest.mark.parametrize("mode", ["w:gz", "w:xz"])
def test_an_archive_is_whole_or_refused(tmp_path: Path, mode: Literal["w:gz", "w:xz"]) -> None:
    """Whichever byte is changed or missing, its content is what was packed, or none is used."""
    whole = tmp_path / "whole"
    content = hashlib.sha512(b"weights").digest() * 20
    with tarfile.open(whole, mode) as tar:
        member = tarfile.TarInfo("weights")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    packed_bytes = whole.read_bytes()
    damaged = [packed_bytes[:n] for n in range(0, len(packed_bytes), 9)]
    damaged += [
        packed_bytes[:n] + bytes([packed_bytes[n] ^ 0xFF]) + packed_bytes[n + 1 :]
        for n in range(len(packed_bytes))
    ]
    refused = 0
    for number, data in enumerate(damaged):
        archive, folder = tmp_path / "damaged", tmp_path / str(number)
        archive.write_bytes(data)
        try:
            unpack_model(archive, folder, "the model")
        except ModelDataError:
            refused += 1
        else:  # a byte that says nothing of the content, such as the time of packing
            assert (folder / "weights").read_bytes() == content
    assert refused >= len(damaged) - 16
