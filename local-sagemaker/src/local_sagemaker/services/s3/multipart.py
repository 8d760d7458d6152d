"""Multipart uploads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_sagemaker.errors import SerializationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.s3.buckets import encoder
from local_sagemaker.services.s3.objects import checksum_members, quoted
from local_sagemaker.storage import threads
from local_sagemaker.storage.objects import checksums, conditions, multipart, uploads
from local_sagemaker.storage.objects.checksums import ALGORITHMS
from local_sagemaker.storage.objects.draft import fill
from local_sagemaker.storage.objects.errors import InvalidArgument
from local_sagemaker.storage.objects.multipart import Claims
from local_sagemaker.storage.objects.properties import properties_of
from local_sagemaker.storage.objects.uploads import Part, Upload

PAGE_LIMIT = 1000


def _upload(context: Context, parameters: dict[str, Any]) -> Upload:
    bucket, key = parameters["Bucket"], parameters["Key"]
    return uploads.find_upload(context.objects, bucket, key, parameters["UploadId"])


@operation("s3", "CreateMultipartUpload")
def create_multipart_upload(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Begin a multipart upload."""
    bucket, key = parameters["Bucket"], parameters["Key"]
    algorithm = parameters.get("ChecksumAlgorithm")
    kind = checksums.type_of(algorithm, parameters.get("ChecksumType"))
    upload = uploads.begin(context.objects, bucket, key, properties_of(parameters), (algorithm, kind))
    return {"Bucket": bucket, "Key": key, "UploadId": upload.id, **_checksum(upload)}


