"""Whether a request may go on: its signature is checked before anything else is done with it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from local_sagemaker.auth.claims import Claim, claim_of
from local_sagemaker.auth.refusals import BAD, SKEW, Refusal, Refuser
from local_sagemaker.auth.signature import ChunkSigner, canonical_request, is_same, signature, signing_key
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


async def admit(
    credentials: Credentials, request: HttpRequest, protocol: str, now: datetime | None = None
) -> HttpRequest:
    """Return the request, signed by a known key; whoever handles it still reads its body.

    :raises Refusal: in the words of `protocol`.
    """
    refuser, now = Refuser(protocol), now or datetime.now(UTC)
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
