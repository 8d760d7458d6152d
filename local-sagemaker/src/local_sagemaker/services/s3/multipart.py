"""Multipart uploads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.s3.buckets import encoder
from local_sagemaker.services.s3.objects import checksum_members, quoted
from local_sagemaker.storage import threads
from local_sagemaker.storage.objects import conditions, multipart
from local_sagemaker.storage.objects.draft import fill
from local_sagemaker.storage.objects.errors import InvalidArgument
from local_sagemaker.storage.objects.multipart import Upload
from local_sagemaker.storage.objects.properties import properties_of

PAGE_LIMIT = 1000
PART_LIMIT = 10_000


def _upload(context: Context, parameters: dict[str, Any]) -> Upload:
    bucket, key = parameters["Bucket"], parameters["Key"]
    return multipart.find_upload(context.objects, bucket, key, parameters["UploadId"])


@operation("s3", "CreateMultipartUpload")
def create_multipart_upload(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Begin a multipart upload."""
    bucket, key = parameters["Bucket"], parameters["Key"]
    upload = multipart.begin(context.objects, bucket, key, properties_of(parameters))
    return {"Bucket": bucket, "Key": key, "UploadId": upload.id}


@operation("s3", "UploadPart")
async def upload_part(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Upload a part: streamed, checked, durable."""
    number = parameters["PartNumber"]
    if not 1 <= number <= PART_LIMIT:
        raise InvalidArgument(f"Part number must be an integer between 1 and {PART_LIMIT}, inclusive")
    upload = await threads.run(_upload, context, parameters)
    body = parameters.get("Body", b"")
    with context.objects.draft() as draft:
        await fill(draft, body)
        part = await threads.run(multipart.add, context.objects, upload, number, draft)
    members = checksum_members(getattr(body, "checksums", {}))
    members.pop("ChecksumType", None)
    return {"ETag": quoted(part.etag)} | members


@operation("s3", "UploadPartCopy")
def upload_part_copy(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Take a part of a multipart upload from an object, or a range of one."""
    upload = _upload(context, parameters)
    source = conditions.source_of(context.objects, parameters)
    offset, length = conditions.copied_range(parameters.get("CopySourceRange"), source)
    with context.objects.draft() as draft:
        draft.copy(source.path, offset, length)
        part = multipart.add(context.objects, upload, parameters["PartNumber"], draft)
    return {"CopyPartResult": {"ETag": quoted(part.etag), "LastModified": part.modified}}


@operation("s3", "CompleteMultipartUpload")
def complete_multipart_upload(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Put the parts together to the object, atomically and durably."""
    upload = _upload(context, parameters)
    listed = parameters.get("MultipartUpload", {}).get("Parts", [])
    if not listed:
        raise InvalidArgument("You must specify at least one part")
    wanted = [(part.get("PartNumber", 0), part.get("ETag", "").strip('"')) for part in listed]
    info = multipart.complete(context.objects, upload, wanted, conditions.write_check(parameters))
    location = f"{context.url}/{info.bucket}/{info.key}"
    return {"Location": location, "Bucket": info.bucket, "Key": info.key, "ETag": quoted(info.etag)}


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
        "Parts": [
            {"PartNumber": p.number, "ETag": quoted(p.etag), "Size": p.size, "LastModified": p.modified}
            for p in shown
        ],
    }


@operation("s3", "ListMultipartUploads")
def list_multipart_uploads(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """List the multipart uploads under way in a bucket."""
    bucket, prefix = parameters["Bucket"], parameters.get("Prefix", "")
    context.objects.places.bucket(bucket)
    marker, delimiter = parameters.get("KeyMarker", ""), parameters.get("Delimiter", "")
    entries: dict[str, Upload | None] = {}  # by what a page goes on behind: an upload, or a common prefix
    for upload in multipart.under_way(context.objects, bucket, prefix):
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
