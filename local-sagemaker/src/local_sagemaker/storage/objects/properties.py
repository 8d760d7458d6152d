"""What an object has besides its bytes: entity tag, content type, metadata, checksums, tags.

They lie in a file named for the object's key *and* for the identity of the file with its bytes (inode, time
of modification, size). Written before the bytes take their place, they come into force in the same instant,
and a file that was changed or dropped in by hand has none: its entity tag is computed when first asked for.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from local_sagemaker.storage.objects import files, places

log = logging.getLogger(__name__)

CONTENT_TYPE = "binary/octet-stream"


@dataclass(frozen=True)
class Properties:
    """The properties of one object."""

    #: without quotes
    etag: str
    content_type: str = CONTENT_TYPE
    #: the user's metadata, names in lower case
    metadata: dict[str, str] = field(default_factory=dict)
    #: other headers given back as they came: cache-control, content-encoding, ...
    headers: dict[str, str] = field(default_factory=dict)
    #: checksums of the whole object as the client gave them: algorithm to base64
    checksums: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def is_irreplaceable(self) -> bool:
        """Whether something here cannot be computed anew from the object's bytes, should it be lost."""
        given = self.metadata or self.headers or self.tags or self.content_type != CONTENT_TYPE
        return bool(given) or "-" in self.etag


def identity(status: os.stat_result) -> str:
    """Return the identity of one version of a file."""
    return f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"


def _path(folder: Path, key: str, status: os.stat_result) -> Path:
    name = places.digest(key)
    return folder / name[:2] / f"{name}.{identity(status)}"


def save(folder: Path, key: str, status: os.stat_result, properties: Properties) -> None:
    """Keep the properties of the file with `status`, durably."""
    content, is_durable = json.dumps(asdict(properties)).encode(), properties.is_irreplaceable
    files.write(_path(folder, key, status), content, is_durable=is_durable)


def load(folder: Path, key: str, status: os.stat_result) -> Properties | None:
    """Return the properties of the file with `status`, None if it was put there by hand."""
    try:
        return Properties(**json.loads(_path(folder, key, status).read_bytes()))
    except FileNotFoundError:
        return None
    except ValueError:
        log.warning("The properties of %r were damaged, as by a power cut; they are computed anew.", key)
        return None


def forget(folder: Path, key: str, status: os.stat_result) -> None:
    """Remove the properties of a file that is gone."""
    _path(folder, key, status).unlink(missing_ok=True)


def computed(path: Path) -> Properties:
    """Return the properties of a file without any: its entity tag is the MD5 of its bytes."""
    with path.open("rb") as file:
        return Properties(hashlib.file_digest(file, _md5).hexdigest())


def _md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)
