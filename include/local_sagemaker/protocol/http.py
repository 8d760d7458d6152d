"""A request and a response as plain values, without the web framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from include.local_sagemaker.protocol.bodies import BodyStream, FileBody


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

    def parameter(self, name: str) -> str | None:
        """The first value of `name` in the query string."""
        return next((value for key, value in self.query if key == name), None)


@dataclass(frozen=True)
class HttpResponse:
    """One HTTP response to be sent."""

    status: int
    body: bytes | FileBody = b""
    headers: dict[str, str] = field(default_factory=dict)
