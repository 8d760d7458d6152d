"""Whether a request may go on: its signature is read and checked before anything else is done with it.

A signature stands in the header Authorization or in a presigned URL's query.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from local_sagemaker.auth.refusals import BAD, SKEW, Refusal, Refuser
from local_sagemaker.auth.signature import (
    ALGORITHM,
    SIGNATURE,
    ChunkSigner,
    Scope,
    canonical_request,
    is_same,
    signature,
    signing_key,
)
from local_sagemaker.base import Credentials
from local_sagemaker.protocol.bodies import whole
from local_sagemaker.protocol.http import HttpRequest
from local_sagemaker.protocol.routing import signing_name

CONTENT = "x-amz-content-sha256"
UNSIGNED = "UNSIGNED-PAYLOAD"
#: bodies whose chunks are signed one by one
SIGNED_CHUNKS = {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"}
#: what S3's clients may say instead of the digest of a body
WORDS = {UNSIGNED, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", *SIGNED_CHUNKS}
DIGEST = re.compile(r"[0-9a-f]{64}")
CREDENTIAL = re.compile(r"([\w-]+)/(\d{8})/([\w-]+)/([\w-]+)/aws4_request", re.ASCII)
BASIC = "%Y%m%dT%H%M%SZ"
#: a presigned URL is good for a week at most, in seconds
LONGEST_S = 7 * 24 * 3600
#: query parameters that every presigned URL has
PARAMETERS = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    SIGNATURE,
)
OLD = (
    f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM} "
    "(boto3: Config(signature_version='s3v4'))."
)
TOKEN = "X-Amz-Security-Token"  # noqa: S105 (the name of a parameter)


async def admit(
    credentials: Credentials, request: HttpRequest, protocol: str, now: datetime | None = None
) -> HttpRequest:
    """Return the request, signed by a known key; whoever handles it still reads its body.

    :raises Refusal: in the words of `protocol`.
    """
    refuser = Refuser(protocol, is_query="authorization" not in request.headers or _is_presigned(request))
    now = now or datetime.now(UTC)
    claim = claim_of(request, refuser)
    secret = credentials.secret(claim.key_id)
    if secret is None:
        raise refuser.unknown_key(claim.key_id)
    _check_time(claim, now, refuser)
    _check_headers(claim, request.headers, refuser)
    if claim.scope.service == "s3":
        payload = _s3_payload(claim, request)
    else:
        body = await request.body.read()
        payload, request = hashlib.sha256(body).hexdigest(), replace(request, body=whole(body))
    key = signing_key(secret, claim.scope)
    computed = signature(key, claim.time, claim.scope, _canonical(request, claim, payload, refuser))
    if not is_same(computed, claim.signature):
        raise refuser.mismatch()
    if payload in SIGNED_CHUNKS:
        return replace(request, chunks=ChunkSigner(key, claim.time, claim.scope, computed))
    return request


def _canonical(request: HttpRequest, claim: Claim, payload: str, refuser: Refuser) -> bytes:
    try:
        return canonical_request(request, claim.scope.service, claim.signed, payload)
    except UnicodeEncodeError as error:  # nobody can have signed it: what is encoded here is ASCII otherwise
        raise refuser.mismatch() from error


def _check_time(claim: Claim, now: datetime, refuser: Refuser) -> None:
    if claim.end is not None and claim.end < now:
        raise refuser.expired(claim.end, now)
    is_old = claim.end is None and now - claim.at > SKEW
    if is_old or claim.at - now > SKEW:
        raise refuser.skewed(claim.at, now)


def _check_headers(claim: Claim, headers: Mapping[str, str], refuser: Refuser) -> None:
    """Raise Refusal if a header that changes the request is unsigned: somebody on the way could add it."""
    needed = {"host", *(name for name in headers if name.startswith("x-amz-"))}
    if "x-amz-date" not in headers and not claim.is_presigned:
        needed.add("date")
    left = sorted(needed - set(claim.signed))
    if left:
        raise refuser.unsigned_headers(", ".join(left))


def _s3_payload(claim: Claim, request: HttpRequest) -> str:
    given = request.headers.get(CONTENT)
    if given is None and claim.is_presigned:
        return UNSIGNED
    if given is None:
        raise Refusal("InvalidRequest", BAD, f"Missing required header for this request: {CONTENT}")
    if given not in WORDS and not DIGEST.fullmatch(given):
        choices = ", ".join(sorted(WORDS))
        raise Refusal("InvalidArgument", BAD, f"{CONTENT} must be one of {choices}, or a valid sha256 value.")
    return given


def check_service(request: HttpRequest, wanted: str, protocol: str) -> None:
    """Raise a refusal if the request was signed for another service than the operation's."""
    if signing_name(request) != wanted:
        raise Refuser(protocol).wrong_service(wanted)


