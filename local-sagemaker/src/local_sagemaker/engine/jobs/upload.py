"""Outputs of jobs: from files in a workspace to S3 objects. Doing it twice gives the same objects."""

from __future__ import annotations

import gzip
import mimetypes
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from local_sagemaker.engine.jobs.channels import split
from local_sagemaker.engine.jobs.failures import JobError
from local_sagemaker.errors import AwsError
from local_sagemaker.storage.objects.properties import Properties

if TYPE_CHECKING:
    from local_sagemaker.storage.objects.objects import ObjectStore

#: models are mostly incompressible, and a chain of jobs waits for this
GZIP_LEVEL = 1
#: kinds of files that a browser shows rather than saves, if it is told what they are
SHOWN = ("text/html", "application/json", "text/plain", "image/png", "image/svg+xml")


def check(place: Path, owner: str) -> None:
    """Refuse what a job has made lead elsewhere: the service would read there in the job's stead."""
    if place.resolve() != place:
        raise JobError(
            f"AlgorithmError: The container has put a symbolic link in place of a folder of {owner}. "
            "Write the files into the folder itself."
        )


def files(folder: Path) -> Iterator[Path]:
    """Yield the regular files below a folder in the order of their names; symbolic links are not followed."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            continue
        if path.is_dir():
            yield from files(path)
        elif path.is_file():
            yield path


def folder(source: Path, uri: str, objects: ObjectStore, owner: str) -> list[str]:
    """Put the files below `source` under the prefix `uri`, and return their URIs."""
    check(source, owner)
    bucket, prefix = split(uri, owner)
    base = prefix.rstrip("/")
    put = []
    for path in files(source) if source.is_dir() else []:
        key = "/".join(part for part in (base, path.relative_to(source).as_posix()) if part)
        _put(objects, bucket, key, path, owner)
        put.append(f"s3://{bucket}/{key}")
    return put


def archive(source: Path, uri: str, objects: ObjectStore, owner: str) -> str:
    """Put the content of `source` as one .tar.gz at `uri`; equal content gives equal bytes."""
    check(source, owner)
    bucket, key = split(uri, owner)
    with tempfile.TemporaryDirectory(dir=source.parent, prefix=".archive-") as scratch:
        path = Path(scratch) / "archive.tar.gz"
        with path.open("wb") as raw, gzip.GzipFile("", "wb", GZIP_LEVEL, raw, mtime=0) as packed:  # noqa: SIM117
            with tarfile.open(fileobj=packed, mode="w") as tar:
                for entry in sorted(source.iterdir()):
                    tar.add(entry, arcname=entry.name, filter=_plain)
        _put(objects, bucket, key, path, owner)
    return uri


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out what belongs to this machine and run: owners, times, and files that are no files."""
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    return member


def _properties(key: str) -> Properties | None:
    """Return the content type of a file that a browser can show; None for any other (S3's default)."""
    kind, _ = mimetypes.guess_type(key)
    return Properties(etag="", content_type=kind) if kind in SHOWN else None


def _put(objects: ObjectStore, bucket: str, key: str, path: Path, owner: str) -> None:
    try:
        objects.put_file(bucket, key, path, _properties(key))
    except AwsError as error:
        raise JobError(
            f"ClientError: Cannot upload {path.name} of {owner} to s3://{bucket}/{key}: {error.message} "
            "Create the bucket, or correct the output's URI."
        ) from error
