"""A request and a response as plain values; of the web framework, ASGI's scope alone."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from local_sagemaker.protocol.bodies import BodyStream, ChunkChecks, FileBody


@dataclass(frozen=True)
class HttpRequest:
    """One HTTP request as it came in."""

    method: str
    #: path as it was sent, still percent-encoded
    path: str
    #: query string, decoded, in order
    query: tuple[tuple[str, str], ...]
    #: names in lower case
    headers: Mapping[str, str]
    body: BodyStream
    #: id of the request in log and answer
    id: str
    #: what checks a body whose chunks are signed
    chunks: ChunkChecks | None = None

    def parameter(self, name: str) -> str | None:
        """Return the first value of `name` in the query string."""
        return next((value for key, value in self.query if key == name), None)


def headers_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers of an ASGI request, names in lower case; equal names are joined by commas."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    return headers


def request_of(scope: Mapping[str, Any], headers: Mapping[str, str], body: BodyStream) -> HttpRequest:
    """Return an ASGI request, under an id of its own."""
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    path = scope["raw_path"].decode("latin-1")
    return HttpRequest(scope["method"], path, tuple(query), headers, body, uuid.uuid4().hex)


@dataclass(frozen=True)
class HttpResponse:
    """One HTTP response to be sent."""

    status: int
    body: bytes | FileBody = b""
    headers: dict[str, str] = field(default_factory=dict)
