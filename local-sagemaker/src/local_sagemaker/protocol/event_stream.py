"""AWS's event stream (`application/vnd.amazon.eventstream`): messages with headers and checksums.

A message is: its length and that of its headers (4 bytes each), the CRC-32 of these, headers, payload, and
the CRC-32 of all before it. Source: "Amazon Event Stream Specification" of Smithy.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from zlib import crc32

CONTENT_TYPE = b"application/vnd.amazon.eventstream"
#: the type of a header whose value is text
TEXT = 7


def part(event_type: str, payload: bytes) -> bytes:
    """Return an event whose payload is bytes."""
    headers = {
        ":event-type": event_type,
        ":content-type": "application/octet-stream",
        ":message-type": "event",
    }
    return message(headers, payload)


def exception(exception_type: str, members: Mapping[str, str]) -> bytes:
    """Return an error in the middle of a stream, which is its end."""
    headers = {
        ":exception-type": exception_type,
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    return message(headers, json.dumps(members).encode())


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message."""
    head = b""
    for name, value in headers.items():
        head += struct.pack("!B", len(name)) + name.encode()
        head += struct.pack("!BH", TEXT, len(value.encode())) + value.encode()
    prelude = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    content = b"".join([prelude, struct.pack("!I", crc32(prelude)), head, payload])
    return content + struct.pack("!I", crc32(content))
