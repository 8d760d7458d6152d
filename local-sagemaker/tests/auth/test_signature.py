"""Signatures are those of AWS's published examples; refusals have the words of each protocol."""
# ruff: noqa: S106 (a header is no password)

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from local_sagemaker.auth.admission import admit
from local_sagemaker.auth.refusals import Refusal
from local_sagemaker.base import Credentials, KeyPair
from local_sagemaker.errors import AwsError
from local_sagemaker.protocol.bodies import BodyStream, whole
from local_sagemaker.protocol.checked import CheckedBody
from local_sagemaker.protocol.http import HttpRequest

#: the key of the examples in "Authenticating Requests (AWS Signature Version 4)" of the S3 API reference
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
CREDENTIALS = Credentials({KEY: SECRET}, KeyPair("inside", "inside-inside-inside"))
NOW = datetime(2013, 5, 24, tzinfo=UTC)
SCOPE = "20130524/us-east-1/s3/aws4_request"
EMPTY = hashlib.sha256(b"").hexdigest()
CHUNKS = b"a" * 65536, b"a" * 1024
CHUNK_SIGNATURES = (
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
)
TRAILER_SIGNATURES = (
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435",
)


def request(
    method: str, path: str, signature: str, *, query: tuple[tuple[str, str], ...] = (), **headers: str
) -> HttpRequest:
    """A request to the bucket of the examples, all of whose headers are signed."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    given = {"host": "examplebucket.s3.amazonaws.com", "x-amz-date": "20130524T000000Z", **named}
    signed = ";".join(sorted(given))
    given["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={KEY}/{SCOPE},SignedHeaders={signed},Signature={signature}"
    )
    return HttpRequest(method, path, query, given, whole(b""), "id")


GET = request(
    "GET",
    "/test.txt",
    "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    range="bytes=0-9",
    x_amz_content_sha256=EMPTY,
)
PUT = request(
    "PUT",
    "/test%24file.text",
    "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    date="Fri, 24 May 2013 00:00:00 GMT",
    x_amz_storage_class="REDUCED_REDUNDANCY",
    x_amz_content_sha256=hashlib.sha256(b"Welcome to Amazon S3.").hexdigest(),
)
LIFECYCLE = request(
    "GET",
    "/",
    "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    query=(("lifecycle", ""),),
    x_amz_content_sha256=EMPTY,
)
LIST = request(
    "GET",
    "/",
    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    query=(("prefix", "J"), ("max-keys", "2")),
    x_amz_content_sha256=EMPTY,
)
PRESIGNED = HttpRequest(
    "GET",
    "/test.txt",
    (
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", f"{KEY}/{SCOPE}"),
        ("X-Amz-Date", "20130524T000000Z"),
        ("X-Amz-Expires", "86400"),
        ("X-Amz-SignedHeaders", "host"),
        ("X-Amz-Signature", "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"),
    ),
    {"host": "examplebucket.s3.amazonaws.com"},
    whole(b""),
    "id",
)


def admitted(given: HttpRequest, protocol: str = "rest-xml", now: datetime = NOW) -> HttpRequest:
    """The request if it may go on."""
    return asyncio.run(admit(CREDENTIALS, given, protocol, now))


def refused(given: HttpRequest, protocol: str = "rest-xml", now: datetime = NOW) -> tuple[str, int]:
    """Code and status of the refusal."""
    with pytest.raises(Refusal) as found:
        admitted(given, protocol, now)
    return found.value.code, found.value.status


def changed(given: HttpRequest, **headers: str) -> HttpRequest:
    """The request with other headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return replace(given, headers={**given.headers, **named})


@pytest.mark.parametrize(
    "given", [GET, PUT, LIFECYCLE, LIST, PRESIGNED], ids=["get", "put", "lifecycle", "list", "url"]
)
def test_awss_own_examples_are_admitted(given: HttpRequest) -> None:
    """The signatures in AWS's documentation are those that are computed here."""
    assert admitted(given) == given


