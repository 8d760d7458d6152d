"""Multipart uploads."""

from __future__ import annotations

from typing import Any

from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.s3.objects import UNUSED, checksum_members, quoted
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


@operation("s3", "CreateMultipartUpload", ignored=(*UNUSED, "ChecksumType"))
def create_multipart_upload(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Begin a multipart upload."""
    bucket, key = parameters["Bucket"], parameters["Key"]
    upload = multipart.begin(context.objects, bucket, key, properties_of(parameters))
    return {"Bucket": bucket, "Key": key, "UploadId": upload.id}


@operation("s3", "UploadPart", ignored=("RequestPayer", "ExpectedBucketOwner"))
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


@operation(
    "s3", "UploadPartCopy", ignored=("RequestPayer", "ExpectedBucketOwner", "ExpectedSourceBucketOwner")
)
def upload_part_copy(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Take a part of a multipart upload from an object, or a range of one."""
    upload = _upload(context, parameters)
    source = conditions.source_of(context.objects, parameters)
    offset, length = conditions.copied_range(parameters.get("CopySourceRange"), source)
    with context.objects.draft() as draft:
        draft.copy(source.path, offset, length)
        part = multipart.add(context.objects, upload, parameters["PartNumber"], draft)
    return {"CopyPartResult": {"ETag": quoted(part.etag), "LastModified": part.modified}}


@operation("s3", "CompleteMultipartUpload", ignored=("RequestPayer", "ExpectedBucketOwner", "ChecksumType"))
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


@operation("s3", "AbortMultipartUpload", ignored=("RequestPayer", "ExpectedBucketOwner"))
def abort_multipart_upload(context: Context, parameters: dict[str, Any]) -> None:
    """Forget a multipart upload with its parts."""
    multipart.abort(context.objects, _upload(context, parameters))


@operation("s3", "ListParts", ignored=("RequestPayer", "ExpectedBucketOwner"))
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


@operation("s3", "ListMultipartUploads", ignored=("RequestPayer", "ExpectedBucketOwner"))
def list_multipart_uploads(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """List the multipart uploads under way in a bucket."""
    bucket, prefix = parameters["Bucket"], parameters.get("Prefix", "")
    context.objects.places.bucket(bucket)
    marker = (parameters.get("KeyMarker", ""), parameters.get("UploadIdMarker", ""))
    uploads = [u for u in multipart.under_way(context.objects, bucket, prefix) if _is_beyond(u, *marker)]
    limit = min(parameters.get("MaxUploads", PAGE_LIMIT), PAGE_LIMIT)
    shown = uploads[:limit]
    answer: dict[str, Any] = {
        "Bucket": bucket,
        "Prefix": prefix,
        "MaxUploads": limit,
        "IsTruncated": len(shown) < len(uploads),
        "Uploads": [{"Key": u.key, "UploadId": u.id, "Initiated": u.initiated} for u in shown],
    }
    if answer["IsTruncated"] and shown:
        answer |= {"NextKeyMarker": shown[-1].key, "NextUploadIdMarker": shown[-1].id}
    return answer


def _is_beyond(upload: Upload, key: str, name: str) -> bool:
    """Whether an upload comes on a page after the one that ended with `key` and `name`."""
    if not name:
        return upload.key.encode() > key.encode() or not key
    return (upload.key.encode(), upload.id) > (key.encode(), name)
