"""A body that is checked while it passes: its length, its signed hash, its checksums.

The error comes instead of the end of the body, so that nothing wrong is ever kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Mapping

from local_sagemaker.errors import AwsError
from local_sagemaker.protocol.bodies import BodyStream, ChunkChecks, ChunkedReader
from local_sagemaker.storage.objects.checksums import ALGORITHMS, Digest, decode, encode
from local_sagemaker.storage.objects.errors import BadDigest, InvalidRequest

SHA256_HEX_LENGTH = 64
#: no body has more bytes than this has digits
LENGTH = re.compile(r"[0-9]{1,19}")


HEADER = "x-amz-checksum-"
#: the header by which clients announce the algorithm of a checksum that they send
ANNOUNCED = "x-amz-sdk-checksum-algorithm"


def algorithm_of(header: str) -> str | None:
    """Return the algorithm of a header such as `x-amz-checksum-crc32`, None for any other header."""
    name = header.removeprefix(HEADER).upper()
    return name if header.startswith(HEADER) and name not in ("ALGORITHM", "MODE", "TYPE") else None


class IncompleteBody(AwsError):  # noqa: N818 (AWS's code)
    """The body is shorter or longer than was said."""


class ContentMismatch(AwsError, code="XAmzContentSHA256Mismatch"):  # noqa: N818 (AWS's code)
    """The body is not what was signed."""


class UnknownChecksum(AwsError, code="NotImplemented", status=501):  # noqa: N818 (AWS's code)
    """A checksum that cannot be checked."""


class CheckedBody(BodyStream):
    """The body of an S3 request, decoded and checked; `checksums` is complete when it has been read.

    :param is_described: whether the headers' checksums are of the body; else they are of something else, as
        of the object that CompleteMultipartUpload joins.
    :raises InvalidRequest: if the headers announce a checksum that does not come.
    """

    def __init__(
        self,
        body: BodyStream,
        headers: Mapping[str, str],
        checks: ChunkChecks | None = None,
        *,
        is_described: bool = True,
    ) -> None:
        self._headers, self._is_described = headers, is_described
        if is_described and ANNOUNCED in headers and not self._names():
            raise InvalidRequest(
                f"{ANNOUNCED} specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were "
                "found."
            )
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
        if not self._is_described:
            return []
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
            if expected is not None and len(decode(expected) or b"") != len(actual):
                raise InvalidRequest(f"Value for {HEADER}{name.lower()} header is invalid.")
            if expected is None or decode(expected) != actual:
                raise BadDigest(f"The {name} you specified did not match the calculated checksum.")
            self.checksums[name] = encode(actual)
