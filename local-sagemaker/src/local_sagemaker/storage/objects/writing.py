"""Bodies of requests into drafts, and headers into properties."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from local_sagemaker.storage import threads
from local_sagemaker.storage.objects.draft import PIECE_BYTES, Draft
from local_sagemaker.storage.objects.errors import InvalidArgument
from local_sagemaker.storage.objects.properties import CONTENT_TYPE, Properties

#: members of requests that are given back with the object, just as they came
KEPT = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "Expires")
TAG_LIMIT = 10
#: bodies up to here are written without another thread
SMALL_BYTES = 65_536


async def fill(draft: Draft, body: AsyncIterable[bytes] | bytes) -> None:
    """Write a body to a draft in large pieces, off the event loop; never the whole body in memory.

    What is small goes to the page cache in less time than a thread takes to be woken.
    """
    if isinstance(body, bytes):
        await _write(draft, body)
        return
    waiting, writing = bytearray(), None
    try:
        async for piece in body:
            waiting += piece
            if len(waiting) >= PIECE_BYTES:
                # one piece is written while the next one comes
                if writing is not None:
                    await writing
                writing = asyncio.ensure_future(threads.run(draft.write, waiting))
                waiting = bytearray()
    finally:
        # whatever happened: a thread must not write to a file that is closed
        if writing is not None:
            await asyncio.wait([writing])
    if writing is not None:
        await writing
    if waiting:
        await _write(draft, waiting)


async def _write(draft: Draft, piece: bytes | bytearray) -> None:
    if len(piece) <= SMALL_BYTES:
        draft.write(piece)
    else:
        await threads.run(draft.write, piece)


def properties_of(given: Mapping[str, Any], checksums: dict[str, str] | None = None) -> Properties:
    """Return the properties that a request gives its object."""
    kept = {name: _text(given[name]) for name in KEPT if given.get(name)}
    if kept.get("ContentEncoding"):
        # aws-chunked is the request's own wrapping, which is gone
        encodings = [e.strip() for e in kept["ContentEncoding"].split(",") if e.strip() != "aws-chunked"]
        kept["ContentEncoding"] = ",".join(encodings)
    return Properties(
        etag="",
        content_type=given.get("ContentType") or CONTENT_TYPE,
        metadata=dict(given.get("Metadata") or {}),
        headers={name: value for name, value in kept.items() if value},
        checksums=checksums or {},
        tags=tags_of(given.get("Tagging")),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else f"{value:%a, %d %b %Y %H:%M:%S GMT}"


def tags_of(query: str | None) -> dict[str, str]:
    """Tags from the header's form, `a=1&b=2`."""
    pairs = parse_qsl(query or "", keep_blank_values=True)
    tags = dict(pairs)
    if len(tags) != len(pairs) or len(tags) > TAG_LIMIT:
        raise InvalidArgument(f"Tags must have different keys, at most {TAG_LIMIT}: {query}")
    return tags
