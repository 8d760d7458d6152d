"""Tags of objects."""

from __future__ import annotations

from typing import Any

from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.storage.objects.errors import InvalidArgument
from local_sagemaker.storage.objects.writing import TAG_LIMIT

UNUSED = ("RequestPayer", "ExpectedBucketOwner")


@operation("s3", "GetObjectTagging", ignored=UNUSED)
def get_object_tagging(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Tell an object's tags."""
    tags = context.objects.info(parameters["Bucket"], parameters["Key"]).properties.tags
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


@operation("s3", "PutObjectTagging", ignored=UNUSED)
def put_object_tagging(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Replace an object's tags."""
    given = parameters["Tagging"]["TagSet"]
    tags = {tag["Key"]: tag["Value"] for tag in given}
    if len(tags) != len(given) or len(tags) > TAG_LIMIT:
        raise InvalidArgument(f"Tags must have different keys, at most {TAG_LIMIT}")
    context.objects.set_tags(parameters["Bucket"], parameters["Key"], tags)
    return {}


@operation("s3", "DeleteObjectTagging", ignored=("ExpectedBucketOwner",))
def delete_object_tagging(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Remove an object's tags."""
    context.objects.set_tags(parameters["Bucket"], parameters["Key"], {})
    return {}
