"""Where an object lies: keys to files, and files to keys.

A key is a plain file at `<root>/<bucket>/<key>` wherever a file system can hold it so. What it cannot hold
lies at `<root>/.state/odd/<bucket>/<sha256 of the key>`, with the key itself in a file beside it: keys with
empty segments, `.` or `..`, segments of more than 255 bytes or with a NUL, and keys that are at the same
time the folder of others ("a" beside "a/b"). Since the escape is a tree of its own, no plain name is
reserved and none needs decoding. Buckets cannot be called `.state`, so nothing there collides.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from local_sagemaker.storage.objects.errors import InvalidBucketName, KeyTooLong, NoSuchBucket

BUCKET = re.compile(r"(?!xn--|\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
SEGMENT_LIMIT_BYTES = 255
KEY_LIMIT_BYTES = 1024
STATE = ".state"


def is_plain(key: str) -> bool:
    """Whether a file system can hold `key` as a path below the bucket."""
    segments = os.fsencode(key).split(b"/")
    return all(
        segment not in (b"", b".", b"..") and len(segment) <= SEGMENT_LIMIT_BYTES and b"\0" not in segment
        for segment in segments
    )


def digest(key: str) -> str:
    """Return a name for `key` that any file system can hold."""
    return hashlib.sha256(key.encode()).hexdigest()


@dataclass(frozen=True)
class Places:
    """The directories of one store."""

    root: Path

    @property
    def temporary(self) -> Path:
        """Where bodies are written before they take their place."""
        return self.root / STATE / "tmp"

    @property
    def uploads(self) -> Path:
        """Where the parts of multipart uploads wait."""
        return self.root / STATE / "uploads"

    def bucket(self, bucket: str) -> Path:
        """Return the directory of a bucket; raise NoSuchBucket if it is missing or a link."""
        path = self.root / bucket
        if not BUCKET.fullmatch(bucket) or path.is_symlink() or not path.is_dir():
            raise NoSuchBucket("The specified bucket does not exist", BucketName=bucket)
        return path

    def new_bucket(self, bucket: str) -> Path:
        """Return the directory that a bucket would have."""
        if not BUCKET.fullmatch(bucket):
            raise InvalidBucketName(
                f"The bucket name {bucket!r} is not valid: use 3 to 63 of a-z, 0-9, dot, hyphen.",
                BucketName=bucket,
            )
        return self.root / bucket

    def mark(self, bucket: str) -> Path:
        """Return the file that keeps a bucket's creation time; a folder's own times change."""
        return self.root / STATE / "buckets" / bucket

    def odd_bucket(self, bucket: str) -> Path:
        """Where the bucket's objects lie that cannot be plain files."""
        return self.root / STATE / "odd" / bucket

    def odd(self, bucket: str, key: str) -> Path:
        """Where an object lies that cannot be a plain file."""
        return self.odd_bucket(bucket) / digest(key)

    def properties_bucket(self, bucket: str) -> Path:
        """Where the properties of the bucket's objects lie."""
        return self.root / STATE / "properties" / bucket

    def plain(self, bucket: str, key: str) -> Path | None:
        """Return the path that `key` has as a plain file, there or not; None if it cannot be one."""
        folder = self.bucket(bucket)  # also where it is not needed: no other name may get as far as a path
        return folder / key if is_plain(check_key(key)) else None

    def existing(self, bucket: str, key: str) -> Path | None:
        """Return the file of an object, None if there is none. No link in the path is followed."""
        plain = self.plain(bucket, key)
        if plain is not None and is_file(plain) and not self._through_link(bucket, key):
            return plain
        odd = self.odd(bucket, key)
        return odd if is_file(odd) else None

    def _through_link(self, bucket: str, key: str) -> bool:
        folder = self.root / bucket
        for segment in key.split("/")[:-1]:
            folder = folder / segment
            if folder.is_symlink():
                return True
        return False


def is_file(path: Path) -> bool:
    """Whether there is a regular file at `path`, itself no link."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def check_key(key: str) -> str:
    """`key`, if S3 allows it; KeyTooLong otherwise."""
    size = len(key.encode())
    if size > KEY_LIMIT_BYTES:
        raise KeyTooLong("Your key is too long", Size=size, MaxSizeAllowed=KEY_LIMIT_BYTES)
    return key
