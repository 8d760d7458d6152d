"""A request as bytes, its answer, and whether botocore understands that."""
# ruff: noqa: ANN401 (values of a model's shapes can be anything)

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode
from xml.etree.ElementTree import fromstring

from botocore.awsrequest import HeadersDict, prepare_request_dict
from botocore.eventstream import EventStreamBuffer
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

TIMEOUT_S = 60


@dataclass(frozen=True)
class Sent:
    """A request."""

    method: str
    #: path and query string, as they stand in the request's line
    target: str
    headers: dict[str, str | bytes]
    body: bytes
    #: whether it may have become a request of another operation
    is_lost: bool = False


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes
    #: as botocore reads it
    parsed: dict[str, Any] = field(default_factory=dict)


def protocol_of(operation: Any) -> str:
    """The protocol that botocore speaks with the service."""
    return str(operation.service_model.resolved_protocol)


def written(operation: Any, parameters: dict[str, Any]) -> Sent:
    """The request that botocore's serializer writes."""
    made = create_serializer(protocol_of(operation), include_validation=False).serialize_to_request(
        parameters, operation
    )
    prepare_request_dict(made, "http://host")
    body = made["body"]
    if isinstance(body, dict):
        body = urlencode(body)
    headers = {
        name: value if isinstance(value, bytes) else str(value)
        for name, value in made["headers"].items()
        if name.lower() != "content-length"  # a member of some; a wrong one only has the service wait
    }
    scope = f"20260101/us-east-1/{operation.service_model.signing_name}/aws4_request"
    headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential=k/{scope}, SignedHeaders=host, Signature=0"
    content = body.encode() if isinstance(body, str) else body
    return Sent(made["method"], made["url"].removeprefix("http://host"), headers, content)


def exchange(address: str, sent: Sent, operation: Any) -> Answer:
    """Send a request; the answer as botocore reads it, which fails where it cannot."""
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S)
    try:
        connection.request(sent.method, sent.target, sent.body, sent.headers)
        response = connection.getresponse()
        answer = Answer(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()
    parsed = _well_formed(answer) if sent.is_lost else _parsed(answer, operation)
    return replace(answer, parsed=parsed)


def _parsed(answer: Answer, operation: Any) -> dict[str, Any]:
    if answer.status < 300 and operation.has_event_stream_output:
        stream = EventStreamBuffer()
        stream.add_data(answer.body)
        return {"events": len(list(stream))}
    raw = {"headers": HeadersDict(answer.headers), "body": answer.body, "status_code": answer.status}
    parsed: dict[str, Any] = create_parser(protocol_of(operation)).parse(raw, operation.output_shape)
    return parsed


def _well_formed(answer: Answer) -> dict[str, Any]:
    """Fail where the body of an error is not of the type that it is said to be."""
    kind = answer.headers.get("content-type", "")
    if answer.body and answer.status >= 300:
        if "json" in kind:
            json.loads(answer.body)
        if "xml" in kind:
            fromstring(answer.body)  # noqa: S314 (the service's own)
    return {}
