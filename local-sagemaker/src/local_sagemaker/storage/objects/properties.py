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
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from local_sagemaker.storage.objects import files, places
from local_sagemaker.storage.objects.checksums import COMPOSITE, FULL_OBJECT
from local_sagemaker.storage.objects.errors import BadRequest, InvalidTag

log = logging.getLogger(__name__)

CONTENT_TYPE = "binary/octet-stream"
#: members of requests that are given back with the object, just as they came
KEPT = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "Expires")
#: the encoding of chunked requests, with the comma before it
WRAPPING = re.compile(r"(?:^|,)\s*aws-chunked\s*(?=,|$)")
#: most tags of an object, and most characters of a key and of a value
TAG_LIMIT, TAG_KEY_LIMIT, TAG_VALUE_LIMIT = 10, 128, 256


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
    #: checksums of the object: algorithm to base64, a composite one with the number of parts behind it
    checksums: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    #: of an object that was uploaded in parts: size in bytes and checksum (or None) of each
    parts: list[tuple[int, str | None]] = field(default_factory=list)
    #: id of the multipart upload that made it
    upload: str = ""

    @property
    def checksum_type(self) -> str:
        """COMPOSITE or FULL_OBJECT."""
        return COMPOSITE if any("-" in value for value in self.checksums.values()) else FULL_OBJECT

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
        # aws-chunked is the request's own wrapping, which is gone; the others stay as they were written
        kept["ContentEncoding"] = WRAPPING.sub("", kept["ContentEncoding"]).lstrip(", ")
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
    """Return keys and values as an object's tags.

    :raises BadRequest: for too many.
    :raises InvalidTag: for equal keys, and for what is too long or the services' own.
    """
    tags = dict(pairs)
    if len(pairs) > TAG_LIMIT:
        raise BadRequest(f"Object tags cannot be greater than {TAG_LIMIT}")
    if len(tags) != len(pairs):
        raise InvalidTag("Cannot provide multiple Tags with the same key")
    for key, value in tags.items():
        if key.lower().startswith("aws:"):
            raise InvalidTag("System tags cannot be added/updated by requester", TagKey=key)
        if not 0 < len(key) <= TAG_KEY_LIMIT:
            raise InvalidTag("The TagKey you have provided is invalid", TagKey=key)
        if len(value) > TAG_VALUE_LIMIT:
            raise InvalidTag("The TagValue you have provided is invalid", TagKey=key, TagValue=value)
    return tags