@pytest.mark.parametrize(
    "given",
    [
        replace(GET, path="/test.txt2"),
        replace(GET, method="DELETE"),
        replace(GET, query=(("versionId", "1"),)),
        replace(GET, path="/test.txt\u20ac"),
        changed(GET, range="bytes=0-99"),
        changed(GET, host="otherbucket.s3.amazonaws.com"),
        changed(GET, authorization=GET.headers["authorization"][:-1] + "2"),
        changed(GET, authorization=GET.headers["authorization"].replace("us-east-1", "us-west-2")),
        changed(GET, authorization=GET.headers["authorization"] + "\u00e9"),
        replace(PRESIGNED, method="PUT"),
    ],
)
def test_whatever_is_changed_breaks_the_signature(given: HttpRequest) -> None:
    """Method, path, query, headers, region and the signature itself."""
    assert refused(given) == ("SignatureDoesNotMatch", 403)


@pytest.mark.parametrize(
    ("given", "protocol", "expected"),
    [
        (replace(GET, headers={}), "rest-xml", ("AccessDenied", 403)),
        (replace(GET, headers={}), "json", ("MissingAuthenticationTokenException", 400)),
        (replace(GET, headers={}), "rest-json", ("MissingAuthenticationTokenException", 403)),
        (replace(GET, headers={}), "query", ("MissingAuthenticationToken", 403)),
        (changed(GET, x_amz_acl="public-read"), "rest-xml", ("AccessDenied", 403)),
        (changed(GET, x_amz_security_token="t"), "rest-xml", ("InvalidToken", 400)),
        (changed(GET, x_amz_security_token="t"), "query", ("InvalidClientTokenId", 403)),
        (changed(GET, x_amz_content_sha256="x"), "rest-xml", ("InvalidArgument", 400)),
        (
            changed(GET, authorization="AWS4-HMAC-SHA256 nonsense"),
            "rest-xml",
            ("AuthorizationHeaderMalformed", 400),
        ),
        (
            changed(GET, authorization="AWS4-HMAC-SHA256 nonsense"),
            "json",
            ("IncompleteSignatureException", 400),
        ),
        (changed(GET, authorization="AWS a:b"), "rest-xml", ("AuthorizationHeaderMalformed", 400)),
        (changed(GET, x_amz_date="yesterday"), "rest-xml", ("AuthorizationHeaderMalformed", 400)),
        (changed(GET, x_amz_date="20130525T000000Z"), "rest-xml", ("AuthorizationHeaderMalformed", 400)),
        (replace(GET, query=PRESIGNED.query), "rest-xml", ("AuthorizationQueryParametersError", 400)),
        (
            replace(PRESIGNED, query=PRESIGNED.query[:3]),
            "rest-xml",
            ("AuthorizationQueryParametersError", 400),
        ),
    ],
)
def test_a_refusal_has_the_code_of_its_protocol(
    given: HttpRequest, protocol: str, expected: tuple[str, int]
) -> None:
    """Missing, unsigned, unreadable and twofold signatures, session tokens and digests that are none."""
    assert refused(given, protocol) == expected


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ("rest-xml", ("InvalidAccessKeyId", 403)),
        ("query", ("InvalidClientTokenId", 403)),
        ("json", ("UnrecognizedClientException", 400)),
        ("rest-json", ("UnrecognizedClientException", 403)),
    ],
)
def test_an_unknown_key_is_told(protocol: str, expected: tuple[str, int]) -> None:
    """Before anything is computed."""
    other = changed(GET, authorization=GET.headers["authorization"].replace(KEY, "AKIAOTHER"))
    assert refused(other, protocol) == expected


