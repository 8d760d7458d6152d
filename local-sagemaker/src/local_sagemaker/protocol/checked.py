"""A body that is checked while it passes: its length, its signed hash, its checksums.

The error comes instead of the end of the body, so that nothing wrong is ever kept.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Mapping
from functools import cache, partial
from typing import Protocol

from botocore.httpchecksum import Crc32Checksum

from local_sagemaker.errors import AwsError
from local_sagemaker.protocol.bodies import BodyStream, ChunkChecks, ChunkedReader

SHA256_HEX_LENGTH = 64
#: no body has more bytes than this has digits
LENGTH = re.compile(r"[0-9]{1,19}")


class Digest(Protocol):
    """A running checksum, as in hashlib."""

    def update(self, piece: bytes, /) -> None:
        """Take in more bytes."""

    def digest(self) -> bytes:
        """Return the checksum of all bytes so far."""


class TableCrc:
    """A reflected CRC of any width, byte by byte: slow (megabytes a second), but exact."""

    def __init__(self, polynomial: int, width: int) -> None:
        self._table, self._width = _table(polynomial), width
        self._mask = (1 << width) - 1
        self._value = self._mask

    def update(self, piece: bytes) -> None:
        """Take in more bytes."""
        table, value = self._table, self._value
        for byte in piece:
            value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
        self._value = value

    def digest(self) -> bytes:
        """Return the checksum of all bytes so far."""
        return (self._value ^ self._mask).to_bytes(self._width // 8, "big")


@cache
def _table(polynomial: int) -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ polynomial if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


#: S3's names of the algorithms that are known here
ALGORITHMS: dict[str, Callable[[], Digest]] = {
    "CRC32": Crc32Checksum,
    "CRC32C": lambda: TableCrc(0x82F63B78, 32),
    "CRC64NVME": lambda: TableCrc(0x9A6C9329AC4BC9B5, 64),
    "SHA1": partial(hashlib.sha1, usedforsecurity=False),
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
    "MD5": partial(hashlib.md5, usedforsecurity=False),
}
HEADER = "x-amz-checksum-"


def algorithm_of(header: str) -> str | None:
    """Return the algorithm of a header such as `x-amz-checksum-crc32`, None for any other header."""
    name = header.removeprefix(HEADER).upper()
    return name if header.startswith(HEADER) and name not in ("ALGORITHM", "MODE", "TYPE") else None


def decode(text: str) -> bytes | None:
    """Return a checksum in base64, None if it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


class BadDigest(AwsError):  # noqa: N818 (AWS's code)
    """The body is not what its checksum says."""


class IncompleteBody(AwsError):  # noqa: N818 (AWS's code)
    """The body is shorter or longer than was said."""


class ContentMismatch(AwsError, code="XAmzContentSHA256Mismatch"):  # noqa: N818 (AWS's code)
    """The body is not what was signed."""


class UnknownChecksum(AwsError, code="NotImplemented", status=501):  # noqa: N818 (AWS's code)
    """A checksum that cannot be checked."""


class CheckedBody(BodyStream):
    """The body of an S3 request, decoded and checked; `checksums` is complete when it has been read."""

    def __init__(
        self, body: BodyStream, headers: Mapping[str, str], checks: ChunkChecks | None = None
    ) -> None:
        self._headers = headers
        self._chunked: ChunkedReader | None = None
        self._source: AsyncIterator[bytes] = aiter(body)
        length = body.length
        if headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
            self._chunked = ChunkedReader(self._source, checks)
            self._source = aiter(self._chunked)
            announced = headers.get("x-amz-decoded-content-length", "")
            length = int(announced) if LENGTH.fullmatch(announced) else None
        super().__init__(self._checked(), length)
        #: algorithm to base64, those the client gave, found right
        self.checksums: dict[str, str] = {}

    async def _checked(self) -> AsyncIterator[bytes]:
        digests = {name: self._algorithm(name) for name in self._names()}
        signed = self._headers.get("x-amz-content-sha256", "")
        sha256 = hashlib.sha256() if len(signed) == SHA256_HEX_LENGTH else None
        md5 = hashlib.md5(usedforsecurity=False) if "content-md5" in self._headers else None
        size, running = 0, [digest for digest in (*digests.values(), sha256, md5) if digest is not None]
        async for piece in self._source:
            size += len(piece)
            for digest in running:
                digest.update(piece)
            yield piece
        if self.length is not None and size != self.length:
            raise IncompleteBody(
                f"The body has {size} bytes instead of the {self.length} that were announced."
            )
        if sha256 is not None and sha256.hexdigest() != signed:
            raise ContentMismatch(
                "The provided 'x-amz-content-sha256' header does not match what was computed."
            )
        if md5 is not None and md5.digest() != decode(self._headers["content-md5"]):
            raise BadDigest("The Content-MD5 you specified did not match what we received.")
        self._check(digests)

    def _names(self) -> list[str]:
        """Return the algorithms that headers, or the announced trailers, give checksums of."""
        trailers = [name.strip().lower() for name in self._headers.get("x-amz-trailer", "").split(",")]
        names = (algorithm_of(name) for name in [*self._headers, *trailers])
        return [name for name in names if name is not None]

    def _algorithm(self, name: str) -> Digest:
        if name not in ALGORITHMS:
            raise UnknownChecksum(f"Checksum {name} is not emulated; {', '.join(ALGORITHMS)} are.")
        return ALGORITHMS[name]()

    def _check(self, digests: dict[str, Digest]) -> None:
        given = dict(self._headers) | (self._chunked.trailers if self._chunked else {})
        for name, digest in digests.items():
            expected = given.get(HEADER + name.lower())
            actual = digest.digest()
            if expected is None or decode(expected) != actual:
                raise BadDigest(f"The {name} you specified did not match the calculated checksum.")
            self.checksums[name] = base64.b64encode(actual).decode()
