"""Objects as plain files: what the jobs' runner and the S3 operations work with."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from local_sagemaker.errors import AwsError
from local_sagemaker.storage.objects import files, listing, places, properties
from local_sagemaker.storage.objects.draft import Draft
from local_sagemaker.storage.objects.errors import (
    BucketAlreadyOwnedByYou,
    BucketNotEmpty,
    NoSuchBucket,
    NoSuchKey,
)
from local_sagemaker.storage.objects.places import Places
from local_sagemaker.storage.objects.properties import Properties

#: called with the object that is there (None if none is), under the bucket's lock; raises to refuse
Check = Callable[["ObjectInfo | None"], None]


@dataclass(frozen=True)
class ObjectInfo:
    """What is known of one object."""

    bucket: str
    key: str
    #: the file with the object's bytes; read only
    path: Path
    status: os.stat_result
    #: where the properties of the bucket's objects lie
    folder: Path

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.status.st_size

    @property
    def modified(self) -> datetime:
        """When the object was put, in UTC."""
        return datetime.fromtimestamp(self.status.st_mtime, UTC)

    @cached_property
    def properties(self) -> Properties:
        """Entity tag, content type, metadata; computed and kept for a file that was put there by hand."""
        known = properties.load(self.folder, self.key, self.status)
        if known is None:
            known = properties.computed(self.path)
            properties.save(self.folder, self.key, self.status, known)
        return known

    @property
    def etag(self) -> str:
        """Entity tag, without quotes."""
        return self.properties.etag


class ObjectStore:
    """All buckets below one directory. Every method blocks and may be called from any thread."""

    def __init__(self, root: Path) -> None:
        self.places = Places(root)
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)
        files.make_folder(self.places.temporary)
        files.make_folder(self.places.uploads)
        for left in self.places.temporary.iterdir():
            left.unlink()

    def lock(self, bucket: str) -> threading.RLock:
        """Held while an entry of the bucket changes."""
        return self._locks[bucket]

    # -- buckets -------------------------------------------------------------------------------------------
    def buckets(self) -> list[tuple[str, datetime]]:
        """Name and time of creation of every bucket, by name."""
        folders = [entry for entry in os.scandir(self.places.root) if places.BUCKET.fullmatch(entry.name)]
        return sorted((e.name, self._created(e.name)) for e in folders if e.is_dir(follow_symlinks=False))

    def _created(self, bucket: str) -> datetime:
        """When the bucket was made; of a folder made by hand, when it was changed last."""
        mark = self.places.mark(bucket)
        path = mark if mark.exists() else self.places.root / bucket
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)

    def has_bucket(self, bucket: str) -> bool:
        """Whether the bucket is there."""
        try:
            self.places.bucket(bucket)
        except NoSuchBucket:
            return False
        return True

    def create_bucket(self, bucket: str) -> None:
        """Make a bucket; BucketAlreadyOwnedByYou when it is there."""
        folder = self.places.new_bucket(bucket)
        try:
            folder.mkdir()
        except FileExistsError as error:
            raise BucketAlreadyOwnedByYou(
                "Your previous request to create the named bucket succeeded and you already own it.",
                BucketName=bucket,
            ) from error
        files.write(self.places.mark(bucket), b"")
        files.sync_folder(folder.parent)

    def delete_bucket(self, bucket: str) -> None:
        """Remove an empty bucket."""
        with self.lock(bucket):
            if next(self.list(bucket), None) is not None:
                raise BucketNotEmpty("The bucket you tried to delete is not empty", BucketName=bucket)
            folder = self.places.bucket(bucket)
            for path, _, _ in os.walk(folder, topdown=False):
                Path(path).rmdir()
            self.places.mark(bucket).unlink(missing_ok=True)
            files.sync_folder(folder.parent)

    # -- reading -------------------------------------------------------------------------------------------
    def find_object(self, bucket: str, key: str) -> ObjectInfo | None:
        """Return the object, or None; raise NoSuchBucket when there is not even the bucket."""
        path = self.places.existing(bucket, key)
        return None if path is None else self._info(bucket, key, path, path.lstat())

    def info(self, bucket: str, key: str) -> ObjectInfo:
        """Return the object; raise NoSuchKey or NoSuchBucket when it is not there."""
        known = self.find_object(bucket, key)
        if known is None:
            raise NoSuchKey("The specified key does not exist.", Key=key)
        return known

    def path(self, bucket: str, key: str) -> Path:
        """Return the file with the object's bytes, to be read only."""
        return self.info(bucket, key).path

    def open(self, bucket: str, key: str) -> tuple[ObjectInfo, BinaryIO]:
        """Return the object and its open file, which stays this version whatever is put later."""
        path = self.info(bucket, key).path
        try:
            file = open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb", buffering=0)  # noqa: SIM115, PTH123
        except FileNotFoundError as error:
            raise NoSuchKey("The specified key does not exist.", Key=key) from error
        return self._info(bucket, key, path, os.fstat(file.fileno())), file

    def list(self, bucket: str, prefix: str = "") -> Iterator[ObjectInfo]:
        """All objects with a prefix, in the order of their keys' bytes."""
        for item in self.entries(bucket, prefix):
            if isinstance(item, ObjectInfo):
                yield item

    def entries(
        self, bucket: str, prefix: str, *, after: str = "", delimiter: str = ""
    ) -> Iterator[ObjectInfo | str]:
        """Objects in the order of their keys' bytes, and with a delimiter the common prefixes as text."""
        for item in listing.walk(self.places, bucket, prefix, after, delimiter):
            if isinstance(item, str):
                yield item
            else:
                yield self._info(bucket, *item)

    def _info(self, bucket: str, key: str, path: Path, status: os.stat_result) -> ObjectInfo:
        return ObjectInfo(bucket, key, path, status, self.places.properties_bucket(bucket))

    # -- writing -------------------------------------------------------------------------------------------
    def draft(self) -> Draft:
        """Return a new temporary file, to be filled and committed, or discarded."""
        return Draft(self.places.temporary)

    def commit(
        self, draft: Draft, bucket: str, key: str, given: Properties | None = None, check: Check | None = None
    ) -> ObjectInfo:
        """Make the draft the object; durable when this returns. `given.etag` may be empty: the MD5."""
        self.places.bucket(bucket)
        given = given or Properties("")
        folder = self.places.properties_bucket(bucket)
        status = draft.finish()
        given = given if given.etag else replace(given, etag=draft.md5)
        properties.save(folder, key, status, given)
        try:
            with self.lock(bucket):
                old = self.find_object(bucket, key)
                if check is not None:
                    check(old)
                target = self._target(bucket, key)
                draft.path.replace(target)
        except BaseException:
            properties.forget(folder, key, status)
            raise
        files.sync_folder(target.parent)
        if old is not None:
            properties.forget(folder, key, old.status)
        return self._info(bucket, key, target, status)

    def put_bytes(
        self,
        bucket: str,
        key: str,
        content: bytes,
        given: Properties | None = None,
        check: Check | None = None,
    ) -> ObjectInfo:
        """Put `content` as an object, atomically and durably."""
        with self.draft() as draft:
            draft.write(content)
            return self.commit(draft, bucket, key, given, check)

    def put_file(
        self, bucket: str, key: str, path: Path, given: Properties | None = None, *, is_moved: bool = False
    ) -> ObjectInfo:
        """Put a copy of a file as an object; with `is_moved` the file itself, if it is on the same disk."""
        with self.draft() as draft:
            if is_moved:
                draft.take(path)
            else:
                draft.copy(path)
            return self.commit(draft, bucket, key, given)

    def set_tags(self, bucket: str, key: str, tags: dict[str, str]) -> None:
        """Replace the object's tags."""
        with self.lock(bucket):
            known = self.info(bucket, key)
            properties.save(known.folder, key, known.status, replace(known.properties, tags=tags))

    def delete(self, bucket: str, key: str, check: Check | None = None) -> None:
        """Remove an object; none there is no error."""
        with self.lock(bucket):
            folder, known = self.places.bucket(bucket), self.find_object(bucket, key)
            if check is not None:
                check(known)
            while known is not None:
                known.path.unlink()
                files.sync_folder(known.path.parent)
                properties.forget(known.folder, key, known.status)
                if known.path.is_relative_to(folder):
                    files.prune(known.path.parent, folder)
                else:
                    listing.key_file(known.path).unlink(missing_ok=True)
                known = self.find_object(bucket, key)

    def try_delete(self, bucket: str, key: str, check: Check | None = None) -> AwsError | None:
        """Remove an object; return the error if that is refused."""
        try:
            self.delete(bucket, key, check)
        except AwsError as error:
            return error
        return None

    def _target(self, bucket: str, key: str) -> Path:
        """Where the object is to be put, with the way there made."""
        plain, odd = self.places.plain(bucket, key), self.places.odd(bucket, key)
        existing = self.places.existing(bucket, key)
        if existing is not None:
            return existing
        if plain is not None and self._make_way(bucket, key, plain):
            return plain
        self._make_odd(odd, key)
        return odd

    def _make_way(self, bucket: str, key: str, plain: Path) -> bool:
        """Make the folders of a plain file; False when a folder or a link is in its place."""
        folder, segments = self.places.bucket(bucket), key.split("/")
        for count in range(1, len(segments)):
            step = folder.joinpath(*segments[:count])
            if step.is_symlink():
                return False
            if step.is_file():
                # the object "a" moves out of the way of "a/b"
                outer = "/".join(segments[:count])
                odd = self.places.odd(bucket, outer)
                self._make_odd(odd, outer)
                step.replace(odd)
                files.sync_folder(odd.parent)
        if plain.is_dir() and not plain.is_symlink():
            listing.remove_empty(plain)
            if plain.is_dir():
                return False
        files.make_folder(plain.parent)
        return True

    def _make_odd(self, odd: Path, key: str) -> None:
        files.write(listing.key_file(odd), key.encode())