@pytest.mark.parametrize("minutes", [-15, 15])
def test_clocks_may_be_fifteen_minutes_apart(minutes: int) -> None:
    """To the second."""
    border = NOW + timedelta(minutes=minutes)
    beyond = border + timedelta(seconds=minutes // 15)
    assert admitted(GET, now=border) == GET
    assert refused(GET, now=beyond) == ("RequestTimeTooSkewed", 403)
    assert refused(GET, "json", beyond) == ("InvalidSignatureException", 400)
    assert refused(GET, "query", beyond) == ("SignatureDoesNotMatch", 403)


def test_a_presigned_url_ends_when_it_says() -> None:
    """To the second, however far the clocks are apart then."""
    end = NOW + timedelta(days=1)
    assert admitted(PRESIGNED, now=end) == PRESIGNED
    assert refused(PRESIGNED, now=end + timedelta(seconds=1)) == ("AccessDenied", 403)


@pytest.mark.parametrize("seconds", ["0", "604801", "-1", "x", "\u0661"])
def test_a_presigned_url_lasts_a_week_at_most(seconds: str) -> None:
    """Zero, more, less and other digits are refused."""
    query = tuple((name, seconds if name == "X-Amz-Expires" else value) for name, value in PRESIGNED.query)
    assert refused(replace(PRESIGNED, query=query)) == ("AuthorizationQueryParametersError", 400)


def chunked(seed: str, trailer: str = "", **headers: str) -> HttpRequest:
    """AWS's example of an object in signed chunks."""
    given = headers if trailer else {"content_length": "66824", **headers}
    return request(
        "PUT",
        "/examplebucket/chunkObject.txt",
        seed,
        host="s3.amazonaws.com",
        content_encoding="aws-chunked",
        x_amz_content_sha256=f"STREAMING-AWS4-HMAC-SHA256-PAYLOAD{trailer}",
        x_amz_decoded_content_length="66560",
        x_amz_storage_class="REDUCED_REDUNDANCY",
        query=(),
        **given,
    )


SIGNED_CHUNKS = chunked("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")
SIGNED_TRAILER = chunked(
    "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    "-TRAILER",
    x_amz_trailer="x-amz-checksum-crc32c",
)


def body_of(signatures: tuple[str, ...], *chunks: bytes, trailer: bytes = b"") -> bytes:
    """A body of signed chunks."""
    heads = (
        b"%x;chunk-signature=%b\r\n" % (len(c), s.encode()) for c, s in zip(chunks, signatures, strict=False)
    )
    return b"".join(head + chunk + b"\r\n" for head, chunk in zip(heads, chunks, strict=True)).removesuffix(
        b"\r\n"
    ) + (trailer or b"\r\n")


def decoded(given: HttpRequest, body: bytes) -> bytes:
    """What a handler reads of the request."""

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    async def read() -> bytes:
        found = await admit(CREDENTIALS, given, "rest-xml", NOW)
        return await CheckedBody(BodyStream(pieces(), None), found.headers, found.chunks).read()

    return asyncio.run(read())


def test_awss_signed_chunks_are_read() -> None:
    """The published signatures of two chunks and the end."""
    assert decoded(SIGNED_CHUNKS, body_of(CHUNK_SIGNATURES, *CHUNKS, b"")) == b"".join(CHUNKS)


def trailer_lines(signature: str) -> bytes:
    """The published trailer."""
    return b"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:%b\r\n\r\n" % signature.encode()


def test_awss_signed_trailer_is_read() -> None:
    """The published signatures of two chunks, the end and the trailer with a checksum."""
    body = body_of(TRAILER_SIGNATURES, *CHUNKS, b"", trailer=trailer_lines(TRAILER_SIGNATURES[3]))
    assert decoded(SIGNED_TRAILER, body) == b"".join(CHUNKS)


@pytest.mark.parametrize(
    ("given", "body"),
    [
        (SIGNED_CHUNKS, body_of(CHUNK_SIGNATURES, CHUNKS[0], b"b" * 1024, b"")),
        (SIGNED_CHUNKS, body_of(CHUNK_SIGNATURES[1:], *CHUNKS[1:], b"")),
        (SIGNED_CHUNKS, body_of((*CHUNK_SIGNATURES[:2], "0" * 64), *CHUNKS, b"")),
        (SIGNED_CHUNKS, body_of(("", "", ""), *CHUNKS, b"")),
        (SIGNED_TRAILER, body_of(TRAILER_SIGNATURES, *CHUNKS, b"", trailer=trailer_lines("0" * 64))),
        (
            SIGNED_TRAILER,
            body_of(TRAILER_SIGNATURES, *CHUNKS, b"", trailer=b"x-amz-checksum-crc32c:sOO8/Q==\r\n\r\n"),
        ),
    ],
    ids=["another chunk", "a chunk less", "another end", "unsigned", "another trailer", "trailer unsigned"],
)
def test_another_body_than_was_signed_is_refused(given: HttpRequest, body: bytes) -> None:
    """Before the end of the body, so that nothing of it is kept."""
    with pytest.raises(AwsError) as found:
        decoded(given, body)
    assert found.value.code == "SignatureDoesNotMatch"
