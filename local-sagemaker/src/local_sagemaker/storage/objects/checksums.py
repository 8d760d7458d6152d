"""S3's checksums: of bytes, of a file, and of an object that is joined of parts."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path
from typing import Protocol

from local_sagemaker.storage.objects.errors import InvalidRequest

COMPOSITE, FULL_OBJECT = "COMPOSITE", "FULL_OBJECT"
#: name -> polynomial, reflected, and width in bits
POLYNOMIALS = {
    "CRC32": (0xEDB88320, 32),
    "CRC32C": (0x82F63B78, 32),
    "CRC64NVME": (0x9A6C9329AC4BC9B5, 64),
}
PIECE_BYTES = 1024 * 1024


class Digest(Protocol):
    """A running checksum, as in hashlib."""

    def update(self, piece: bytes, /) -> None:
        """Take in more bytes."""

    def digest(self) -> bytes:
        """Return the checksum of all bytes so far."""


class ZlibCrc:
    """CRC-32 by the standard library."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, piece: bytes) -> None:
        """Take in more bytes."""
        self._value = zlib.crc32(piece, self._value)

    def digest(self) -> bytes:
        """Return the checksum of all bytes so far."""
        return self._value.to_bytes(4, "big")


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
            value = _times_x(value, polynomial)
        table.append(value)
    return tuple(table)


def _times_x(value: int, polynomial: int) -> int:
    """Return the product with x of a polynomial over GF(2), the lowest bit its highest power."""
    return (value >> 1) ^ polynomial if value & 1 else value >> 1


#: S3's names of the algorithms that are known here
ALGORITHMS: dict[str, Callable[[], Digest]] = {
    "CRC32": ZlibCrc,
    "CRC32C": partial(TableCrc, *POLYNOMIALS["CRC32C"]),
    "CRC64NVME": partial(TableCrc, *POLYNOMIALS["CRC64NVME"]),
    "SHA1": partial(hashlib.sha1, usedforsecurity=False),
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
    "MD5": partial(hashlib.md5, usedforsecurity=False),
}


def decode(text: str) -> bytes | None:
    """Return a checksum in base64, None if it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


def encode(checksum: bytes) -> str:
    """Return a checksum in base64."""
    return base64.b64encode(checksum).decode()


def of_file(algorithm: str, path: Path) -> str:
    """Return the checksum of a file, in base64."""
    running = ALGORITHMS[algorithm]()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            running.update(piece)
    return encode(running.digest())


def type_of(algorithm: str | None, given: str | None) -> str | None:
    """Return the checksum type of a multipart upload; raise InvalidRequest for one that S3 does not have.

    :param given: ChecksumType of the request; by default composite, but for the algorithm that cannot be.
    """
    if algorithm is None:
        if given is not None:
            raise InvalidRequest(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
            )
        return None
    is_wrong = algorithm == "CRC64NVME" if given == COMPOSITE else algorithm not in POLYNOMIALS
    if given is not None and is_wrong:
        raise InvalidRequest(
            f"The {given} checksum type cannot be used with the {algorithm.lower()} checksum algorithm."
        )
    return given or (FULL_OBJECT if algorithm == "CRC64NVME" else COMPOSITE)


def joined(algorithm: str, checksum_type: str | None, parts: Iterable[tuple[bytes, int]]) -> str:
    """Return the checksum of an object from the checksums and sizes of its parts, as S3 writes it.

    A composite one is the checksum of the parts' checksums and says their number; that of the full object is
    computed without its bytes, by shifting each CRC past the bytes that follow (zlib's crc32_combine).
    """
    listed = list(parts)
    if checksum_type == COMPOSITE:
        running = ALGORITHMS[algorithm]()
        running.update(b"".join(checksum for checksum, _ in listed))
        return f"{encode(running.digest())}-{len(listed)}"
    polynomial, width = POLYNOMIALS[algorithm]
    value = 0
    for checksum, size in listed:
        shifted = _product(_power_of_x(8 * size, polynomial, width), value, polynomial, width)
        value = shifted ^ int.from_bytes(checksum, "big")
    return encode(value.to_bytes(width // 8, "big"))


def _product(left: int, right: int, polynomial: int, width: int) -> int:
    """Return the product of two polynomials modulo the CRC's own."""
    product = 0
    for bit in reversed(range(width)):
        if left >> bit & 1:
            product ^= right
        right = _times_x(right, polynomial)
    return product


def _power_of_x(exponent: int, polynomial: int, width: int) -> int:
    power, square = 1 << (width - 1), 1 << (width - 2)  # x to the power of 0 and of 1
    while exponent:
        if exponent & 1:
            power = _product(square, power, polynomial, width)
        square = _product(square, square, polynomial, width)
        exponent >>= 1
    return power
