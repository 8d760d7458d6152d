"""S3's own table of errors."""
# ruff: noqa: N818 (the names are the codes that AWS uses)

from __future__ import annotations

from local_sagemaker.errors import AwsError


class NoSuchBucket(AwsError):
    """There is no such bucket."""

    code = "NoSuchBucket"
    status = 404


class NoSuchKey(AwsError):
    """There is no object with that key."""

    code = "NoSuchKey"
    status = 404


class NoSuchUpload(AwsError):
    """There is no such multipart upload; it was completed or aborted."""

    code = "NoSuchUpload"
    status = 404


class BucketAlreadyOwnedByYou(AwsError):
    """The bucket is there already."""

    code = "BucketAlreadyOwnedByYou"
    status = 409


class BucketNotEmpty(AwsError):
    """The bucket still holds objects."""

    code = "BucketNotEmpty"
    status = 409


class InvalidBucketName(AwsError):
    """The name breaks the rules for names of buckets."""

    code = "InvalidBucketName"


class InvalidArgument(AwsError):
    """A parameter has a value that makes no sense."""

    code = "InvalidArgument"


class InvalidRequest(AwsError):
    """The request cannot be carried out as it stands."""

    code = "InvalidRequest"


class KeyTooLong(AwsError):
    """The key has more than 1,024 bytes."""

    code = "KeyTooLongError"


class PreconditionFailed(AwsError):
    """If-Match, If-None-Match or their kin do not hold."""

    code = "PreconditionFailed"
    status = 412


class NotModified(AwsError):
    """The object is the one the client has; an answer without a body."""

    code = "NotModified"
    status = 304


class InvalidRange(AwsError):
    """The range lies outside the object."""

    code = "InvalidRange"
    status = 416


class InvalidPart(AwsError):
    """A part that is to be put together was not uploaded, or has another entity tag."""

    code = "InvalidPart"


class InvalidPartOrder(AwsError):
    """The parts to be put together are not in order."""

    code = "InvalidPartOrder"


class EntityTooSmall(AwsError):
    """A part other than the last has less than 5 MiB."""

    code = "EntityTooSmall"
