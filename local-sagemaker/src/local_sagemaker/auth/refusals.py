"""What is said to a request whose signature does not hold, in the words of each protocol.

S3 has codes of its own; the query services (STS, IAM) have theirs, and those that speak JSON others again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from local_sagemaker.errors import AwsError

FORBIDDEN, BAD = 403, 400
#: how far clocks may be apart
SKEW = timedelta(minutes=15)
NO_MATCH = "The request signature we calculated does not match the signature you provided. Check your {}. {}"
UNKNOWN = "The security token included in the request is invalid."


class Refusal(AwsError):  # noqa: N818 (it stands for AWS's codes)
    """A request that is not answered because of its signature."""

    def __init__(self, code: str, status: int, message: str, **members: object) -> None:
        super().__init__(message, **members)
        self.code, self.status = code, status


class Refuser:
    """Words the refusals of one protocol: rest-xml, query, json or rest-json."""

    def __init__(self, protocol: str, *, is_query: bool = False) -> None:
        #: whether the signature stands in the query
        self._is_presigned = is_query
        self._is_s3, self._is_query = protocol == "rest-xml", protocol == "query"
        self._status = BAD if protocol == "json" else FORBIDDEN

    def missing(self) -> Refusal:
        """Return the refusal of a request that is not signed."""
        if self._is_s3:
            return Refusal("AccessDenied", FORBIDDEN, "Access Denied: the request is not signed.")
        code = "MissingAuthenticationToken" if self._is_query else "MissingAuthenticationTokenException"
        return Refusal(code, self._status, "Request is missing Authentication Token")

    def malformed(self, why: str) -> Refusal:
        """Its signature cannot be read."""
        if self._is_s3:
            code = (
                "AuthorizationQueryParametersError" if self._is_presigned else "AuthorizationHeaderMalformed"
            )
            return Refusal(code, BAD, why)
        code = "IncompleteSignature" if self._is_query else "IncompleteSignatureException"
        return Refusal(code, BAD if not self._is_query else FORBIDDEN, why)

    def unknown_key(self, key_id: str) -> Refusal:
        """There is no such access key."""
        if self._is_s3:
            message = "The AWS Access Key Id you provided does not exist in our records."
            return Refusal("InvalidAccessKeyId", FORBIDDEN, message, AWSAccessKeyId=key_id)
        code = "InvalidClientTokenId" if self._is_query else "UnrecognizedClientException"
        return Refusal(code, self._status, UNKNOWN)

    def session_token(self) -> Refusal:
        """Return the refusal of a session token: this service issues none."""
        why = "This service gives out no session tokens: sign with an access key alone."
        if self._is_s3:
            return Refusal(
                "InvalidToken", BAD, f"The provided token is malformed or otherwise invalid. {why}"
            )
        code = "InvalidClientTokenId" if self._is_query else "UnrecognizedClientException"
        return Refusal(code, self._status, f"{UNKNOWN} {why}")

    def mismatch(self) -> Refusal:
        """Another secret, or another request than was signed."""
        if self._is_s3:
            return Refusal("SignatureDoesNotMatch", FORBIDDEN, NO_MATCH.format("key and signing method", ""))
        message = NO_MATCH.format("AWS Secret Access Key and signing method", "")
        return self._unsigned(message.strip())

    def wrong_service(self, service: str) -> Refusal:
        """Return the refusal of a request that was signed for another service."""
        message = f"Credential should be scoped to correct service: '{service}'."
        if self._is_s3:
            return Refusal("AuthorizationHeaderMalformed", BAD, message)
        return self._unsigned(message)

    def skewed(self, at: datetime, now: datetime) -> Refusal:
        """Return the refusal of a request that was signed too long ago, or in the future."""
        if self._is_s3:
            return Refusal(
                "RequestTimeTooSkewed",
                FORBIDDEN,
                "The difference between the request time and the current time is too large.",
                RequestTime=_basic(at),
                ServerTime=_iso(now),
                MaxAllowedSkewMilliseconds=int(SKEW.total_seconds() * 1000),
            )
        if at > now:
            why = f"Signature not yet current: {_basic(at)} is still later than {_basic(now + SKEW)}"
            return self._unsigned(f"{why} ({_basic(now)} + 15 min.)")
        why = f"Signature expired: {_basic(at)} is now earlier than {_basic(now - SKEW)}"
        return self._unsigned(f"{why} ({_basic(now)} - 15 min.)")

    def expired(self, end: datetime, now: datetime) -> Refusal:
        """Return the refusal of an expired presigned URL."""
        if self._is_s3:
            times = {"Expires": _iso(end), "ServerTime": _iso(now)}
            return Refusal("AccessDenied", FORBIDDEN, "Request has expired", **times)
        return self._unsigned(f"Signature expired: {_basic(end)} is now earlier than {_basic(now)}")

    def unsigned_headers(self, names: str) -> Refusal:
        """Headers that change what is asked for are not part of the signature."""
        message = "There were headers present in the request which were not signed"
        if self._is_s3:
            return Refusal("AccessDenied", FORBIDDEN, message, HeadersNotSigned=names)
        return self._unsigned(f"{message}: {names}")

    def _unsigned(self, message: str) -> Refusal:
        code = "SignatureDoesNotMatch" if self._is_query else "InvalidSignatureException"
        return Refusal(code, self._status, message)


def _basic(at: datetime) -> str:
    return at.strftime("%Y%m%dT%H%M%SZ")


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
