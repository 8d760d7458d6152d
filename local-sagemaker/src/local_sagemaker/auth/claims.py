"""What a request says of its own signature, in the header Authorization or in a presigned URL's query."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from local_sagemaker.auth.refusals import Refuser
from local_sagemaker.auth.signature import ALGORITHM, SIGNATURE, Scope
from local_sagemaker.protocol.http import HttpRequest

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
TOKEN = "X-Amz-Security-Token"  # noqa: S105 (the name of a parameter)


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


def claim_of(request: HttpRequest, refuser: Refuser) -> Claim:
    """Return the claim of a request; raise Refusal if it makes none, or one that cannot be read."""
    header = request.headers.get("authorization")
    is_presigned = any(name in {"X-Amz-Algorithm", SIGNATURE} for name, _ in request.query)
    if header is None and not is_presigned:
        if request.parameter("Signature") is not None and request.parameter("AWSAccessKeyId") is not None:
            raise _old(refuser, is_query=True)
        raise refuser.missing()
    if TOKEN.lower() in request.headers or request.parameter(TOKEN) is not None:
        raise refuser.session_token()
    if header is not None and is_presigned:
        raise refuser.malformed("Only one auth mechanism allowed: header or query.", is_query=True)
    return _of_query(request, refuser) if header is None else _of_header(header, request, refuser)


def _old(refuser: Refuser, *, is_query: bool) -> Exception:
    return refuser.malformed(
        f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM} "
        "(boto3: Config(signature_version='s3v4')).",
        is_query=is_query,
    )


def _of_header(header: str, request: HttpRequest, refuser: Refuser) -> Claim:
    algorithm, _, rest = header.strip().partition(" ")
    if algorithm != ALGORITHM:
        raise _old(refuser, is_query=False)
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    lacking = [name for name in ("Credential", "SignedHeaders", "Signature") if not fields.get(name)]
    if lacking:
        why = f"The authorization header is malformed: it lacks {', '.join(lacking)}."
        raise refuser.malformed(why, is_query=False)
    at = _header_time(request, refuser)
    key_id, scope = _credential(fields["Credential"], at, refuser, is_query=False)
    return Claim(key_id, scope, at, _signed(fields["SignedHeaders"]), fields["Signature"])


def _header_time(request: HttpRequest, refuser: Refuser) -> datetime:
    try:
        if "x-amz-date" in request.headers:
            return _basic(request.headers["x-amz-date"])
        return parsedate_to_datetime(request.headers.get("date", "")).astimezone(UTC)
    except (ValueError, TypeError, OverflowError) as error:
        why = "AWS authentication requires a valid Date or x-amz-date header"
        raise refuser.malformed(why, is_query=False) from error


def _of_query(request: HttpRequest, refuser: Refuser) -> Claim:
    values = {name: request.parameter(name) or "" for name in PARAMETERS}
    if not all(values.values()) or values["X-Amz-Algorithm"] != ALGORITHM:
        raise refuser.malformed(
            f"Query-string authentication version 4 requires the {', '.join(PARAMETERS)} parameters, "
            f"and {ALGORITHM} as the algorithm.",
            is_query=True,
        )
    try:
        at = _basic(values["X-Amz-Date"])
    except ValueError as error:
        why = "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
        raise refuser.malformed(why, is_query=True) from error
    seconds = values["X-Amz-Expires"]
    if not re.fullmatch(r"\d{1,7}", seconds, re.ASCII) or not 1 <= int(seconds) <= LONGEST_S:
        why = f"X-Amz-Expires must be a number from 1 to {LONGEST_S} (a week, in seconds)."
        raise refuser.malformed(why, is_query=True)
    key_id, scope = _credential(values["X-Amz-Credential"], at, refuser, is_query=True)
    end = at + timedelta(seconds=int(seconds))
    return Claim(key_id, scope, at, _signed(values["X-Amz-SignedHeaders"]), values[SIGNATURE], end)


def _basic(text: str) -> datetime:
    return datetime.strptime(text, BASIC).replace(tzinfo=UTC)


def _credential(text: str, at: datetime, refuser: Refuser, *, is_query: bool) -> tuple[str, Scope]:
    match = CREDENTIAL.fullmatch(text)
    if match is None:
        why = (
            f"The Credential {text!r} is malformed; expecting <key>/YYYYMMDD/<region>/<service>/aws4_request."
        )
        raise refuser.malformed(why, is_query=is_query)
    key_id, *scope = match.groups()
    if scope[0] != at.strftime("%Y%m%d"):
        why = f"Invalid credential date {scope[0]!r}: it is not the day of the request, {at:%Y%m%d}."
        raise refuser.malformed(why, is_query=is_query)
    return key_id, Scope(*scope)


def _signed(text: str) -> tuple[str, ...]:
    return tuple(text.split(";"))
