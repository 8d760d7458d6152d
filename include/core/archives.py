"""Unpacks tar archives that somebody else may have packed: whole, and with nothing outside of the folder."""

from __future__ import annotations

import gzip
import lzma
import tarfile
import zlib
from pathlib import Path, PurePosixPath

PIECE_BYTES = 1024 * 1024


class UnsafeArchiveError(tarfile.TarError):
    """The archive would write outside of the folder it is unpacked in."""


def extract(tar: tarfile.TarFile, folder: Path) -> None:
    """Unpack what stays below `folder`: no devices, no other owner, no set-user-id bits.

    The archive is read to its end, where compression keeps its checksum; tarfile alone stops before. What was
    written when an error is raised is not to be used. Python before 3.11.4 has no filters for it; links are
    refused there as well.

    :raises UnsafeArchiveError: naming the member that would leave the folder
    :raises tarfile.TarError: the archive is damaged
    """
    try:
        _write(tar, folder)
        while tar.fileobj is not None and tar.fileobj.read(PIECE_BYTES):
            pass
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise tarfile.ReadError(str(error)) from error


def _write(tar: tarfile.TarFile, folder: Path) -> None:
    if hasattr(tarfile, "data_filter"):
        try:
            tar.extractall(folder, filter=_NoWayThroughLinks())  # noqa: S202 - the filter is stricter than "data"
        except tarfile.FilterError as error:
            raise UnsafeArchiveError(str(error)) from error
        return
    for member in tar.getmembers():
        is_below = (folder / member.name).resolve().is_relative_to(folder.resolve())
        if not is_below or not (member.isfile() or member.isdir()):
            raise UnsafeArchiveError(f"{member.name!r} is no plain file below the archive's own folder")
        member.mode &= 0o755
    tar.extractall(folder)  # noqa: S202 - every member was looked at


class _NoWayThroughLinks:
    """Python's own filter for data, and nothing is written through a link that the archive brought.

    Until 3.11.13 and 3.12.11 that filter could be talked into links out of the folder by very long paths.
    """

    def __init__(self) -> None:
        self._links: set[PurePosixPath] = set()

    def __call__(self, member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
        path = PurePosixPath(member.name)
        if ".." in path.parts or not self._links.isdisjoint((path, *path.parents)):
            raise UnsafeArchiveError(f"{member.name!r} leads through a link, or upwards")
        if member.issym():
            self._links.add(path)
        return tarfile.data_filter(member, folder)
