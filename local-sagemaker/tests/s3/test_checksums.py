"""Checksums of multipart uploads, and parts of objects, through boto3 on the real service."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import base64
import http.client
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from boto3.s3.transfer import TransferConfig
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.storage.objects import checksums
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service

BUCKET = "sums"
PART_BYTES = 5 * 1024 * 1024
FIRST, LAST = os.urandom(PART_BYTES), b"the end"
PIECES = [st.binary(max_size=300), st.binary(max_size=3), st.binary(max_size=300)]


@pytest.fixture
def s3(sagemaker: Service) -> Any:
    """A client of S3 with one bucket."""
    sagemaker.s3.create_bucket(Bucket=BUCKET)
    return sagemaker.s3


def checksum(algorithm: str, body: bytes) -> str:
    """The checksum of bytes, in base64."""
    running = checksums.ALGORITHMS[algorithm]()
    running.update(body)
    return base64.b64encode(running.digest()).decode()


def composite(algorithm: str, *bodies: bytes) -> str:
    """The checksum of the parts' checksums, with their number."""
    joined = b"".join(base64.b64decode(checksum(algorithm, body)) for body in bodies)
    return f"{checksum(algorithm, joined)}-{len(bodies)}"


def begin(s3: Any, **arguments: Any) -> dict[str, str]:
    """Begin an upload; what names it in further calls."""
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="k", **arguments)
    return {"Bucket": BUCKET, "Key": "k", "UploadId": upload["UploadId"]}


def add(s3: Any, upload: dict[str, str], number: int, body: bytes, algorithm: str) -> dict[str, Any]:
    """Upload a part with its checksum; what names it in the list of parts."""
    member = {f"Checksum{algorithm}": checksum(algorithm, body)}
    answer = s3.upload_part(**upload, PartNumber=number, Body=body, **member)
    assert answer[f"Checksum{algorithm}"] == member[f"Checksum{algorithm}"]
    return {"PartNumber": number, "ETag": answer["ETag"], **member}


@given(st.tuples(*PIECES), st.sampled_from(sorted(checksums.POLYNOMIALS)))
def test_the_checksum_of_the_whole_comes_from_those_of_the_parts(
    bodies: tuple[bytes, ...], algorithm: str
) -> None:
    """Joined without the bytes, it is what the bytes have."""
    parts = [(base64.b64decode(checksum(algorithm, body)), len(body)) for body in bodies]
    assert checksums.joined(algorithm, "FULL_OBJECT", parts) == checksum(algorithm, b"".join(bodies))


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        ("CRC32", "COMPOSITE"),
        ("CRC32", "FULL_OBJECT"),
        ("CRC32C", "FULL_OBJECT"),
        ("CRC64NVME", None),
        ("SHA1", None),
        ("SHA256", "COMPOSITE"),
    ],
)
def test_every_answer_names_the_checksum(s3: Any, algorithm: str, kind: str | None) -> None:
    """Create, ListParts, Complete, HEAD, GET and GetObjectAttributes; parts and object have their own."""
    first = FIRST if algorithm in {"CRC32", "SHA1", "SHA256"} else b"small"  # the others are slow here
    expected = kind or {"CRC64NVME": "FULL_OBJECT"}.get(algorithm, "COMPOSITE")
    asked = {"ChecksumAlgorithm": algorithm} | ({} if kind is None else {"ChecksumType": kind})
    created = s3.create_multipart_upload(Bucket=BUCKET, Key="k", **asked)
    assert (created["ChecksumAlgorithm"], created["ChecksumType"]) == (algorithm, expected)
    upload = {"Bucket": BUCKET, "Key": "k", "UploadId": created["UploadId"]}
    bodies = [first, LAST] if first is FIRST else [first]
    parts = [add(s3, upload, number, body, algorithm) for number, body in enumerate(bodies, 1)]
    listed = s3.list_parts(**upload)
    assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == (algorithm, expected)
    member, whole = f"Checksum{algorithm}", b"".join(bodies)
    assert [part[member] for part in listed["Parts"]] == [part[member] for part in parts]
    done = s3.complete_multipart_upload(
        **upload, MultipartUpload={"Parts": parts}, MpuObjectSize=len(whole), ChecksumType=expected
    )
    value = composite(algorithm, *bodies) if expected == "COMPOSITE" else checksum(algorithm, whole)
    named = {"Bucket": BUCKET, "Key": "k"}
    got = s3.get_object(**named, ChecksumMode="ENABLED")
    assert got["Body"].read() == whole
    told = s3.get_object_attributes(
        **named, ObjectAttributes=["ETag", "Checksum", "ObjectParts", "ObjectSize", "StorageClass"]
    )
    for answer in (done, got, s3.head_object(**named, ChecksumMode="ENABLED"), told["Checksum"]):
        assert (answer[member], answer["ChecksumType"]) == (value, expected)
    assert (told["ETag"], told["ObjectSize"], told["StorageClass"]) == (
        done["ETag"].strip('"'),
        len(whole),
        "STANDARD",
    )
    assert told["ObjectParts"]["TotalPartsCount"] == len(bodies)
    assert [(part["Size"], part[member]) for part in told["ObjectParts"]["Parts"]] == [
        (len(body), checksum(algorithm, body)) for body in bodies
    ]


