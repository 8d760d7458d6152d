"""S3's own table of errors."""
# ruff: noqa: N818 (the names are the codes that AWS uses)

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime

from local_sagemaker.errors import AwsError


class NoSuchBucket(AwsError, status=404):
    """There is no such bucket."""


class NoSuchKey(AwsError, status=404):
    """There is no object with that key."""


class NoSuchUpload(AwsError, status=404):
    """There is no such multipart upload; it was completed or aborted."""


class BucketAlreadyOwnedByYou(AwsError, status=409):
    """The bucket is there already."""


class BucketNotEmpty(AwsError, status=409):
    """The bucket still holds objects."""


class InvalidBucketName(AwsError):
    """The name breaks the rules for names of buckets."""


class InvalidArgument(AwsError):
    """A parameter has a value that makes no sense."""


class InvalidRequest(AwsError):
    """The request cannot be carried out as it stands."""


class KeyTooLong(AwsError, code="KeyTooLongError"):
    """The key has more than 1,024 bytes."""


class PreconditionFailed(AwsError, status=412):
    """If-Match, If-None-Match or their kin do not hold."""


class NotModified(AwsError, status=304):
    """The object is the one the client has; an answer without a body that tells which it is."""

    def __init__(self, etag: str, modified: datetime) -> None:
        super().__init__("Not Modified")
        self.headers = {"etag": f'"{etag}"', "last-modified": format_datetime(modified, usegmt=True)}


class InvalidPartNumber(AwsError, status=416):
    """The object has no such part."""


class InvalidTag(AwsError):
    """A tag that an object cannot have."""


class BadRequest(AwsError):
    """More than S3 takes."""


class BadDigest(AwsError):
    """The bytes are not what their checksum says."""


class InvalidRange(AwsError, status=416):
    """The range lies outside the object."""


class InvalidPart(AwsError):
    """A part that is to be put together was not uploaded, or has another entity tag."""


class InvalidPartOrder(AwsError):
    """The parts to be put together are not in order."""


class EntityTooSmall(AwsError):
    """A part other than the last has less than 5 MiB."""
