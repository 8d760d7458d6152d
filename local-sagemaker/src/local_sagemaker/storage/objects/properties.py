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
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from local_sagemaker.storage.objects import files, places
from local_sagemaker.storage.objects.errors import InvalidArgument

log = logging.getLogger(__name__)

CONTENT_TYPE = "binary/octet-stream"
#: members of requests that are given back with the object, just as they came
KEPT = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "Expires")
TAG_LIMIT = 10


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
        return Properties(hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest())


def properties_of(given: Mapping[str, Any], checksums: dict[str, str] | None = None) -> Properties:
    """Return the properties that a request gives its object."""
    kept = {name: _text(given[name]) for name in KEPT if given.get(name)}
    if kept.get("ContentEncoding"):
        # aws-chunked is the request's own wrapping, which is gone
        encodings = [e.strip() for e in kept["ContentEncoding"].split(",") if e.strip() != "aws-chunked"]
        kept["ContentEncoding"] = ",".join(encodings)
    return Properties(
        etag="",
        content_type=given.get("ContentType") or CONTENT_TYPE,
        metadata=dict(given.get("Metadata") or {}),
        headers={name: value for name, value in kept.items() if value},
        checksums=checksums or {},
        tags=tags_of(parse_qsl(given.get("Tagging") or "", keep_blank_values=True)),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else f"{value:%a, %d %b %Y %H:%M:%S GMT}"


def tags_of(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return keys and values as an object's tags; raise InvalidArgument for equal keys, or too many."""
    tags = dict(pairs)
    if len(tags) != len(pairs) or len(tags) > TAG_LIMIT:
        raise InvalidArgument(f"Tags must have different keys, at most {TAG_LIMIT}")
    return tags
