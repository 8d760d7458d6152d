"""Inputs of jobs: from S3 objects to files in a workspace.

Where the machine can overlay (isolation.py), a file is a hard link to the stored object below `linked`: no
byte is copied, the job keeps the version it began with when the object is replaced, and what the job writes
goes to its own copy. Elsewhere a link would let the job corrupt the stored object, so the file is copied (a
reflink where the file system can).
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from local_sagemaker.engine.jobs.failures import JobError
from local_sagemaker.errors import AwsError

if TYPE_CHECKING:
    from local_sagemaker.storage.objects.objects import ObjectInfo, ObjectStore

FICLONE = 0x40049409
#: what file systems take: of one name, and of a path that still stands below a job's workspace
NAME_BYTES = 255
PATH_BYTES = 1024


@dataclass(frozen=True)
class Source:
    """Which objects an input means."""

    #: in the error's words: "channel train" or "input fetch"
    owner: str
    uri: str
    #: S3Prefix or ManifestFile
    data_type: str = "S3Prefix"
    #: (index, count): which share of the objects, one of `count` in turn
    shard: tuple[int, int] = (0, 1)


@dataclass(frozen=True)
class Item:
    """One object and where it goes, relative to the input's folder."""

    relative: PurePosixPath
    info: ObjectInfo


def materialize(source: Source, objects: ObjectStore, folder: Path, *, is_linked: bool) -> int:
    """Put a source's objects into `folder` and return how many; JobError if there are none."""
    count = 0
    for item in _shared(source, objects):
        target = folder / item.relative
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            place(item.info.path, target, is_linked=is_linked)
        except FileNotFoundError as error:
            raise _missing(source, f"s3://{item.info.bucket}/{item.info.key}") from error
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise JobError(
                f"ClientError: Cannot place s3://{item.info.bucket}/{item.info.key} for {source.owner}: "
                "another object's key is a folder of this one's path. Rename one of them."
            ) from error
        count += 1
    if not count and not source.shard[0]:
        raise _missing(source, source.uri)
    return count


def feed(source: Source, objects: ObjectStore, folder: Path) -> None:
    """Put a source's objects into `folder`, which no job sees, under names in their order."""
    count = 0
    for count, item in enumerate(_shared(source, objects), start=1):
        place(item.info.path, folder / f"{count:08d}", is_linked=True)
    if not count and not source.shard[0]:
        raise _missing(source, source.uri)


def _shared(source: Source, objects: ObjectStore) -> Iterator[Item]:
    """Return the objects of a source's share."""
    index, count = source.shard
    return (item for number, item in enumerate(find(source, objects)) if number % count == index)


def find(source: Source, objects: ObjectStore) -> Iterator[Item]:
    """Yield the objects of a source; folder markers (keys that end in `/`) are left out."""
    bucket, prefix = split(source.uri, source.owner)
    try:
        if source.data_type == "ManifestFile":
            yield from _manifest(source, objects, bucket, prefix)
        else:
            yield from _prefix(source, objects, bucket, prefix)
    except AwsError as error:
        if error.code == "NoSuchBucket":
            raise JobError(
                f"ClientError: The bucket of {source.uri}, {source.owner}, does not exist. "
                "Create it, or correct the URI."
            ) from error
        raise _missing(source, source.uri) from error


def split(uri: str, owner: str) -> tuple[str, str]:
    """Bucket and key of an S3 URI."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise JobError(f"ClientError: {uri!r} of {owner} is no S3 URI. Write s3://<bucket>/<key>.")
    return bucket, key


def place(source: Path, target: Path, *, is_linked: bool) -> None:
    """Make `target` the file `source`, by a hard link if that is allowed and possible."""
    if is_linked:
        with suppress(PermissionError):
            try:
                os.link(source, target)
            except OSError as error:
                if error.errno not in {errno.EXDEV, errno.EMLINK, errno.ENOTSUP}:
                    raise
            else:
                return
    if target.exists():
        raise FileExistsError(errno.EEXIST, "is there already", str(target))
    if not _reflink(source, target):
        shutil.copyfile(source, target)


def _prefix(source: Source, objects: ObjectStore, bucket: str, prefix: str) -> Iterator[Item]:
    for info in objects.list(bucket, prefix):
        if not info.key.endswith("/"):
            yield Item(_relative(info.key, prefix, source), info)


def _relative(key: str, prefix: str, source: Source) -> PurePosixPath:
    """Where a key goes: what follows the folder that `prefix` names, or begins to name."""
    if key == prefix or not (prefix.endswith("/") or key.startswith(prefix + "/")):
        # a single object, or a partial key: `data/tr` finds `data/train.csv` and `data/train/1.csv`
        return _checked(key[prefix.rfind("/") + 1 :], source)
    return _checked(key[len(prefix) :].lstrip("/"), source)


def _manifest(source: Source, objects: ObjectStore, bucket: str, key: str) -> Iterator[Item]:
    try:
        entries: Any = json.loads(objects.path(bucket, key).read_bytes())
        prefix, *names = entries
        base = prefix["prefix"]
    except (ValueError, TypeError, KeyError) as error:
        raise JobError(
            f"ClientError: The manifest {source.uri} of {source.owner} is not valid: it must be JSON like "
            '[{"prefix": "s3://bucket/folder/"}, "file", ...].'
        ) from error
    for name in names:
        if not isinstance(name, str):
            raise JobError(
                f"ClientError: The manifest {source.uri} names {name!r}, which is no relative key."
            )
        uri = base + name
        member_bucket, member = split(uri, source.owner)
        try:
            yield Item(_checked(name, source), objects.info(member_bucket, member))
        except AwsError as error:
            raise _missing(source, uri) from error


def _checked(name: str, source: Source) -> PurePosixPath:
    relative = PurePosixPath(name.lstrip("/"))
    if not relative.parts or not fits_path(name):
        raise JobError(
            f"ClientError: The key {name!r} of {source.owner} leads out of its folder, or cannot be the path "
            "of a file. Rename the object."
        )
    return relative


def _missing(source: Source, uri: str) -> JobError:
    return JobError(
        f"ClientError: Data download failed: No S3 objects found under S3 URL {uri!r} given in input "
        f"data source ({source.owner}). Put the objects there, or correct the URI."
    )


def _reflink(source: Path, target: Path) -> bool:
    try:
        import fcntl  # noqa: PLC0415 (there is none on Windows)

        with source.open("rb") as reader, target.open("xb") as writer:
            fcntl.ioctl(writer.fileno(), FICLONE, reader.fileno())
    except (OSError, ImportError):
        return False
    return True


def fits_path(path: str) -> bool:
    """Whether a file could have this path, and stay where the path begins."""
    try:
        encoded = path.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    parts = encoded.split(b"/")
    is_short = len(encoded) <= PATH_BYTES and all(len(part) <= NAME_BYTES for part in parts)
    return is_short and b"\0" not in encoded and b".." not in parts
