"""The errors that handlers raise, as AWS words them, and `translate`, which makes them of others.

    AwsError
    ├── ValidationException     a request that cannot be carried out as it stands (HTTP 400)
    ├── ResourceNotFound        what the request names does not exist (400)
    ├── ResourceInUse           the name is taken, or the thing is busy (400)
    ├── ResourceLimitExceeded   a limit of the account (400)
    ├── ConflictException       somebody else changed it first (400)
    ├── UnknownOperation        the service has no such operation, or this one does not emulate it (400)
    ├── InvalidParameterValueException        a value that CloudWatch does not take (400)
    ├── InvalidParameterCombinationException  values that CloudWatch does not take together (400)
    ├── SerializationException  a body that is no valid document of the protocol (400)
    ├── EntityTooLarge          a body longer than the operation takes (413)
    ├── AccessDenied            the request is not signed by a known key (403)
    ├── StorageFailure          the disk below the service's root cannot be written (507)
    └── InternalFailure         a mistake of this service (500)

S3 has its own table of codes in storage/objects/errors.py, the runtime in engine/endpoints/invoke.py.
"""
# ruff: noqa: N818 (the names are the codes that AWS uses)

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class AwsError(Exception):
    """An error answer: code, message, HTTP status, and members that the error's shape has besides."""

    code: str = "InternalFailure"
    status: int = 400

    def __init__(self, message: str, **members: Any) -> None:  # noqa: ANN401 (members are any JSON)
        super().__init__(message)
        self.message = message
        self.members = members


class ValidationException(AwsError):
    """A request that cannot be carried out as it stands; also a missing job, model or endpoint."""

    code = "ValidationException"


class ResourceNotFound(AwsError):
    """What the request names does not exist."""

    code = "ResourceNotFound"


class ResourceInUse(AwsError):
    """The name is taken, or the thing is busy."""

    code = "ResourceInUse"


class ResourceLimitExceeded(AwsError):
    """A limit of the account is reached."""

    code = "ResourceLimitExceeded"


class ConflictException(AwsError):
    """Somebody else changed it first."""

    code = "ConflictException"


class UnknownOperation(AwsError):
    """The service has no such operation, or the local one does not emulate it."""

    code = "UnknownOperationException"


class SerializationException(AwsError):
    """A body that is no valid document of the protocol."""

    code = "SerializationException"


class InvalidParameterValueException(AwsError):
    """A value that CloudWatch does not take."""

    code = "InvalidParameterValueException"


class InvalidParameterCombinationException(AwsError):
    """Values that CloudWatch does not take together."""

    code = "InvalidParameterCombinationException"


class AccessDenied(AwsError):
    """The request is not signed by a known key."""

    code = "AccessDeniedException"
    status = 403


class InternalFailure(AwsError):
    """A mistake of this service; its log has the traceback under the request's id."""

    code = "InternalFailure"
    status = 500


class StorageFailure(AwsError):
    """The disk below the service's root cannot be written. Clients do not repeat it by themselves."""

    code = "InsufficientStorage"
    status = 507


class EntityTooLarge(AwsError):
    """A body longer than the operation takes."""

    code = "RequestEntityTooLarge"
    status = 413


@contextmanager
def translate(
    cause: type[Exception] | tuple[type[Exception], ...], refusal: AwsError | Callable[[Exception], AwsError]
) -> Iterator[None]:
    """Raise an AWS error in place of an exception of a lower layer.

    :param refusal: the error, or a function that makes it of the exception.
    """
    try:
        yield
    except cause as error:
        raise refusal if isinstance(refusal, AwsError) else refusal(error) from error


def invalid_request(error: Exception) -> ValidationException:
    """Return a ValidationException with the text of an exception of a lower layer."""
    return ValidationException(str(error))
