"""Multipart uploads: parts wait in a folder until they are put together.

`<root>/.state/uploads/<id>/` holds `upload.json` and one file per part, `<number>-<md5>`. Whatever is there
is complete and durable, so an upload goes on after the service was killed.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from local_sagemaker.storage.objects import files
from local_sagemaker.storage.objects.draft import Draft
from local_sagemaker.storage.objects.errors import EntityTooSmall, InvalidPart, InvalidPartOrder, NoSuchUpload
from local_sagemaker.storage.objects.objects import Check, ObjectInfo, ObjectStore
from local_sagemaker.storage.objects.properties import Properties

ID = re.compile(r"[0-9a-f]{32}")
PART = re.compile(r"(\d{5})-([0-9a-f]{32})")
SMALLEST_BYTES = 5 * 1024 * 1024


@dataclass(frozen=True)
class Part:
    """One part that was uploaded."""

    number: int
    etag: str
    path: Path

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.path.stat().st_size

    @property
    def modified(self) -> datetime:
        """When it was uploaded."""
        return datetime.fromtimestamp(self.path.stat().st_mtime, UTC)


@dataclass(frozen=True)
class Upload:
    """One multipart upload under way."""

    id: str
    bucket: str
    key: str
    #: seconds since 1970
    begun: float
    properties: Properties
    folder: Path

    @property
    def initiated(self) -> datetime:
        """When it was begun."""
        return datetime.fromtimestamp(self.begun, UTC)

    def parts(self) -> list[Part]:
        """Return the parts that are there, by number; of two with one number, the one uploaded last."""
        parts: dict[int, Part] = {}
        for path in sorted(self.folder.iterdir(), key=lambda path: path.stat().st_mtime_ns):
            match = PART.fullmatch(path.name)
            if match:
                parts[int(match.group(1))] = Part(int(match.group(1)), match.group(2), path)
        return [parts[number] for number in sorted(parts)]


def begin(store: ObjectStore, bucket: str, key: str, properties: Properties) -> Upload:
    """Begin an upload; durable when this returns."""
    store.places.plain(bucket, key)  # refuses what can never be put
    # ids sort by time
    name, begun = f"{time.time_ns():016x}{uuid.uuid4().hex[:16]}", time.time()
    folder = store.places.uploads / name
    content = {"bucket": bucket, "key": key, "begun": begun, "properties": asdict(properties)}
    files.write(folder / "upload.json", json.dumps(content).encode())
    return Upload(name, bucket, key, begun, properties, folder)


def find_upload(store: ObjectStore, bucket: str, key: str, name: str) -> Upload:
    """Return the upload; raise NoSuchUpload when it is not there or is for another key."""
    upload = _load(store.places.uploads / name) if ID.fullmatch(name) else None
    if upload is None or (upload.bucket, upload.key) != (bucket, key):
        raise NoSuchUpload(
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
            "aborted or completed.",
            UploadId=name,
        )
    return upload


def under_way(store: ObjectStore, bucket: str, prefix: str) -> list[Upload]:
    """Return the uploads for keys with the prefix, by key and time."""
    loaded: Iterator[Upload | None] = (_load(folder) for folder in store.places.uploads.iterdir())
    uploads = [u for u in loaded if u is not None and u.bucket == bucket and u.key.startswith(prefix)]
    return sorted(uploads, key=lambda upload: (upload.key.encode(), upload.id))


def _load(folder: Path) -> Upload | None:
    try:
        content = json.loads((folder / "upload.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    given = Properties(**content["properties"])
    return Upload(folder.name, content["bucket"], content["key"], content["begun"], given, folder)


def add(store: ObjectStore, upload: Upload, number: int, draft: Draft) -> Part:
    """Keep a part, in the place of an earlier one with its number; durable when this returns."""
    draft.finish()
    path = upload.folder / f"{number:05d}-{draft.md5}"
    with store.lock(upload.id):
        find_upload(store, upload.bucket, upload.key, upload.id)
        earlier = [part for part in upload.parts() if part.number == number]
        draft.path.replace(path)
        files.sync_folder(upload.folder)
        for part in earlier:
            if part.path != path:
                part.path.unlink()
    return Part(number, draft.md5, path)


def complete(
    store: ObjectStore, upload: Upload, wanted: list[tuple[int, str]], check: Check | None = None
) -> ObjectInfo:
    """Put parts together to the object: `wanted` holds number and entity tag of each, in order."""
    with store.lock(upload.id):
        find_upload(store, upload.bucket, upload.key, upload.id)
        parts = _chosen(upload, wanted)
        joined = b"".join(bytes.fromhex(part.etag) for part in parts)
        etag = f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(parts)}"
        with store.draft() as draft:
            for part in parts:
                draft.copy(part.path)
            given = replace(upload.properties, etag=etag)
            info = store.commit(draft, upload.bucket, upload.key, given, check)
        remove(upload)
    return info


def abort(store: ObjectStore, upload: Upload) -> None:
    """Forget an upload and its parts."""
    with store.lock(upload.id):
        remove(upload)


def remove(upload: Upload) -> None:
    """Remove an upload; it is gone from the moment its description is."""
    (upload.folder / "upload.json").unlink(missing_ok=True)
    shutil.rmtree(upload.folder, ignore_errors=True)
    files.sync_folder(upload.folder.parent)


def _chosen(upload: Upload, wanted: list[tuple[int, str]]) -> list[Part]:
    there, numbers = {part.number: part for part in upload.parts()}, [number for number, _ in wanted]
    if numbers != sorted(set(numbers)):
        raise InvalidPartOrder("The list of parts was not in ascending order.", UploadId=upload.id)
    chosen = []
    for number, etag in wanted:
        part = there.get(number)
        if part is None or part.etag != etag:
            raise InvalidPart(
                f"Part {number} could not be found: it was not uploaded, or its entity tag is another.",
                UploadId=upload.id,
                PartNumber=number,
            )
        chosen.append(part)
    for part in chosen[:-1]:
        if part.size < SMALLEST_BYTES:
            raise EntityTooSmall(
                "Your proposed upload is smaller than the minimum allowed size",
                ProposedSize=part.size,
                MinSizeAllowed=SMALLEST_BYTES,
                PartNumber=part.number,
            )
    return chosen
