"""Checksums of bodies: those that AWS's clients send, checked while the body passes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable
from functools import cache
from typing import Protocol


class Digest(Protocol):
    """A running checksum, as in hashlib."""

    def update(self, piece: bytes, /) -> None:
        """Take in more bytes."""

    def digest(self) -> bytes:
        """Return the checksum of all bytes so far."""


class Crc32:
    """The CRC of zip and Ethernet."""

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
            value = (value >> 1) ^ polynomial if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


def _md5() -> Digest:
    return hashlib.md5(usedforsecurity=False)


def _sha1() -> Digest:
    return hashlib.sha1(usedforsecurity=False)


#: S3's names of the algorithms that are known here
ALGORITHMS: dict[str, Callable[[], Digest]] = {
    "CRC32": Crc32,
    "CRC32C": lambda: TableCrc(0x82F63B78, 32),
    "CRC64NVME": lambda: TableCrc(0x9A6C9329AC4BC9B5, 64),
    "SHA1": _sha1,
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
    "MD5": _md5,
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
    except (binascii.Error, ValueError):
        return None
