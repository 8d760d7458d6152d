"""A person's browser cannot sign requests: it may look at objects by HTTP's Basic scheme (RFC 7617) instead.

The name is an access key, the password its secret. It opens what is read in S3 and nothing else, so that no
other site can make such a browser change anything.
"""

from __future__ import annotations

import base64
import binascii
import secrets

from local_sagemaker.base import Credentials
from local_sagemaker.protocol.http import HttpRequest, HttpResponse

SCHEME = "basic "
QUESTION = b"Sign the request, or give an access key as the user's name and its secret as the password.\n"


def is_person(request: HttpRequest) -> bool:
    """Whether a browser asks, unsigned, to see a bucket or an object."""
    is_signed = (
        request.headers.get("authorization", "").startswith("AWS")
        or request.parameter("X-Amz-Signature") is not None
    )
    wants_page = request.headers.get("accept", "").startswith("text/html")
    return request.method == "GET" and wants_page and request.path.strip("/") != "" and not is_signed


def is_known(credentials: Credentials, request: HttpRequest) -> bool:
    """Whether the request names a pair that is answered."""
    given = request.headers.get("authorization", "")
    if not given.lower().startswith(SCHEME):
        return False
    try:
        text = base64.b64decode(given[len(SCHEME) :], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return False
    key_id, _, secret = text.partition(":")
    expected = credentials.secret(key_id)
    return expected is not None and secrets.compare_digest(secret.encode(), expected.encode())


def question() -> HttpResponse:
    """Return the response that makes a browser ask for a name and a password."""
    headers = {
        "www-authenticate": 'Basic realm="local SageMaker", charset="UTF-8"',
        "content-type": "text/plain; charset=utf-8",
    }
    return HttpResponse(401, QUESTION, headers)
