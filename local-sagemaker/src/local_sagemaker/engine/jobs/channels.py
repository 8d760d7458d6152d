"""Inputs of jobs and artifacts of models: from S3 objects to files in a workspace.

Where the machine can overlay (isolation.py), a file is a hard link to the stored object below `linked`: no
byte is copied, the job keeps the version it began with when the object is replaced, and what the job writes
goes to its own copy. Elsewhere a link would let the job corrupt the stored object, so the file is copied (a
reflink where the file system can).
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from local_sagemaker.base import Service
from local_sagemaker.engine.jobs.jobs import JobError
from local_sagemaker.errors import AwsError, ValidationException
from local_sagemaker.storage.archives import UnsafeArchiveError, extract
from local_sagemaker.storage.objects.objects import ObjectInfo, ObjectStore

FICLONE = 0x40049409
#: what file systems take: of one name, and of a path that still stands below a job's workspace
NAME_BYTES = 255
PATH_BYTES = 1024


class ModelDataError(Exception):
    """The artifact of a model is missing, damaged, or would write outside of its folder."""


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


def materialize(source: Source, objects: ObjectStore, folder: Path, *, is_linked: bool) -> None:
    """Put a source's objects into `folder`; JobError if there are none."""
    for item in _shared(source, objects):
        target, uri = folder / item.relative, f"s3://{item.info.bucket}/{item.info.key}"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            place_file(item.info.path, target, is_linked=is_linked)
        except FileNotFoundError as error:
            raise _missing(source, uri) from error
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise JobError(
                f"ClientError: Cannot place {uri} for {source.owner}: another object's key is a folder of "
                "this one's path. Rename one of them."
            ) from error


def feed(source: Source, objects: ObjectStore, folder: Path) -> None:
    """Put a source's objects into `folder`, which no job sees, under names in their order."""
    for count, item in enumerate(_shared(source, objects), start=1):
        place_file(item.info.path, folder / f"{count:08d}", is_linked=True)


def copy_objects(source: Source, objects: ObjectStore, folder: Path) -> list[Path]:
    """Copy a source's objects, if there are any, into `folder`, and return the files."""
    files = []
    for item in find_objects(source, objects):
        files.append(folder / item.relative)
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        place_file(item.info.path, files[-1], is_linked=False)
    return files


def _shared(source: Source, objects: ObjectStore) -> Iterator[Item]:
    """Yield the objects of a source's share; JobError if there are none at all."""
    index, count = source.shard
    number = -1
    for number, item in enumerate(find_objects(source, objects)):
        if number % count == index:
            yield item
    if number < 0:
        raise _missing(source, source.uri)


def find_objects(source: Source, objects: ObjectStore) -> Iterator[Item]:
    """Yield the objects of a source; folder markers (keys that end in `/`) are left out."""
    bucket, prefix = split_uri(source.uri, source.owner)
    try:
        if source.data_type == "ManifestFile":
            yield from _manifest(source, objects, bucket, prefix)
        else:
            for info in objects.list(bucket, prefix):
                if not info.key.endswith("/"):
                    yield Item(_relative(info.key, prefix, source), info)
    except AwsError as error:
        if error.code == "NoSuchBucket":
            raise JobError(
                f"ClientError: The bucket of {source.uri}, {source.owner}, does not exist. "
                "Create it, or correct the URI."
            ) from error
        raise _missing(source, source.uri) from error


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Return bucket and key of an S3 URI."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key


def split_uri(uri: str, owner: str) -> tuple[str, str]:
    """Return bucket and key of what `owner` gives as an S3 URI; raise JobError if it is none."""
    bucket, key = bucket_and_key(uri)
    if not uri.startswith("s3://") or not bucket:
        raise JobError(f"ClientError: {uri!r} of {owner} is no S3 URI. Write s3://<bucket>/<key>.")
    return bucket, key


def place_file(source: Path, target: Path, *, is_linked: bool) -> None:
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
        member_bucket, member = split_uri(uri, source.owner)
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
        with source.open("rb") as reader, target.open("xb") as writer:
            fcntl.ioctl(writer.fileno(), FICLONE, reader.fileno())
    except OSError:
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


def container_definitions(service: Service, model_name: str) -> list[dict[str, Any]]:
    """Return the definitions of a model's containers; ValidationException if there is no such model."""
    model = service.store.get("model", model_name)
    if model is None:
        arn = service.arn("sagemaker", f"model/{model_name}")
        raise ValidationException(f'Could not find model "{arn}".')
    return list(model.document.get("Containers") or [model.document["PrimaryContainer"]])


def container_definition(service: Service, model_name: str) -> dict[str, Any]:
    """Return the definition of the one container of a model; ValidationException if it has several."""
    containers = container_definitions(service, model_name)
    if len(containers) != 1:
        raise ValidationException(
            f"Model {model_name} is a pipeline of {len(containers)} containers, which is emulated for "
            "endpoints alone. Transform with a model of each container, one after the other."
        )
    if containers[0].get("Mode") == "MultiModel":
        raise ValidationException(
            f"Model {model_name} has the mode MultiModel, which is for endpoints alone. Transform with a "
            "model of the archive."
        )
    return containers[0]


def install_model_data(definition: Mapping[str, Any], objects: ObjectStore, folder: Path) -> None:
    """Fill `folder` with the artifact that a container definition names, if it names one.

    ModelDataUrl or ModelDataSource names it. The folder is emptied first: an earlier attempt may have left
    files in it.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    source = definition.get("ModelDataSource", {}).get("S3DataSource", {})
    url = definition.get("ModelDataUrl") or source.get("S3Uri")
    if not url:
        return
    bucket, key = bucket_and_key(url)
    if source.get("S3DataType") == "S3Prefix":
        copy_objects(Source("the model", url), objects, folder)
    elif source.get("CompressionType") == "None":
        shutil.copyfile(_stored_file(objects, bucket, key), folder / Path(key).name)
    else:
        unpack_model(_stored_file(objects, bucket, key), folder, url)


def unpack_model(archive: Path, folder: Path, name: str) -> None:
    """Unpack a tar archive; no member may leave `folder`, be a device, or bring set-user-id bits.

    :param name: what errors call the archive.
    """
    try:
        with tarfile.open(archive) as tar:
            extract(tar, folder)
    except UnsafeArchiveError as error:
        raise ModelDataError(
            f"The model archive {name} is refused: {error}. Pack the model with paths below its own folder."
        ) from error
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ModelDataError(
            f"Cannot unpack the model archive {name}: {error}. It must be a whole .tar.gz; upload it again."
        ) from error


def _stored_file(objects: ObjectStore, bucket: str, key: str) -> Path:
    stored = objects.find_object(bucket, key) if objects.has_bucket(bucket) else None
    if stored is None:
        raise ModelDataError(
            f"Could not find model data at s3://{bucket}/{key}. Check the ModelDataUrl of the model, and "
            "that the training job that writes it has completed."
        )
    return stored.path