def test_attributes_that_are_not_named_are_not_the_object(sagemaker: Service, s3: Any) -> None:
    """Without the header that names them the operation is still meant, and refused."""
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"secret")
    connection = http.client.HTTPConnection(urlsplit(sagemaker.url).netloc)
    connection.request("GET", f"/{BUCKET}/k?attributes")
    answer = connection.getresponse()
    assert (answer.status, b"<Code>InvalidArgument</Code>" in answer.read()) == (400, True)
    connection.close()


@pytest.mark.parametrize("is_right", [True, False])
def test_upload_file_with_the_checksum_of_the_whole(s3: Any, tmp_path: Path, *, is_right: bool) -> None:
    """The transfer manager hands the whole file's CRC32 to the end of a multipart upload."""
    path, body = tmp_path / "large", FIRST + LAST
    path.write_bytes(body)
    value = checksum("CRC32", body if is_right else b"other")
    config = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)
    if is_right:
        s3.upload_file(str(path), BUCKET, "k", ExtraArgs={"ChecksumCRC32": value}, Config=config)
        head = s3.head_object(Bucket=BUCKET, Key="k", ChecksumMode="ENABLED")
        assert (head["ChecksumCRC32"], head["ChecksumType"]) == (value, "FULL_OBJECT")
    else:
        with pytest.raises(Exception, match="BadDigest"):
            s3.upload_file(str(path), BUCKET, "k", ExtraArgs={"ChecksumCRC32": value}, Config=config)
        assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


@pytest.mark.parametrize(
    ("changed", "more", "code"),
    [
        ({"ChecksumSHA256": checksum("SHA256", b"other")}, {}, "InvalidPart"),
        ({"ChecksumSHA256": None, "ChecksumCRC32": checksum("CRC32", LAST)}, {}, "InvalidPart"),
        ({"ChecksumSHA256": None}, {}, "InvalidRequest"),
        ({}, {"MpuObjectSize": len(LAST) + 1}, "InvalidRequest"),
        ({}, {"ChecksumType": "FULL_OBJECT"}, "InvalidRequest"),
        ({}, {"ChecksumSHA256": checksum("SHA256", b"other")}, "BadDigest"),
        ({}, {"ChecksumCRC32": checksum("CRC32", b"other")}, "BadDigest"),
    ],
)
def test_an_upload_is_not_completed_to_another_object_than_was_said(
    s3: Any, changed: dict[str, Any], more: dict[str, Any], code: str
) -> None:
    """The upload goes on, and nothing is kept; with the right words it is completed."""
    upload = begin(s3, ChecksumAlgorithm="SHA256")
    part = add(s3, upload, 1, LAST, "SHA256")
    said = {name: value for name, value in {**part, **changed}.items() if value is not None}
    with refused(code):
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [said]}, **more)
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
    whole = composite("SHA256", LAST).partition("-")[0]
    done = s3.complete_multipart_upload(
        **upload, MultipartUpload={"Parts": [part]}, ChecksumSHA256=whole, MpuObjectSize=len(LAST)
    )
    assert done["ChecksumSHA256"] == f"{whole}-1"


@pytest.mark.parametrize(
    ("algorithm", "kind"), [("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE"), (None, "FULL_OBJECT")]
)
def test_a_type_that_an_algorithm_does_not_have_is_refused(s3: Any, algorithm: str | None, kind: str) -> None:
    """As S3's table of types says."""
    asked = {} if algorithm is None else {"ChecksumAlgorithm": algorithm}
    with refused("InvalidRequest", (algorithm or "x-amz-checksum-algorithm").lower()):
        begin(s3, ChecksumType=kind, **asked)


