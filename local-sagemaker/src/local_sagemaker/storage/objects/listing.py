"""The objects of a bucket in the order of their keys' bytes, folder by folder."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from pathlib import Path

from local_sagemaker.storage.objects.places import Places, is_file, is_plain

#: key, file, status of the file
Found = tuple[str, Path, os.stat_result]
#: greater than any key that goes on after a prefix, since UTF-8 never holds this byte
BEYOND = b"\xff"


def key_file(odd: Path) -> Path:
    """Return the file that holds the key of an object that is no plain file."""
    return odd.with_name(f"{odd.name}.key")


class Walk:
    """One walk through a bucket; `bound` may be raised on the way to skip whatever is not greater."""

    def __init__(self, places: Places, bucket: str, prefix: bytes, bound: bytes) -> None:
        self._folder = places.bucket(bucket)
        self._odd = places.odd_bucket(bucket)
        self._prefix = prefix
        self.bound = bound

    def objects(self) -> Iterator[tuple[bytes, Path]]:
        """Key and file of every object with the prefix and beyond the bound."""
        start, _, _ = self._prefix.rpartition(b"/")
        plain = self._plain(start + b"/" if start else b"")
        for key, path in heapq.merge(plain, self._odd_ones(), key=lambda item: item[0]):
            if key > self.bound:
                yield key, path

    def _wants(self, key: bytes, *, is_folder: bool) -> bool:
        """Whether the object, or anything in the folder (its key ends in a slash), may be asked for."""
        if is_folder:
            fits = key.startswith(self._prefix) or self._prefix.startswith(key)
            return fits and key + BEYOND > self.bound
        return key.startswith(self._prefix) and key > self.bound

    def _plain(self, start: bytes) -> Iterator[tuple[bytes, Path]]:
        folder = self._folder
        if start:
            name = start[:-1].decode()
            if not is_plain(name):
                return  # no plain file has such a prefix
            folder = folder / name
            if not folder.is_dir() or folder.resolve() != self._folder.resolve() / name:
                return  # not there, or behind a link
        yield from self._descend(start, folder)

    def _descend(self, start: bytes, folder: Path) -> Iterator[tuple[bytes, Path]]:
        """Depth first; a folder sorts as its name with a slash, so that the order is that of whole keys."""
        entries = []
        try:
            with os.scandir(folder) as scanned:
                for entry in scanned:
                    if entry.is_dir(follow_symlinks=False):
                        entries.append((start + os.fsencode(entry.name) + b"/", entry))
                    elif entry.is_file(follow_symlinks=False):
                        entries.append((start + os.fsencode(entry.name), entry))
        except FileNotFoundError:
            return  # pruned since its parent was read
        for key, entry in sorted(entries, key=lambda item: item[0]):
            is_folder = key.endswith(b"/")
            if not self._wants(key, is_folder=is_folder):
                continue
            if is_folder:
                yield from self._descend(key, Path(entry.path))
            elif _is_utf8(key):
                yield key, Path(entry.path)

    def _odd_ones(self) -> Iterator[tuple[bytes, Path]]:
        names = self._odd.glob("*.key") if self._odd.is_dir() else ()
        odd = [(name.read_bytes(), name.with_suffix("")) for name in names]
        for key, path in sorted(odd):
            # a plain file of that key, put there by hand, comes before it
            is_hidden = is_plain(key.decode()) and is_file(self._folder / key.decode())
            if self._wants(key, is_folder=False) and is_file(path) and not is_hidden:
                yield key, path


def _is_utf8(key: bytes) -> bool:
    try:
        key.decode()
    except UnicodeDecodeError:
        return False  # a file dropped in by hand whose name no key can be
    return True


def walk(places: Places, bucket: str, prefix: str, after: str, delimiter: str) -> Iterator[Found | str]:
    """Objects behind `after`, and with a delimiter the common prefixes in place of what they stand for."""
    start, mark = prefix.encode(), delimiter.encode()
    walker = Walk(places, bucket, start, after.encode())
    for key, path in walker.objects():
        cut = key.find(mark, len(start)) if mark else -1
        if cut >= 0:
            common = key[: cut + len(mark)]
            walker.bound = common + BEYOND
            # a listing that goes on after a common prefix has shown that prefix already
            if common != after.encode():
                yield common.decode()
            continue
        try:
            yield key.decode(), path, path.lstat()
        except FileNotFoundError:
            continue  # deleted since its folder was read


def remove_empty(folder: Path) -> None:
    """Remove a folder and those below it that hold no file."""
    for path, _, _ in os.walk(folder, topdown=False):
        try:
            Path(path).rmdir()
        except OSError:
            continue
