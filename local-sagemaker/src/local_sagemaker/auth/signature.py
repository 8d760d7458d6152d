"""AWS Signature Version 4 as the receiver computes it: of a request, and of the chunks of a body.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from botocore.utils import normalize_url_path

from local_sagemaker.protocol.bodies import ChunkMismatch
from local_sagemaker.protocol.http import HttpRequest

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY = hashlib.sha256(b"").hexdigest()
SIGNATURE = "X-Amz-Signature"


@dataclass(frozen=True)
class Scope:
    """What a signature is good for."""

    #: day, as 20130524
    date: str
    region: str
    service: str

    def __str__(self) -> str:
        """Return the scope as it is signed."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def signing_key(secret: str, scope: Scope) -> bytes:
    """Return the key that a secret yields for one day, region and service."""
    key = f"AWS4{secret}".encode()
    for text in (scope.date, scope.region, scope.service, "aws4_request"):
        key = hmac.digest(key, text.encode(), "sha256")
    return key


def canonical_request(request: HttpRequest, service: str, signed: Sequence[str], payload: str) -> bytes:
    """Return the canonical form of a request, as its client signed it; a missing header is empty."""
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signed)
    text = "\n".join(
        (
            request.method,
            _path(request.path, service),
            _query(request.query),
            headers,
            ";".join(signed),
            payload,
        )
    )
    # headers were read as Latin-1, which gives the bytes that came
    return text.encode("latin-1")


def _path(path: str, service: str) -> str:
    """S3 signs the path encoded once, whatever it holds; the others normalized, and encoded once more."""
    if service == "s3":
        return quote(unquote_to_bytes(path), safe="/~")
    return quote(normalize_url_path(path), safe="/~")


def _query(query: Sequence[tuple[str, str]]) -> str:
    pairs = ((quote(name, safe="~"), quote(value, safe="~")) for name, value in query if name != SIGNATURE)
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def signature(key: bytes, time: str, scope: Scope, canonical: bytes) -> str:
    """Return the signature of a request at `time` (20130524T000000Z)."""
    text = "\n".join((ALGORITHM, time, str(scope), hashlib.sha256(canonical).hexdigest()))
    return _hmac(key, text)


def is_same(computed: str, given: str) -> bool:
    """Compare in a time that does not tell how much of it is right."""
    return hmac.compare_digest(computed.encode(), given.encode())


class ChunkSigner:
    """Checks the signatures of a body's chunks, each of which builds on the one before."""

    def __init__(self, key: bytes, time: str, scope: Scope, seed: str) -> None:
        self._key, self._place, self._last = key, f"{time}\n{scope}", seed

    def check_chunk(self, given: str, sha256: str) -> None:
        """Check a chunk whose data has that digest; ChunkMismatch if it is not what was signed."""
        self._check(given, f"{ALGORITHM}-PAYLOAD\n{self._place}\n{self._last}\n{EMPTY}\n{sha256}")

    def check_trailer(self, given: str, trailer: bytes) -> None:
        """Check the lines behind the last chunk, each ended by a line feed."""
        digest = hashlib.sha256(trailer).hexdigest()
        self._check(given, f"{ALGORITHM}-TRAILER\n{self._place}\n{self._last}\n{digest}")

    def _check(self, given: str, text: str) -> None:
        computed = _hmac(self._key, text)
        if not is_same(computed, given):
            raise ChunkMismatch(
                "The request signature we calculated does not match the signature you provided: a chunk of "
                "the body is not what was signed."
            )
        self._last = computed


def _hmac(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
