"""What a person's browser may do at this service, which runs whatever code it is given.

Any page that the person visits can make the browser send requests here. Three headers that no page can forge
tell them apart: `Host` (a page whose name was rebound to this machine sends that name), `Origin`, and
`Sec-Fetch-Site` (https://www.w3.org/TR/fetch-metadata/). Programs send the first of them alone.

A browser cannot sign requests: where keys are set, it gives an access key as the name and its secret as the
password, by HTTP's Basic scheme (RFC 7617). That opens what pages.py shows and objects, and changes nothing.

What is stored here was written by programs, and is shown as a document of no site that runs nothing.
"""

from __future__ import annotations

import base64
import ipaddress
import secrets
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import parse_qsl, urlsplit

from local_sagemaker.base import Credentials
from local_sagemaker.errors import AccessDenied, ValidationException
from local_sagemaker.protocol.http import HttpRequest, HttpResponse

#: what a browser shows and never runs; anything else comes as a file to save
SHOWN_TYPES = frozenset(
    {"text/plain", "text/csv", "application/json", "image/png", "image/jpeg", "image/gif", "image/webp"}
)
#: where a browser would show an answer as a document
DOCUMENTS = frozenset({"document", "iframe", "frame", "embed", "object"})
#: headers of every answer, but for a policy of our own pages: it is of no site, runs no script, and is of its
#: declared type
GUARDS = {"content-security-policy": "sandbox", "x-content-type-options": "nosniff"}
SCHEME = "basic "
QUESTION = b"Sign the request, or give an access key as the user's name and its secret as the password.\n"

Headers = Iterable[tuple[bytes, bytes]]


def check_request(method: str, query: bytes, headers: Headers, *, any_host: bool) -> None:
    """Raise an error unless the request comes from a program, from this service's own pages, or by a link.

    :param headers: names in lower case, as often as they were sent.
    :param any_host: whether `Host` may be any name, since requests are signed.
    :raises ValidationException: there is not exactly one `Host`.
    :raises AccessDenied: a page of another site sent it.
    """
    sent: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        sent.setdefault(name, []).append(value)
    hosts = sent.get(b"host", [])
    if len(hosts) != 1:
        raise ValidationException(f"The request has {len(hosts)} Host headers; send exactly one.")
    host = hosts[0].decode("latin-1")
    if not any_host and not is_loopback_name(host):
        raise AccessDenied(
            f"Without keys this service answers to names of this machine alone, and not to {host!r}: a page "
            "of another site could have sent the request. Use 127.0.0.1 or localhost, or start the service "
            "with --credentials."
        )
    origins, sites = sent.get(b"origin", []), sent.get(b"sec-fetch-site", [])
    is_foreign = any(not _is_origin_of(origin.decode("latin-1"), host) for origin in origins)
    if is_foreign or not set(sites) <= {b"same-origin", b"none"}:
        is_page = sent.get(b"sec-fetch-mode") == [b"navigate"] and sent.get(b"sec-fetch-dest") == [
            b"document"
        ]
        if method == "GET" and is_page and not origins and not _is_action(query):
            return
        raise AccessDenied(
            "A page of another site sent this request. This service answers programs, its own pages, and "
            "people who follow a link to look at something."
        )


@lru_cache(maxsize=256)
def is_loopback_name(host: str) -> bool:
    """Whether a `Host` header names this machine itself: nobody else can let these names lead here."""
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018 (raises if it is no number)
    except ValueError:
        return False
    name = (parts.hostname or "").removesuffix(".")
    if parts.netloc != host or "@" in host:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_origin_of(origin: str, host: str) -> bool:
    scheme, _, rest = origin.partition("://")
    return scheme in {"http", "https"} and rest.lower() == host.lower()


def _is_action(query: bytes) -> bool:
    """Whether a query names an operation: those of the query protocol can change things by GET."""
    return any(name == "Action" for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True))


def make_inert(request: HttpRequest, response: HttpResponse) -> None:
    """Have a browser save what it could run, whoever wrote it, and whoever signed its address."""
    shown_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_object = response.status < 300  # noqa: PLR2004 (an error is the service's own text)
    if is_object and is_document(request) and shown_type not in SHOWN_TYPES:
        name = response.headers.get("content-disposition", "").partition(";")[2]
        response.headers["content-disposition"] = f"attachment;{name}" if name else "attachment"


def guard(response: HttpResponse) -> None:
    """Give an answer the headers of every answer; a policy of our own pages stays theirs."""
    for name, value in GUARDS.items():
        response.headers.setdefault(name, value)


def is_document(request: HttpRequest) -> bool:
    """Whether a browser would show the answer as a document."""
    wanted = request.headers.get("sec-fetch-dest")
    if wanted is not None:
        return wanted in DOCUMENTS
    return request.method == "GET" and "text/html" in request.headers.get("accept", "")


def is_person(request: HttpRequest) -> bool:
    """Whether a browser asks, unsigned, to see the service's page, a bucket or an object."""
    is_signed = (
        request.headers.get("authorization", "").startswith("AWS")
        or request.parameter("X-Amz-Signature") is not None
    )
    wants_page = request.headers.get("accept", "").startswith("text/html")
    is_operation = request.path == "/" and request.parameter("Action") is not None
    return request.method == "GET" and wants_page and not is_operation and not is_signed


def is_known(credentials: Credentials, request: HttpRequest) -> bool:
    """Whether the request names a pair that is answered."""
    given = request.headers.get("authorization", "")
    if not given.lower().startswith(SCHEME):
        return False
    try:
        text = base64.b64decode(given[len(SCHEME) :], validate=True).decode()
    except ValueError:
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
