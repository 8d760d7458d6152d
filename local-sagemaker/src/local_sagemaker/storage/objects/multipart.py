"""What is done with the parts of an upload: add one, join them to the object, forget them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from local_sagemaker.storage.objects import checksums, files
from local_sagemaker.storage.objects.draft import Draft
from local_sagemaker.storage.objects.errors import (
    BadDigest,
    EntityTooSmall,
    InvalidPart,
    InvalidPartOrder,
    InvalidRequest,
)
from local_sagemaker.storage.objects.objects import Check, ObjectInfo, ObjectStore
from local_sagemaker.storage.objects.uploads import Part, Upload, find_upload, remove

ETAG = re.compile(r"[0-9a-f]{32}")
SMALLEST_BYTES = 5 * 1024 * 1024


def add(
    store: ObjectStore,
    upload: Upload,
    number: int,
    draft: Draft,
    given: Mapping[str, str] | None = None,
) -> Part:
    """Keep a part, in the place of an earlier one with its number; durable when this returns.

    :param given: checksums that came with its bytes, found right; None: the service copied the bytes itself.
    """
    checksum = _part_checksum(upload, draft, given)
    draft.finish()
    behind = "" if checksum is None else f"-{(checksums.decode(checksum) or b'').hex()}"
    path = upload.folder / f"{number:05d}-{draft.md5}{behind}"
    with store.lock(upload.id):
        find_upload(store, upload.bucket, upload.key, upload.id)
        earlier = [part for part in upload.parts() if part.number == number]
        draft.path.replace(path)
        files.sync_folder(upload.folder)
        for part in earlier:
            if part.path != path:
                part.path.unlink()
    return Part(number, draft.md5, path, checksum)


def _part_checksum(upload: Upload, draft: Draft, given: Mapping[str, str] | None) -> str | None:
    """Return a part's checksum by the upload's algorithm; InvalidRequest if it came with another."""
    algorithm = upload.algorithm
    if algorithm is None:
        return None
    if given and algorithm in given:
        return given[algorithm]
    if given is not None and (given or upload.checksum_type == checksums.COMPOSITE):
        actual = next(iter(given), "null").lower()
        raise InvalidRequest(
            f"Checksum Type mismatch occurred, expected checksum Type: {algorithm.lower()}, actual checksum "
            f"Type: {actual}"
        )
    return checksums.of_file(algorithm, draft.path)


def complete(
    store: ObjectStore, upload: Upload, wanted: Sequence[Mapping[str, Any]], claims: Claims
) -> ObjectInfo:
    """Put parts together to the object: `wanted` are the parts of the request, in order."""
    with store.lock(upload.id):
        find_upload(store, upload.bucket, upload.key, upload.id)
        parts = _chosen(upload, wanted)
        claims.check(upload, sum(part.size for part in parts))
        with store.draft() as draft:
            for part in parts:
                draft.copy(part.path)
            given = replace(
                upload.properties,
                etag=joined_etag([part.etag for part in parts]),
                parts=[(part.size, part.checksum) for part in parts],
                upload=upload.id,
                checksums=claims.checksums(upload, parts, draft.path),
            )
            info = store.commit(draft, upload.bucket, upload.key, given, claims.condition)
        remove(upload)
    return info


@dataclass(frozen=True)
class Claims:
    """What a request to complete an upload says of the object that will be made."""

    #: its checksums: algorithm to base64
    given: Mapping[str, str]
    checksum_type: str | None
    #: in bytes
    size: int | None
    condition: Check | None = None

    def check(self, upload: Upload, size: int) -> None:
        """Raise InvalidRequest if the object would be another than was said."""
        if self.checksum_type not in (None, upload.checksum_type) and upload.algorithm is not None:
            raise InvalidRequest(
                f"The upload was created using the {upload.checksum_type} checksum mode. The complete "
                "request must use the same checksum mode."
            )
        if self.size not in (None, size):
            raise InvalidRequest(
                f"The provided 'x-amz-mp-object-size' header value {self.size} does not match what was "
                f"computed: {size}"
            )

    def checksums(self, upload: Upload, parts: Sequence[Part], path: Path) -> dict[str, str]:
        """Return the checksums of the object; raise BadDigest if one is not what was said."""
        algorithm, actual = upload.algorithm, {}
        if algorithm is not None:
            joined = [(checksums.decode(part.checksum or "") or b"", part.size) for part in parts]
            actual[algorithm] = checksums.joined(algorithm, upload.checksum_type, joined)
        for name, value in self.given.items():
            computed = actual.get(name) or checksums.of_file(name, path)
            # a composite one may be given without the number of parts
            if value not in (computed, computed.partition("-")[0]):
                raise BadDigest(f"The {name.lower()} you specified did not match the calculated checksum.")
            actual.setdefault(name, computed)
        return actual


def joined_etag(etags: Sequence[str]) -> str:
    """Return the entity tag of an object that is joined of parts with these tags."""
    joined = b"".join(bytes.fromhex(etag) for etag in etags)
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(etags)}"


def find_completed(
    store: ObjectStore, bucket: str, key: str, name: str, wanted: Sequence[Mapping[str, Any]]
) -> ObjectInfo | None:
    """Return the object that this upload has made of the same parts; None if there is none."""
    info, etags = store.find_object(bucket, key), [_etag(part) for part in wanted]
    if info is None or not name or info.properties.upload != name or not all(map(ETAG.fullmatch, etags)):
        return None
    return info if info.etag == joined_etag(etags) else None


def _etag(part: Mapping[str, Any]) -> str:
    return str(part.get("ETag", "")).strip('"')


def abort(store: ObjectStore, upload: Upload) -> None:
    """Forget an upload and its parts."""
    with store.lock(upload.id):
        remove(upload)


def _chosen(upload: Upload, wanted: Sequence[Mapping[str, Any]]) -> list[Part]:
    there, numbers = {part.number: part for part in upload.parts()}, [one["PartNumber"] for one in wanted]
    if numbers != sorted(set(numbers)):
        raise InvalidPartOrder("The list of parts was not in ascending order.", UploadId=upload.id)
    chosen = []
    for one in wanted:
        number, part = one["PartNumber"], there.get(one["PartNumber"])
        if part is None or part.etag != _etag(one) or not _is_claimed(upload, part, one):
            raise InvalidPart(
                f"Part {number} could not be found: it was not uploaded, or has another tag or checksum.",
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


def _is_claimed(upload: Upload, part: Part, wanted: Mapping[str, Any]) -> bool:
    """Whether a part's checksum is what the request says; InvalidRequest where it must say one."""
    claimed = {
        name: wanted[f"Checksum{name}"] for name in checksums.ALGORITHMS if f"Checksum{name}" in wanted
    }
    if upload.checksum_type == checksums.COMPOSITE and not claimed:
        raise InvalidRequest(
            f"The upload was created using a {str(upload.algorithm).lower()} checksum. The complete request "
            f"must include the checksum for each part. It was missing for part {part.number} in the request."
        )
    return all(name == upload.algorithm and value == part.checksum for name, value in claimed.items())