def test_a_part_has_the_algorithm_of_its_upload(s3: Any) -> None:
    """Another algorithm is refused by name; a copied part gets its checksum from the service."""
    upload = begin(s3, ChecksumAlgorithm="SHA256")
    with refused("InvalidRequest", "expected checksum Type: sha256", "actual checksum Type: crc32"):
        s3.upload_part(**upload, PartNumber=1, Body=LAST, ChecksumCRC32=checksum("CRC32", LAST))
    s3.put_object(Bucket=BUCKET, Key="source", Body=LAST)
    copied = s3.upload_part_copy(**upload, PartNumber=1, CopySource=f"{BUCKET}/source")["CopyPartResult"]
    assert copied["ChecksumSHA256"] == checksum("SHA256", LAST)


def test_a_repeated_completion_is_answered_as_the_first(sagemaker: Service, s3: Any) -> None:
    """Also conditional, and after a restart; with other parts there is no such upload any more."""
    upload = begin(s3, ChecksumAlgorithm="CRC32")
    part = add(s3, upload, 1, LAST, "CRC32")
    request = {**upload, "MultipartUpload": {"Parts": [part]}, "IfNoneMatch": "*"}
    first = s3.complete_multipart_upload(**request)
    sagemaker.restart()
    again = s3.complete_multipart_upload(**request)
    members = ("ETag", "Location", "ChecksumCRC32", "ChecksumType")
    assert [again[name] for name in members] == [first[name] for name in members]
    with refused("NoSuchUpload"):
        other = {"PartNumber": 1, "ETag": "0" * 32}
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [other]})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<CompleteMultipartUpload></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part/></CompleteMultipartUpload>",
    ],
)
def test_a_completion_without_parts_is_malformed(sagemaker: Service, s3: Any, body: bytes) -> None:
    """No body, an empty list, and a part without its number."""
    name = begin(s3)["UploadId"]
    connection = http.client.HTTPConnection(urlsplit(sagemaker.url).netloc)
    connection.request("POST", f"/{BUCKET}/k?uploadId={name}", body)
    answer = connection.getresponse()
    assert (answer.status, b"<Code>MalformedXML</Code>" in answer.read()) == (400, True)
    connection.close()


def test_an_object_is_read_part_by_part(s3: Any) -> None:
    """GET and HEAD by PartNumber give the part, its range and checksum, and how many parts there are."""
    upload = begin(s3, ChecksumAlgorithm="CRC32")
    parts = [add(s3, upload, 1, FIRST, "CRC32"), add(s3, upload, 2, LAST, "CRC32")]
    etag = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})["ETag"]
    named, size = {"Bucket": BUCKET, "Key": "k"}, len(FIRST + LAST)
    for number, body, begins in ((1, FIRST, 0), (2, LAST, len(FIRST))):
        got = s3.get_object(**named, PartNumber=number, ChecksumMode="ENABLED")
        assert got["Body"].read() == body
        for answer in (got, s3.head_object(**named, PartNumber=number, ChecksumMode="ENABLED")):
            assert (
                answer["ContentRange"],
                answer["PartsCount"],
                answer["ETag"],
                answer["ChecksumCRC32"],
            ) == (
                f"bytes {begins}-{begins + len(body) - 1}/{size}",
                2,
                etag,
                checksum("CRC32", body),
            )
            assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert "PartsCount" not in s3.head_object(**named)
    for number, code in ((3, "InvalidPartNumber"), (0, "InvalidArgument"), (10_001, "InvalidArgument")):
        with refused(code):
            s3.get_object(**named, PartNumber=number)
    with refused("InvalidRequest", "Range"):
        s3.get_object(**named, PartNumber=1, Range="bytes=0-1")


def test_an_object_put_in_one_piece_has_one_part(s3: Any) -> None:
    """An empty one, too."""
    for key, body in (("one", LAST), ("empty", b"")):
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        assert s3.get_object(Bucket=BUCKET, Key=key, PartNumber=1)["Body"].read() == body
        with refused("InvalidPartNumber"):
            s3.get_object(Bucket=BUCKET, Key=key, PartNumber=2)


def test_a_copy_has_the_checksum_of_its_bytes(s3: Any) -> None:
    """A composite checksum does not fit the copy, which has one part; another algorithm may be asked for."""
    upload = begin(s3, ChecksumAlgorithm="SHA256")
    parts = [add(s3, upload, 1, LAST, "SHA256")]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    for asked, algorithm in (({}, "SHA256"), ({"ChecksumAlgorithm": "SHA1"}, "SHA1")):
        copied = s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/k", **asked)
        head = s3.head_object(Bucket=BUCKET, Key="copy", ChecksumMode="ENABLED")
        for answer in (copied["CopyObjectResult"], head):
            assert (answer[f"Checksum{algorithm}"], answer["ChecksumType"]) == (
                checksum(algorithm, LAST),
                "FULL_OBJECT",
            )