@operation("s3", "UploadPart")
async def upload_part(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Upload a part: streamed, checked, durable."""
    number = parameters["PartNumber"]
    if not 1 <= number <= conditions.PART_LIMIT:
        raise InvalidArgument(
            f"Part number must be an integer between 1 and {conditions.PART_LIMIT}, inclusive"
        )
    upload = await threads.run(_upload, context, parameters)
    body = parameters.get("Body", b"")
    with context.objects.draft() as draft:
        await fill(draft, body)
        given = getattr(body, "checksums", {})
        part = await threads.run(multipart.add, context.objects, upload, number, draft, given)
    return {
        "ETag": quoted(part.etag),
        **{f"Checksum{name}": value for name, value in given.items()},
        **_value(upload, part),
    }


@operation("s3", "UploadPartCopy")
def upload_part_copy(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Take a part of a multipart upload from an object, or a range of one."""
    upload = _upload(context, parameters)
    source = conditions.source_of(context.objects, parameters)
    offset, length = conditions.copied_range(parameters.get("CopySourceRange"), source)
    with context.objects.draft() as draft:
        draft.copy(source.path, offset, length)
        part = multipart.add(context.objects, upload, parameters["PartNumber"], draft)
    result = {"ETag": quoted(part.etag), "LastModified": part.modified, **_value(upload, part)}
    return {"CopyPartResult": result}


@operation("s3", "CompleteMultipartUpload")
def complete_multipart_upload(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Put the parts together to the object, atomically and durably."""
    wanted = parameters.get("MultipartUpload", {}).get("Parts", [])
    if not wanted or not all({"PartNumber", "ETag"} <= part.keys() for part in wanted):
        raise SerializationException(
            "The XML you provided was not well-formed or did not validate against our published schema: name "
            "at least one part, each with its PartNumber and ETag."
        )
    named = parameters["Bucket"], parameters["Key"], parameters["UploadId"]
    # a client that did not hear the answer asks again
    info = multipart.find_completed(context.objects, *named, wanted)
    if info is None:
        claims = Claims(
            {name: parameters[f"Checksum{name}"] for name in ALGORITHMS if f"Checksum{name}" in parameters},
            parameters.get("ChecksumType"),
            parameters.get("MpuObjectSize"),
            conditions.write_check(parameters),
        )
        info = multipart.complete(context.objects, _upload(context, parameters), wanted, claims)
    return {
        "Location": f"{context.url}/{info.bucket}/{info.key}",
        "Bucket": info.bucket,
        "Key": info.key,
        "ETag": quoted(info.etag),
        **checksum_members(info.properties),
    }


def _checksum(upload: Upload) -> dict[str, str | None]:
    """Return what an answer says of an upload's checksums."""
    return {"ChecksumAlgorithm": upload.algorithm, "ChecksumType": upload.checksum_type}


def _value(upload: Upload, part: Part) -> dict[str, str]:
    """Return a part's checksum as a member of an answer."""
    return {} if part.checksum is None else {f"Checksum{upload.algorithm}": part.checksum}


@operation("s3", "AbortMultipartUpload")
def abort_multipart_upload(context: Context, parameters: dict[str, Any]) -> None:
    """Forget a multipart upload with its parts."""
    multipart.abort(context.objects, _upload(context, parameters))


@operation("s3", "ListParts")
def list_parts(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """List the parts of a multipart upload."""
    upload = _upload(context, parameters)
    limit = min(parameters.get("MaxParts", PAGE_LIMIT), PAGE_LIMIT)
    marker = parameters.get("PartNumberMarker", 0)
    parts = [part for part in upload.parts() if part.number > marker]
    shown = parts[:limit]
    return {
        "Bucket": upload.bucket,
        "Key": upload.key,
        "UploadId": upload.id,
        "PartNumberMarker": marker,
        "NextPartNumberMarker": shown[-1].number if shown else 0,
        "MaxParts": limit,
        "IsTruncated": len(shown) < len(parts),
        "StorageClass": "STANDARD",
        **_checksum(upload),
        "Parts": [
            {
                "PartNumber": part.number,
                "ETag": quoted(part.etag),
                "Size": part.size,
                "LastModified": part.modified,
                **_value(upload, part),
            }
            for part in shown
        ],
    }


@operation("s3", "ListMultipartUploads")
def list_multipart_uploads(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """List the multipart uploads under way in a bucket."""
    bucket, prefix = parameters["Bucket"], parameters.get("Prefix", "")
    context.objects.places.bucket(bucket)
    marker, delimiter = parameters.get("KeyMarker", ""), parameters.get("Delimiter", "")
    entries: dict[str, Upload | None] = {}  # by what a page goes on behind: an upload, or a common prefix
    for upload in uploads.under_way(context.objects, bucket, prefix):
        cut = upload.key.find(delimiter, len(prefix)) + len(delimiter) if delimiter else -1
        if delimiter and cut >= len(prefix) + len(delimiter):
            if upload.key[:cut] > marker:
                entries[upload.key[:cut]] = None
        elif _is_beyond(upload, marker, parameters.get("UploadIdMarker", "")):
            entries[f"{upload.key}/{upload.id}"] = upload
    encoded = encoder(parameters)
    limit = min(parameters.get("MaxUploads", PAGE_LIMIT), PAGE_LIMIT)
    shown = list(entries.items())[:limit]
    answer: dict[str, Any] = {
        "Bucket": bucket,
        "KeyMarker": encoded(marker),
        "UploadIdMarker": parameters.get("UploadIdMarker", ""),
        "Prefix": encoded(prefix),
        "Delimiter": encoded(delimiter) if delimiter else None,
        "EncodingType": parameters.get("EncodingType"),
        "MaxUploads": limit,
        "IsTruncated": len(shown) < len(entries),
        "Uploads": [_listed(upload, encoded) for _, upload in shown if upload is not None],
        "CommonPrefixes": [{"Prefix": encoded(common)} for common, upload in shown if upload is None],
    }
    if answer["IsTruncated"] and shown:
        common, last = shown[-1]
        answer["NextKeyMarker"] = encoded(common if last is None else last.key)
        answer["NextUploadIdMarker"] = "" if last is None else last.id
    return answer


def _listed(upload: Upload, encoded: Callable[[str], str]) -> dict[str, Any]:
    return {"Key": encoded(upload.key), "UploadId": upload.id, "Initiated": upload.initiated}


def _is_beyond(upload: Upload, key: str, name: str) -> bool:
    """Whether an upload comes on a page after the one that ended with `key` and `name`."""
    if not name:
        return upload.key.encode() > key.encode() or not key
    return (upload.key.encode(), upload.id) > (key.encode(), name)
