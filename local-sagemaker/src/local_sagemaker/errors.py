"""The errors that handlers raise, as AWS words them, and `translate`, which makes them of others.

Every class is a child of AwsError. Its code is its name unless it says otherwise, its HTTP status 400.
S3 has its own table of codes in storage/objects/errors.py, the runtime in engine/endpoints/invoke.py.
"""
# ruff: noqa: N818 (the names are the codes that AWS uses)

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class AwsError(Exception):
    """An error answer: code, message, HTTP status, and members that the error's shape has besides."""

    code: str = "InternalFailure"
    status: int = 400
    #: headers of the answer besides those of every error
    headers: Mapping[str, str] = {}

    def __init_subclass__(cls, *, code: str = "", status: int = 400) -> None:
        """Make a class of its code, by default its name, and of its HTTP status."""
        cls.code, cls.status = code or cls.__name__, status

    def __init__(self, message: str, **members: Any) -> None:  # noqa: ANN401 (members are any JSON)
        super().__init__(message)
        self.message = message
        self.members = members


class ValidationException(AwsError):
    """A request that cannot be carried out as it stands; also a missing job, model or endpoint."""


class ResourceNotFound(AwsError):
    """What the request names does not exist."""


class ResourceInUse(AwsError):
    """The name is taken, or the thing is busy."""


class ResourceLimitExceeded(AwsError):
    """A limit of the account is reached."""


class ConflictException(AwsError):
    """Somebody else changed it first."""


class UnknownOperation(AwsError, code="UnknownOperationException"):
    """The service has no such operation, or the local one does not emulate it."""


class SerializationException(AwsError):
    """A body that is no valid document of the protocol."""


class InvalidParameterValueException(AwsError):
    """A value that CloudWatch does not take."""


class InvalidParameterCombinationException(AwsError):
    """Values that CloudWatch does not take together."""


class AccessDenied(AwsError, code="AccessDeniedException", status=403):
    """The request is not signed by a known key."""


class InternalFailure(AwsError, status=500):
    """A mistake of this service; its log has the traceback under the request's id."""


class StorageFailure(AwsError, code="InsufficientStorage", status=507):
    """The disk below the service's root cannot be written. Clients do not repeat it by themselves."""


class EntityTooLarge(AwsError, code="RequestEntityTooLarge", status=413):
    """A body longer than the operation takes."""


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
