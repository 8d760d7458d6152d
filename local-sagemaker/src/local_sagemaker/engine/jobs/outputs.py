"""From files in a workspace to S3 objects: outputs and checkpoints. Doing it twice gives the same objects.

Checkpoints of a training job are also brought from S3 at its start, and put there while it runs.
"""

from __future__ import annotations

import gzip
import mimetypes
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from local_sagemaker.engine.jobs import channels
from local_sagemaker.engine.jobs.channels import Source
from local_sagemaker.engine.jobs.hosts import Host
from local_sagemaker.engine.jobs.jobs import JobError, JobRecord
from local_sagemaker.errors import AwsError
from local_sagemaker.storage.documents import Document
from local_sagemaker.storage.objects.objects import ObjectStore
from local_sagemaker.storage.objects.properties import Properties

#: models are mostly incompressible, and a chain of jobs waits for this
GZIP_LEVEL = 1
#: kinds of files that a browser shows rather than saves, if it is told what they are
SHOWN = ("text/html", "application/json", "text/plain", "image/png", "image/svg+xml")
ML = "/opt/ml/"
DEFAULT_CHECKPOINTS = "/opt/ml/checkpoints"
#: one synchronisation at a time: the job's thread and the workflow loop may both want one
_LOCK = threading.Lock()
#: by file of checkpoints: its size and time of change when it was put last
_PUT: dict[Path, tuple[int, int]] = {}


def refuse_link(folder: Path, owner: str) -> None:
    """Refuse what a job has made lead elsewhere: the service would read there in the job's stead."""
    if folder.resolve() != folder:
        raise JobError(
            f"AlgorithmError: The container has put a symbolic link in place of a folder of {owner}. "
            "Write the files into the folder itself."
        )


def regular_files(folder: Path) -> Iterator[Path]:
    """Yield the regular files below a folder in the order of their names; symbolic links are not followed."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.is_symlink():
            continue
        if path.is_dir():
            yield from regular_files(path)
        elif path.is_file():
            yield path


def put_folder(source: Path, uri: str, objects: ObjectStore, owner: str) -> list[str]:
    """Put the files below `source` under the prefix `uri`, and return their URIs."""
    refuse_link(source, owner)
    bucket, prefix = channels.split_uri(uri, owner)
    keys = [(path, _key(prefix, path.relative_to(source))) for path in regular_files(source)]
    for path, key in keys:
        _put(objects, bucket, key, path, owner)
    return [f"s3://{bucket}/{key}" for _, key in keys]


def put_archive(source: Path, uri: str, objects: ObjectStore, owner: str) -> None:
    """Put the content of `source` as one .tar.gz at `uri`; equal content gives equal bytes."""
    refuse_link(source, owner)
    bucket, key = channels.split_uri(uri, owner)
    with tempfile.TemporaryDirectory(dir=source.parent, prefix=".archive-") as scratch:
        path = Path(scratch) / "archive.tar.gz"
        with path.open("wb") as raw, gzip.GzipFile("", "wb", GZIP_LEVEL, raw, mtime=0) as packed:  # noqa: SIM117
            with tarfile.open(fileobj=packed, mode="w") as tar:
                for entry in sorted(source.iterdir()):
                    tar.add(entry, arcname=entry.name, filter=_plain)
        _put(objects, bucket, key, path, owner)


def checkpoint_place(request: Document) -> tuple[str, str] | None:
    """Where checkpoints are kept: (folder below /opt/ml, S3 URI); None if they are not."""
    config = request.get("CheckpointConfig")
    if config is None:
        return None
    return config.get("LocalPath", DEFAULT_CHECKPOINTS).removeprefix(ML).strip("/"), config["S3Uri"]


def restore_checkpoints(job: JobRecord, host: Host) -> None:
    """Copy what is in S3 already to where the container finds it; nothing there is a new beginning."""
    checkpoints = checkpoint_place(job.document)
    if checkpoints is None:
        return
    folder, uri = host.ml / checkpoints[0], checkpoints[1]
    folder.mkdir(parents=True, exist_ok=True)
    source = Source("CheckpointConfig", uri.rstrip("/") + "/")
    # copies: the job goes on writing to its checkpoints
    for path in channels.copy_objects(source, job.service.objects, folder):
        _PUT[path] = _mark(path)


def put_checkpoints(job: JobRecord) -> None:
    """Put into S3 what has changed since the last time."""
    checkpoints = checkpoint_place(job.document)
    if checkpoints is None:
        return
    base = job.workspace / "hosts"
    folders = [entry / "ml" for entry in sorted(base.iterdir())] if base.is_dir() else [job.ml]
    bucket, prefix = channels.split_uri(checkpoints[1], "CheckpointConfig")
    with _LOCK:
        for folder in (folder / checkpoints[0] for folder in folders):
            refuse_link(folder, "its checkpoints")
            for path in regular_files(folder):
                # a file may go while it is looked at
                with suppress(FileNotFoundError):
                    mark = _mark(path)
                    if _PUT.get(path) != mark:
                        key = _key(prefix, path.relative_to(folder))
                        _put(job.service.objects, bucket, key, path, "its checkpoints")
                        _PUT[path] = mark


def forget_checkpoints(workspace: Path) -> None:
    """Let go of what is known of a job that has ended."""
    for path in [path for path in list(_PUT) if path.is_relative_to(workspace)]:
        _PUT.pop(path, None)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out what belongs to this machine and run: owners, times, and files that are no files."""
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        return None
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


def _key(prefix: str, relative: Path) -> str:
    return "/".join(filter(None, (prefix.rstrip("/"), relative.as_posix())))


def _put(objects: ObjectStore, bucket: str, key: str, path: Path, owner: str) -> None:
    """Put a file; its content type is S3's default unless a browser can show it."""
    kind, _ = mimetypes.guess_type(key)
    properties = Properties(etag="", content_type=kind) if kind in SHOWN else None
    try:
        objects.put_file(bucket, key, path, properties)
    except AwsError as error:
        raise JobError(
            f"ClientError: Cannot upload {path.name} of {owner} to s3://{bucket}/{key}: {error.message} "
            "Create the bucket, or correct the output's URI."
        ) from error


def _mark(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
