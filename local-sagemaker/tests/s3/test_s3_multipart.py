"""Multipart uploads through boto3, on the real service."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import hashlib
import io
import os
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig

from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service

BUCKET = "parts"
PART_BYTES = 5 * 1024 * 1024


@pytest.fixture
def s3(sagemaker: Service) -> Any:
    """A client of S3 with one bucket."""
    sagemaker.s3.create_bucket(Bucket=BUCKET)
    return sagemaker.s3


def begin(s3: Any, key: str = "k", **arguments: Any) -> dict[str, str]:
    """Begin an upload; what names it in further calls."""
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key, **arguments)
    return {"Bucket": BUCKET, "Key": key, "UploadId": upload["UploadId"]}


def add(s3: Any, upload: dict[str, str], number: int, body: bytes) -> dict[str, Any]:
    """Upload a part; what names it in the list of parts."""
    return {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]}


def test_the_object_is_its_parts_in_order(sagemaker: Service, s3: Any) -> None:
    """Parts that came out of order, one of them twice, over a restart of the service, make one object."""
    upload = begin(s3, Metadata={"a": "b"}, ContentType="text/x")
    large, small = os.urandom(PART_BYTES), b"end"
    last = add(s3, upload, 3, small)
    add(s3, upload, 1, b"to be replaced")
    first = add(s3, upload, 1, large)
    sagemaker.restart()
    listed = s3.list_parts(**upload)["Parts"]
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [first, last]})
    got = s3.get_object(Bucket=BUCKET, Key="k")
    joined = hashlib.md5(large).digest() + hashlib.md5(small).digest()  # noqa: S324 (S3's entity tag)
    assert [(p["PartNumber"], p["Size"], p["ETag"]) for p in listed] == [
        (1, PART_BYTES, first["ETag"]),
        (3, 3, last["ETag"]),
    ]
    assert got["ETag"] == done["ETag"] == f'"{hashlib.md5(joined).hexdigest()}-2"'  # noqa: S324
    assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (large + small, {"a": "b"}, "text/x")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)


def test_boto3_uploads_and_downloads_large_files_in_parts(s3: Any) -> None:
    """The transfer manager's threads put and get a file by parts and ranges."""
    body = os.urandom(12 * 1024 * 1024 + 1)
    config = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)
    s3.upload_fileobj(io.BytesIO(body), BUCKET, "large", Config=config)
    target = io.BytesIO()
    s3.download_fileobj(BUCKET, "large", target, Config=config)
    assert target.getvalue() == body


def test_a_part_may_be_copied_from_an_object(s3: Any) -> None:
    """UploadPartCopy takes an object or a range of it."""
    s3.put_object(Bucket=BUCKET, Key="source", Body=b"0123456789")
    upload = begin(s3)
    source = {"Bucket": BUCKET, "Key": "source"}
    part = s3.upload_part_copy(**upload, PartNumber=1, CopySource=source, CopySourceRange="bytes=2-4")
    parts = [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"234"
    with refused("InvalidRange"):
        s3.upload_part_copy(**begin(s3), PartNumber=1, CopySource=source, CopySourceRange="bytes=8-10")


def test_an_aborted_upload_is_gone(sagemaker: Service, s3: Any) -> None:
    """After an abort there is no upload, no part on the disk, and no object."""
    upload = begin(s3)
    add(s3, upload, 1, b"x")
    s3.abort_multipart_upload(**upload)
    with refused("NoSuchUpload"):
        add(s3, upload, 2, b"y")
    assert list((sagemaker.root / "s3" / ".state" / "uploads").iterdir()) == []
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


@pytest.mark.parametrize(
    ("numbers", "etags", "expected"),
    [
        ([1, 2], ["right", "right"], "EntityTooSmall"),
        ([2, 1], ["right", "right"], "InvalidPartOrder"),
        ([1, 1], ["right", "right"], "InvalidPartOrder"),
        ([1], ["0" * 32], "InvalidPart"),
        ([7], ["0" * 32], "InvalidPart"),
    ],
)
def test_wrong_lists_of_parts_are_refused(
    s3: Any, numbers: list[int], etags: list[str], expected: str
) -> None:
    """What cannot be put together is refused, and the upload goes on."""
    upload = begin(s3)
    there = {number: add(s3, upload, number, b"small")["ETag"] for number in (1, 2)}
    parts = [
        {"PartNumber": number, "ETag": there[number] if etag == "right" else etag}
        for number, etag in zip(numbers, etags, strict=True)
    ]
    with refused(expected):
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert len(s3.list_parts(**upload)["Parts"]) == 2


def test_a_conditional_completion_keeps_what_is_there(s3: Any) -> None:
    """CompleteMultipartUpload honours If-None-Match: *."""
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"first")
    upload = begin(s3)
    part = add(s3, upload, 1, b"second")
    with refused("PreconditionFailed"):
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]}, IfNoneMatch="*")
    assert s3.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"first"


def test_uploads_under_way_are_listed(s3: Any) -> None:
    """Uploads are listed by key, page by page, the earlier of one key first."""
    expected = [begin(s3, key)["UploadId"] for key in ("a", "a", "b", "c")]
    found: list[str] = []
    marker: dict[str, Any] = {}
    while True:
        page = s3.list_multipart_uploads(Bucket=BUCKET, MaxUploads=1, **marker)
        found += [u["UploadId"] for u in page["Uploads"]]
        if not page["IsTruncated"]:
            break
        marker = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    assert found == expected


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_delimiter_rolls_uploads_up(s3: Any, size: int) -> None:
    """Uploads below a common prefix are one entry, on pages of any size; keys come encoded if asked."""
    for key in ("a", "b/1", "b/2", "b ä", "c/1", "d"):
        begin(s3, key)
    keys: list[str] = []
    prefixes: list[str] = []
    marker: dict[str, Any] = {}
    while True:
        page = s3.list_multipart_uploads(Bucket=BUCKET, MaxUploads=size, Delimiter="/", **marker)
        keys += [upload["Key"] for upload in page.get("Uploads", [])]
        prefixes += [common["Prefix"] for common in page.get("CommonPrefixes", [])]
        assert len(page.get("Uploads", [])) + len(page.get("CommonPrefixes", [])) <= size
        if not page["IsTruncated"]:
            break
        marker = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    assert (keys, prefixes) == (["a", "b ä", "d"], ["b/", "c/"])
    encoded = s3.list_multipart_uploads(Bucket=BUCKET, Prefix="b ", EncodingType="url")
    assert [upload["Key"] for upload in encoded["Uploads"]] == ["b%20%C3%A4"]