@dataclass(frozen=True)
class Claim:
    """Who says to have signed a request, when, and what of it."""

    key_id: str
    scope: Scope
    at: datetime
    #: names of headers, in lower case, sorted
    signed: tuple[str, ...]
    signature: str
    #: end of a presigned URL, None for a header
    end: datetime | None = None

    @property
    def is_presigned(self) -> bool:
        """Whether it stands in the query."""
        return self.end is not None

    @property
    def time(self) -> str:
        """The moment as it is signed."""
        return self.at.strftime(BASIC)


def _is_presigned(request: HttpRequest) -> bool:
    return any(name in {"X-Amz-Algorithm", SIGNATURE} for name, _ in request.query)


def claim_of(request: HttpRequest, refuser: Refuser) -> Claim:
    """Return the claim of a request; raise Refusal if it makes none, or one that cannot be read."""
    header, is_presigned = request.headers.get("authorization"), _is_presigned(request)
    if header is None and not is_presigned:
        if request.parameter("Signature") is not None and request.parameter("AWSAccessKeyId") is not None:
            raise refuser.malformed(OLD)
        raise refuser.missing()
    if TOKEN.lower() in request.headers or request.parameter(TOKEN) is not None:
        raise refuser.session_token()
    if header is not None and is_presigned:
        raise refuser.malformed("Only one auth mechanism allowed: header or query.")
    return _of_query(request, refuser) if header is None else _of_header(header, request, refuser)


def _of_header(header: str, request: HttpRequest, refuser: Refuser) -> Claim:
    algorithm, _, rest = header.strip().partition(" ")
    if algorithm != ALGORITHM:
        raise refuser.malformed(OLD)
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    lacking = [name for name in ("Credential", "SignedHeaders", "Signature") if not fields.get(name)]
    if lacking:
        raise refuser.malformed(f"The authorization header is malformed: it lacks {', '.join(lacking)}.")
    at = _header_time(request, refuser)
    key_id, scope = _credential(fields["Credential"], at, refuser)
    return Claim(key_id, scope, at, tuple(fields["SignedHeaders"].split(";")), fields["Signature"])


def _header_time(request: HttpRequest, refuser: Refuser) -> datetime:
    try:
        if "x-amz-date" in request.headers:
            return _basic(request.headers["x-amz-date"])
        return parsedate_to_datetime(request.headers.get("date", "")).astimezone(UTC)
    except (ValueError, TypeError, OverflowError) as error:
        raise refuser.malformed("AWS authentication requires a valid Date or x-amz-date header") from error


def _of_query(request: HttpRequest, refuser: Refuser) -> Claim:
    values = {name: request.parameter(name) or "" for name in PARAMETERS}
    if not all(values.values()) or values["X-Amz-Algorithm"] != ALGORITHM:
        raise refuser.malformed(
            f"Query-string authentication version 4 requires the {', '.join(PARAMETERS)} parameters, "
            f"and {ALGORITHM} as the algorithm."
        )
    try:
        at = _basic(values["X-Amz-Date"])
    except ValueError as error:
        why = "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
        raise refuser.malformed(why) from error
    seconds = values["X-Amz-Expires"]
    if not re.fullmatch(r"\d{1,7}", seconds, re.ASCII) or not 1 <= int(seconds) <= LONGEST_S:
        raise refuser.malformed(f"X-Amz-Expires must be a number from 1 to {LONGEST_S} (a week, in seconds).")
    key_id, scope = _credential(values["X-Amz-Credential"], at, refuser)
    end = at + timedelta(seconds=int(seconds))
    return Claim(key_id, scope, at, tuple(values["X-Amz-SignedHeaders"].split(";")), values[SIGNATURE], end)


def _basic(text: str) -> datetime:
    return datetime.strptime(text, BASIC).replace(tzinfo=UTC)


def _credential(text: str, at: datetime, refuser: Refuser) -> tuple[str, Scope]:
    match = CREDENTIAL.fullmatch(text)
    if match is None:
        raise refuser.malformed(
            f"The Credential {text!r} is malformed; expecting <key>/YYYYMMDD/<region>/<service>/aws4_request."
        )
    key_id, *scope = match.groups()
    if scope[0] != at.strftime("%Y%m%d"):
        why = f"Invalid credential date {scope[0]!r}: it is not the day of the request, {at:%Y%m%d}."
        raise refuser.malformed(why)
    return key_id, Scope(*scope)
