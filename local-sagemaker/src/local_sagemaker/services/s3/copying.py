"""Copies of objects, made inside the service."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.s3.objects import UNUSED, quoted
from local_sagemaker.storage.objects import conditions, multipart, sources, writing
from local_sagemaker.storage.objects.errors import InvalidRequest


@operation("s3", "CopyObject", ignored=UNUSED)
def copy_object(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Copy an object, with its metadata or with new one."""
    source = sources.source_of(context.objects, parameters)
    bucket, key = parameters["Bucket"], parameters["Key"]
    is_replaced = parameters.get("MetadataDirective") == "REPLACE"
    if (source.bucket, source.key) == (bucket, key) and not is_replaced:
        raise InvalidRequest(
            "This copy request is illegal because it is trying to copy an object to itself without changing "
            "the object's metadata, storage class, website redirect location or encryption attributes."
        )
    given = writing.properties_of(parameters)
    kept = source.properties
    properties = given if is_replaced else replace(kept, etag="")
    tags = given.tags if parameters.get("TaggingDirective") == "REPLACE" else kept.tags
    with context.objects.draft() as draft:
        draft.copy(source.path)
        properties = replace(properties, tags=tags, checksums=kept.checksums)
        info = context.objects.commit(draft, bucket, key, properties, conditions.write_check(parameters))
    return {"CopyObjectResult": {"ETag": quoted(info.etag), "LastModified": info.modified}}


@operation(
    "s3", "UploadPartCopy", ignored=("RequestPayer", "ExpectedBucketOwner", "ExpectedSourceBucketOwner")
)
def upload_part_copy(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Take a part of a multipart upload from an object, or a range of one."""
    upload = multipart.find(context.objects, parameters["Bucket"], parameters["Key"], parameters["UploadId"])
    source = sources.source_of(context.objects, parameters)
    offset, length = sources.part_of(parameters.get("CopySourceRange"), source)
    with context.objects.draft() as draft:
        draft.copy(source.path, offset, length)
        part = multipart.add(context.objects, upload, parameters["PartNumber"], draft)
    return {"CopyPartResult": {"ETag": quoted(part.etag), "LastModified": part.modified}}
