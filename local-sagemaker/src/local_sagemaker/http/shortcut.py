"""InvokeEndpoint past ASGI: what a request must be to take the short way, and its answer as bytes.

Reading a request's head by one expression, and answering it in one piece, costs a fraction of what the
general way does. Only what came whole, in one piece and with nothing unusual about it goes here. Everything
else goes the general way (connection.py, server.py, runtime.py), where it is answered, or refused, alike.
"""

from __future__ import annotations

import http
import random
import re
import uuid
from dataclasses import dataclass

from local_sagemaker.engine.endpoints.invoke import Reply
from local_sagemaker.http.browsers import is_loopback_name

#: how every request begins that may go here
BEGINNING = b"POST /endpoints/"
#: a whole head: nothing in it can be read in two ways, so no character is lenient here
HEAD = re.compile(
    rb"POST /endpoints/([a-zA-Z0-9][a-zA-Z0-9-]{0,62})/invocations HTTP/1\.1\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t -~\x80-\xff]*+\r\n)++)\r\n"
)
FIELD = re.compile(rb"([^:\r\n]+):[ \t]*+([^\r\n]*)\r\n")
#: headers that change how a message is read, or that browsers send; with one of them it takes the general way
UNUSUAL = frozenset(
    {b"transfer-encoding", b"expect", b"upgrade", b"te", b"trailer", b"origin", b"sec-fetch-site"}
)
#: longer pieces take the general way, which has the bounds of head and body
LIMIT_BYTES = 32 * 1024
LENGTH_DIGITS = 5
STATUS_LINES = {code.value: b"HTTP/1.1 %d %b\r\n" % (code, code.phrase.encode()) for code in http.HTTPStatus}


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation as it came in."""

    endpoint: str
    #: names in lower case
    headers: dict[bytes, bytes]
    body: bytes


def read(data: bytes) -> Invocation | None:
    """Return the invocation in `data`; None when it is anything but one whole invocation."""
    matched = HEAD.match(data)
    if matched is None:
        return None
    fields = FIELD.findall(matched[2])
    headers = {name.lower(): value.rstrip(b" \t") for name, value in fields}
    if len(headers) != len(fields) or not UNUSUAL.isdisjoint(headers):
        return None
    length = headers.get(b"content-length", b"")
    is_length = length.isdigit() and len(length) <= LENGTH_DIGITS
    if not is_length or int(length) != len(data) - matched.end():
        return None
    if not is_loopback_name(headers.get(b"host", b"").decode("latin-1")):
        return None
    if headers.get(b"connection", b"keep-alive").lower() != b"keep-alive":
        return None
    return Invocation(matched[1].decode(), headers, data[matched.end() :])


def answer(reply: Reply) -> bytes:
    """Return an answer, head and body."""
    return b"%bcontent-length: %d\r\nx-amzn-requestid: %b\r\n%b\r\n%b" % (
        STATUS_LINES[reply.status],
        len(reply.body),
        request_id(),
        b"".join([b"%b: %b\r\n" % field for field in reply.headers]),
        reply.body,
    )


def request_id() -> bytes:
    """Return an id for logs, unlike any other; it is no secret."""
    return str(uuid.UUID(int=random.getrandbits(128), version=4)).encode()
