"""Multipart uploads under way: parts wait in a folder until they are put together.

`<root>/.state/uploads/<id>/` holds `upload.json` and one file per part, `<number>-<md5>`, with the part's
checksum behind it if the upload has an algorithm. Whatever is there is complete and durable, so an upload
goes on after the service was killed.
"""

from __future__ import annotations

import json
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from local_sagemaker.storage.objects import checksums, files
from local_sagemaker.storage.objects.errors import NoSuchUpload
from local_sagemaker.storage.objects.objects import ObjectStore
from local_sagemaker.storage.objects.properties import Properties

ID = re.compile(r"[0-9a-f]{32}")
PART = re.compile(r"(\d{5})-([0-9a-f]{32})(?:-([0-9a-f]+))?")
#: what is kept of an upload besides its properties
KEPT = ("bucket", "key", "begun", "algorithm", "checksum_type")


@dataclass(frozen=True)
class Part:
    """One part that was uploaded."""

    number: int
    etag: str
    path: Path
    #: by the upload's algorithm, in base64; None if it has none
    checksum: str | None = None

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
    #: name of the algorithm of its checksums, and what the object's is of: COMPOSITE or FULL_OBJECT
    algorithm: str | None = None
    checksum_type: str | None = None

    @property
    def initiated(self) -> datetime:
        """When it was begun."""
        return datetime.fromtimestamp(self.begun, UTC)

    def parts(self) -> list[Part]:
        """Return the parts that are there, by number; of two with one number, the one uploaded last."""
        parts: dict[int, Part] = {}
        for path in sorted(self.folder.iterdir(), key=lambda path: path.stat().st_mtime_ns):
            if match := PART.fullmatch(path.name):
                number, etag, checksum = match.groups()
                text = None if checksum is None else checksums.encode(bytes.fromhex(checksum))
                parts[int(number)] = Part(int(number), etag, path, text)
        return [parts[number] for number in sorted(parts)]


def begin(
    store: ObjectStore,
    bucket: str,
    key: str,
    properties: Properties,
    checksum: tuple[str | None, str | None] = (None, None),
) -> Upload:
    """Begin an upload; durable when this returns. `checksum`: algorithm and type of its checksums."""
    store.places.plain(bucket, key)  # refuses what can never be put
    # ids sort by time
    name, begun = f"{time.time_ns():016x}{uuid.uuid4().hex[:16]}", time.time()
    folder = store.places.uploads / name
    upload = Upload(name, bucket, key, begun, properties, folder, *checksum)
    content = {member: getattr(upload, member) for member in KEPT} | {"properties": asdict(properties)}
    files.write(folder / "upload.json", json.dumps(content).encode())
    return upload


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
    given = {member: content.get(member) for member in KEPT}  # an earlier version kept no checksums
    return Upload(folder.name, **given, properties=Properties(**content["properties"]), folder=folder)


def remove(upload: Upload) -> None:
    """Remove an upload; it is gone from the moment its description is."""
    (upload.folder / "upload.json").unlink(missing_ok=True)
    shutil.rmtree(upload.folder, ignore_errors=True)
    files.sync_folder(upload.folder.parent)
