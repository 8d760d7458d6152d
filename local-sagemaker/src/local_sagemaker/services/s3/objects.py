"""Single objects: put, get, head, copy, delete, and their tags."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from local_sagemaker.protocol import scalars
from local_sagemaker.protocol.bodies import FileBody
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.storage import threads
from local_sagemaker.storage.objects import conditions
from local_sagemaker.storage.objects.draft import fill
from local_sagemaker.storage.objects.errors import InvalidRequest
from local_sagemaker.storage.objects.objects import ObjectInfo
from local_sagemaker.storage.objects.properties import properties_of, tags_of

#: parameters of a presigned URL that replace headers of the answer
REPLACED = {
    "ResponseCacheControl": "CacheControl",
    "ResponseContentDisposition": "ContentDisposition",
    "ResponseContentEncoding": "ContentEncoding",
    "ResponseContentLanguage": "ContentLanguage",
    "ResponseContentType": "ContentType",
    "ResponseExpires": "Expires",
}


def quoted(etag: str) -> str:
    """Return an entity tag as headers and answers carry it."""
    return f'"{etag}"'


@operation("s3", "PutObject")
async def put_object(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Put an object: streamed, checked, atomic, durable, and conditional if asked."""
    body, bucket, key = parameters.get("Body", b""), parameters["Bucket"], parameters["Key"]
    context.objects.places.bucket(bucket)  # a look at one folder, before the body is read
    with context.objects.draft() as draft:
        await fill(draft, body)
        checksums = getattr(body, "checksums", {})
        given = properties_of(parameters, checksums)
        check = conditions.write_check(parameters)
        info = await threads.run(context.objects.commit, draft, bucket, key, given, check)
        return {"ETag": quoted(info.etag)} | checksum_members(checksums)


@operation("s3", "GetObject")
def get_object(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Send an object or a range of it."""
    info, file = context.objects.open(parameters["Bucket"], parameters["Key"])
    with ExitStack() as ends:
        ends.callback(file.close)
        answer, offset, length = _description(info, parameters)
        ends.pop_all()  # whoever sends the body closes it
    return answer | {"Body": FileBody(file, offset, length)}


@operation("s3", "HeadObject")
def head_object(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Describe an object."""
    info = context.objects.info(parameters["Bucket"], parameters["Key"])
    return _description(info, parameters)[0]


def _description(info: ObjectInfo, parameters: dict[str, Any]) -> tuple[dict[str, Any], int, int]:
    """Return the members that tell of an object, and offset and length of what is sent of it."""
    conditions.check_read(info, parameters)
    part = conditions.range_of(parameters.get("Range"), info.size)
    offset, length = part or (0, info.size)
    known = info.properties
    answer: dict[str, Any] = {
        "AcceptRanges": "bytes",
        "ETag": quoted(known.etag),
        "LastModified": info.modified,
        "ContentLength": length,
        "ContentType": known.content_type,
        "Metadata": known.metadata,
        "TagCount": len(known.tags) or None,
    }
    for name, value in known.headers.items():
        answer[name] = scalars.parse_time(value) if name == "Expires" else value
    for name, member in REPLACED.items():
        if name in parameters:
            answer[member] = parameters[name]
    if part is not None:
        answer["ContentRange"] = f"bytes {offset}-{offset + length - 1}/{info.size}"
    elif parameters.get("ChecksumMode") == "ENABLED":
        answer |= checksum_members(known.checksums)
    return answer, offset, length


def checksum_members(checksums: dict[str, str]) -> dict[str, str]:
    """Checksums of a whole object as members of an answer."""
    members = {f"Checksum{name}": value for name, value in checksums.items()}
    return members | {"ChecksumType": "FULL_OBJECT"} if members else {}


@operation("s3", "CopyObject")
def copy_object(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Copy an object, with its metadata or with new one."""
    source = conditions.source_of(context.objects, parameters)
    bucket, key = parameters["Bucket"], parameters["Key"]
    is_replaced = parameters.get("MetadataDirective") == "REPLACE"
    if (source.bucket, source.key) == (bucket, key) and not is_replaced:
        raise InvalidRequest(
            "This copy request is illegal because it is trying to copy an object to itself without changing "
            "the object's metadata, storage class, website redirect location or encryption attributes."
        )
    given = properties_of(parameters)
    kept = source.properties
    properties = given if is_replaced else replace(kept, etag="")
    tags = given.tags if parameters.get("TaggingDirective") == "REPLACE" else kept.tags
    with context.objects.draft() as draft:
        draft.copy(source.path)
        properties = replace(properties, tags=tags, checksums=kept.checksums)
        info = context.objects.commit(draft, bucket, key, properties, conditions.write_check(parameters))
    return {"CopyObjectResult": {"ETag": quoted(info.etag), "LastModified": info.modified}}


@operation("s3", "DeleteObject")
def delete_object(context: Context, parameters: dict[str, Any]) -> None:
    """Delete an object; one that is not there is deleted already."""
    check = conditions.write_check(parameters)
    context.objects.delete(parameters["Bucket"], parameters["Key"], check)


@operation("s3", "DeleteObjects")
def delete_objects(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Delete up to a thousand objects."""
    deleted, errors = [], []
    context.objects.places.bucket(parameters["Bucket"])
    for item in parameters["Delete"]["Objects"]:
        check = conditions.write_check({"IfMatch": item.get("ETag"), "Key": item["Key"]})
        error = context.objects.try_delete(parameters["Bucket"], item["Key"], check)
        if error is None:
            deleted.append({"Key": item["Key"]})
        else:
            errors.append({"Key": item["Key"], "Code": error.code, "Message": error.message})
    return {"Deleted": [] if parameters["Delete"].get("Quiet") else deleted, "Errors": errors}


@operation("s3", "GetObjectTagging")
def get_object_tagging(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Tell an object's tags."""
    tags = context.objects.info(parameters["Bucket"], parameters["Key"]).properties.tags
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


@operation("s3", "PutObjectTagging")
def put_object_tagging(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Replace an object's tags."""
    tags = tags_of([(tag["Key"], tag["Value"]) for tag in parameters["Tagging"]["TagSet"]])
    context.objects.set_tags(parameters["Bucket"], parameters["Key"], tags)
    return {}


@operation("s3", "DeleteObjectTagging")
def delete_object_tagging(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Remove an object's tags."""
    context.objects.set_tags(parameters["Bucket"], parameters["Key"], {})
    return {}
