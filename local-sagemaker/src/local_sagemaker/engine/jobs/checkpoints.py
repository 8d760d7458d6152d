"""Checkpoints of training jobs: brought from S3 at the start, and put there while the job runs."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from local_sagemaker.engine.jobs import channels, hosts, upload
from local_sagemaker.engine.jobs.channels import Source
from local_sagemaker.engine.jobs.failures import JobError
from local_sagemaker.errors import AwsError

if TYPE_CHECKING:
    from local_sagemaker.engine.jobs.jobs import Document, JobRecord
    from local_sagemaker.storage.objects.objects import ObjectStore

ML = "/opt/ml/"
DEFAULT = "/opt/ml/checkpoints"
#: one synchronisation of a job at a time: the job's thread and the conductor may both want one
_LOCK = threading.Lock()
#: by file: its size and time of change when it was put last
_PUT: dict[Path, tuple[int, int]] = {}


def place(request: Document) -> tuple[str, str] | None:
    """Where checkpoints are kept: (folder below /opt/ml, S3 URI); None if they are not."""
    given = request.get("CheckpointConfig")
    if given is None:
        return None
    return given.get("LocalPath", DEFAULT).removeprefix(ML).strip("/"), given["S3Uri"]


def restore(job: JobRecord, host: hosts.Host) -> None:
    """Copy what is in S3 already to where the container finds it; nothing there is a new beginning."""
    found = place(job.document)
    if found is None:
        return
    folder = host.ml / found[0]
    folder.mkdir(parents=True, exist_ok=True)
    source = Source("CheckpointConfig", found[1].rstrip("/") + "/")
    for item in channels.find(source, job.context.objects):
        target = folder / item.relative
        target.parent.mkdir(parents=True, exist_ok=True)
        # a copy: the job goes on writing to its checkpoints
        channels.place(item.info.path, target, is_linked=False)
        _PUT[target] = _mark(target)


def sync(job: JobRecord) -> None:
    """Put into S3 what has changed since the last time."""
    found = place(job.document)
    if found is None:
        return
    base = job.workspace / "hosts"
    folders = [entry / "ml" for entry in sorted(base.iterdir())] if base.is_dir() else [job.ml]
    with _LOCK:
        for folder in folders:
            _sync(folder / found[0], found[1], job.context.objects)


def _sync(folder: Path, uri: str, objects: ObjectStore) -> None:
    upload.check(folder, "its checkpoints")
    bucket, prefix = channels.split(uri, "CheckpointConfig")
    for path in upload.files(folder) if folder.is_dir() else []:
        # a file may go while it is looked at
        with suppress(FileNotFoundError):
            mark = _mark(path)
            if _PUT.get(path) == mark:
                continue
            key = "/".join(part for part in (prefix.rstrip("/"), path.relative_to(folder).as_posix()) if part)
            try:
                objects.put_file(bucket, key, path, None)
            except AwsError as error:
                raise JobError(
                    f"ClientError: Cannot put the checkpoint {path.name} to {uri}: {error}"
                ) from error
            _PUT[path] = mark


def forget(workspace: Path) -> None:
    """Let go of what is known of a job that has ended."""
    for path in [path for path in list(_PUT) if path.is_relative_to(workspace)]:
        _PUT.pop(path, None)


def _mark(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
