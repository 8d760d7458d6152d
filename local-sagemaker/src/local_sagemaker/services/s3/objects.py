"""Single objects: put, get, head, copy, delete, and their tags."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from local_sagemaker.protocol import scalars
from local_sagemaker.protocol.bodies import FileBody
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.storage import threads
from local_sagemaker.storage.objects import checksums, conditions
from local_sagemaker.storage.objects.checksums import FULL_OBJECT
from local_sagemaker.storage.objects.draft import fill
from local_sagemaker.storage.objects.errors import InvalidRequest
from local_sagemaker.storage.objects.objects import ObjectInfo
from local_sagemaker.storage.objects.properties import Properties, properties_of, tags_of

#: most parts of one page
PARTS = 1000
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
        given = properties_of(parameters, getattr(body, "checksums", {}))
        check = conditions.write_check(parameters)
        info = await threads.run(context.objects.commit, draft, bucket, key, given, check)
        return {"ETag": quoted(info.etag)} | checksum_members(given)


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
    number, known = parameters.get("PartNumber"), info.properties
    if number is not None and "Range" in parameters:
        raise InvalidRequest("Cannot specify both Range header and partNumber query parameter")
    part = conditions.range_of(parameters.get("Range"), info.size)
    if number is not None:
        part = conditions.part_of(number, info)
    offset, length = part or (0, info.size)
    answer: dict[str, Any] = {
        "AcceptRanges": "bytes",
        "ETag": quoted(known.etag),
        "LastModified": info.modified,
        "ContentLength": length,
        "ContentType": known.content_type,
        "Metadata": known.metadata,
        "TagCount": len(known.tags) or None,
        "PartsCount": len(known.parts) or None if number is not None else None,
    }
    for name, value in known.headers.items():
        answer[name] = scalars.parse_time(value) if name == "Expires" else value
    for name, member in REPLACED.items():
        if name in parameters:
            answer[member] = parameters[name]
    if part is not None and info.size:
        answer["ContentRange"] = f"bytes {offset}-{offset + length - 1}/{info.size}"
    if parameters.get("ChecksumMode") == "ENABLED":
        answer |= _sent_checksum(known, number, is_whole=length == info.size)
    return answer, offset, length


def _sent_checksum(known: Properties, number: int | None, *, is_whole: bool) -> dict[str, str]:
    """Return the checksum of what is sent: of the whole object, or of the part that was asked for."""
    if number is not None and known.parts and known.checksums:
        [name, *_], checksum = known.checksums, known.parts[number - 1][1]
        return {} if checksum is None else {f"Checksum{name}": checksum, "ChecksumType": known.checksum_type}
    return checksum_members(known) if is_whole else {}


def checksum_members(known: Properties) -> dict[str, str]:
    """Return the checksums of an object as members of an answer."""
    members = {f"Checksum{name}": value for name, value in known.checksums.items()}
    return members | {"ChecksumType": known.checksum_type} if members else {}


@operation("s3", "GetObjectAttributes")
def get_object_attributes(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Tell the attributes of an object that are asked for, its parts among them."""
    info = context.objects.info(parameters["Bucket"], parameters["Key"])
    known = info.properties
    answer = {
        "ETag": known.etag,
        "Checksum": checksum_members(known) or None,
        "ObjectParts": _parts(known, parameters) if known.parts else None,
        "StorageClass": "STANDARD",
        "ObjectSize": info.size,
    }
    chosen = {name: value for name, value in answer.items() if name in parameters["ObjectAttributes"]}
    return {"LastModified": info.modified, **chosen}


def _parts(known: Properties, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return a page of an object's parts; those without a checksum are only counted, as S3 has it."""
    marker, limit = parameters.get("PartNumberMarker", 0), min(parameters.get("MaxParts", PARTS), PARTS)
    name = next(iter(known.checksums), None)
    behind = list(enumerate(known.parts, 1))[marker:]
    shown = behind[:limit]
    return {
        "TotalPartsCount": len(known.parts),
        "PartNumberMarker": marker,
        "NextPartNumberMarker": shown[-1][0] if shown else 0,
        "MaxParts": limit,
        "IsTruncated": len(shown) < len(behind),
        "Parts": [
            {"PartNumber": number, "Size": size, f"Checksum{name}": checksum}
            for number, (size, checksum) in shown
            if checksum is not None
        ],
    }


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
        given_checksums = _copied_checksums(kept, parameters.get("ChecksumAlgorithm"), draft.path)
        properties = replace(properties, tags=tags, checksums=given_checksums, parts=[], upload="")
        info = context.objects.commit(draft, bucket, key, properties, conditions.write_check(parameters))
    result = {"ETag": quoted(info.etag), "LastModified": info.modified, **checksum_members(info.properties)}
    return {"CopyObjectResult": result}


def _copied_checksums(kept: Properties, algorithm: str | None, path: Path) -> dict[str, str]:
    """Return the checksums of a copy, which is of one part: by the algorithm asked for, or the source's."""
    known = kept.checksums if kept.checksum_type == FULL_OBJECT else {}
    names = list(kept.checksums) if algorithm is None else [algorithm]
    return {name: known.get(name) or checksums.of_file(name, path) for name in names}


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
