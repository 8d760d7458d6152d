"""Objects of S3 through boto3, on the real service."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import hashlib
import http.client
import os
import threading
import urllib.request
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import pytest
from botocore.exceptions import ClientError

from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service

BUCKET = "data-1"


@pytest.fixture
def s3(sagemaker: Service) -> Any:
    """A client of S3 with one bucket."""
    sagemaker.s3.create_bucket(Bucket=BUCKET)
    return sagemaker.s3


def test_an_object_comes_back_as_it_was_put(s3: Any) -> None:
    """Bytes, content type, metadata and headers are given back."""
    s3.put_object(
        Bucket=BUCKET,
        Key="a/ä b+%&.csv",
        Body=b"x,y\n1,2\n",
        ContentType="text/csv",
        CacheControl="no-cache",
        Expires=datetime(2030, 1, 2, tzinfo=UTC),
        Metadata={"origin": "test"},
    )
    got = s3.get_object(Bucket=BUCKET, Key="a/ä b+%&.csv")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"], got["CacheControl"], got["Expires"]) == (
        b"x,y\n1,2\n",
        "text/csv",
        {"origin": "test"},
        "no-cache",
        datetime(2030, 1, 2, tzinfo=UTC),
    )


def test_an_object_is_a_plain_file(sagemaker: Service, s3: Any) -> None:
    """The bytes of an object lie at <root>/s3/<bucket>/<key>."""
    s3.put_object(Bucket=BUCKET, Key="a/b.txt", Body=b"plain")
    assert (sagemaker.root / "s3" / BUCKET / "a" / "b.txt").read_bytes() == b"plain"


def test_a_file_dropped_in_by_hand_is_an_object(sagemaker: Service, s3: Any) -> None:
    """A file that was put into a bucket's folder is listed, described and read like any object."""
    path = sagemaker.root / "s3" / BUCKET / "by" / "hand.txt"
    path.parent.mkdir()
    path.write_bytes(b"by hand")
    listed = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    head = s3.head_object(Bucket=BUCKET, Key="by/hand.txt")
    expected = f'"{hashlib.md5(b"by hand").hexdigest()}"'  # noqa: S324 (S3's entity tag)
    assert [(o["Key"], o["ETag"]) for o in listed] == [("by/hand.txt", expected)]
    assert (head["ETag"], head["ContentLength"]) == (expected, 7)


def test_a_file_changed_by_hand_gets_a_new_entity_tag(sagemaker: Service, s3: Any) -> None:
    """The entity tag follows the bytes, also when they were changed behind the service's back."""
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"before", Metadata={"a": "b"})
    (sagemaker.root / "s3" / BUCKET / "k").write_bytes(b"afterwards")
    head = s3.head_object(Bucket=BUCKET, Key="k")
    assert head["ETag"] == f'"{hashlib.md5(b"afterwards").hexdigest()}"'  # noqa: S324 (S3's entity tag)


def test_links_are_not_followed(sagemaker: Service, s3: Any, tmp_path: Any) -> None:
    """A link in a bucket's folder is no object, and neither is anything behind a linked folder."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    folder = sagemaker.root / "s3" / BUCKET
    (folder / "link").symlink_to(outside / "secret")
    (folder / "linked").symlink_to(outside)
    for key in ("link", "linked/secret"):
        with refused("NoSuchKey"):
            s3.get_object(Bucket=BUCKET, Key=key)
    s3.put_object(Bucket=BUCKET, Key="linked/new", Body=b"new")
    s3.put_object(Bucket=BUCKET, Key="link", Body=b"own")
    assert sorted(path.name for path in outside.iterdir()) == ["secret"]
    assert (outside / "secret").read_bytes() == b"secret"
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == ["link", "linked/new"]
    assert s3.list_objects_v2(Bucket=BUCKET, Prefix="linked/s")["KeyCount"] == 0


def test_keys_never_leave_the_bucket(sagemaker: Service, s3: Any) -> None:
    """Keys with dots and slashes are keys, not paths."""
    keys = [
        "../../escaped",
        "a/../../../escaped",
        "./x",
        "/abs",
        "/etc/hosts",
        "a//b",
        "..",
        "z/",
        "nul\0byte",
        "s" * 300,
    ]
    for key in keys:
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    assert {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys} == {
        key: key.encode() for key in keys
    }
    listed = [o["Key"] for o in s3.list_objects_v2(Bucket=BUCKET, EncodingType="url")["Contents"]]
    assert [unquote(key) for key in listed] == sorted(keys, key=str.encode)
    assert [p.name for p in (sagemaker.root / "s3" / BUCKET).iterdir()] == []
    assert not list(sagemaker.root.parent.rglob("escaped"))


def test_a_key_may_be_the_folder_of_others(s3: Any) -> None:
    """Keys "a", "a/" and "a/b" live side by side, in whatever order they are put."""
    for order in (["a", "a/b", "a/"], ["q/b", "q/", "q"]):
        for key in order:
            s3.put_object(Bucket=BUCKET, Key=key, Body=f"1 {key}".encode(), Metadata={"m": key})
            s3.put_object(Bucket=BUCKET, Key=key, Body=f"2 {key}".encode(), Metadata={"m": key})
        for key in order:
            got = s3.get_object(Bucket=BUCKET, Key=key)
            assert (got["Body"].read(), got["Metadata"]) == (f"2 {key}".encode(), {"m": key})
    listed = [o["Key"] for o in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert listed == ["a", "a/", "a/b", "q", "q/", "q/b"]
    for key in listed:
        s3.delete_object(Bucket=BUCKET, Key=key)
        with refused("404"):
            s3.head_object(Bucket=BUCKET, Key=key)
    s3.delete_bucket(Bucket=BUCKET)
    assert s3.list_buckets()["Buckets"] == []


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-3", b"0123"),
        ("bytes=5-", b"56789"),
        ("bytes=-3", b"789"),
        ("bytes=8-100", b"89"),
        ("bytes=3-3", b"3"),
    ],
)
def test_a_range_is_answered_with_just_that(s3: Any, header: str, expected: bytes) -> None:
    """Every form of a range gives its bytes and a Content-Range."""
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"0123456789")
    got = s3.get_object(Bucket=BUCKET, Key="k", Range=header)
    begin = b"0123456789".index(expected)
    assert got["ContentRange"] == f"bytes {begin}-{begin + len(expected) - 1}/10"
    assert (got["ResponseMetadata"]["HTTPStatusCode"], got["Body"].read()) == (206, expected)


def test_a_range_outside_the_object_is_refused(s3: Any) -> None:
    """A range that begins behind the end is InvalidRange, HTTP 416."""
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"0123456789")
    with refused("InvalidRange") as error:
        s3.get_object(Bucket=BUCKET, Key="k", Range="bytes=10-")
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 416


def test_conditional_reads(s3: Any) -> None:
    """If-Match and If-None-Match decide between the object, 304 and 412."""
    etag = s3.put_object(Bucket=BUCKET, Key="k", Body=b"x")["ETag"]
    assert s3.get_object(Bucket=BUCKET, Key="k", IfMatch=etag)["Body"].read() == b"x"
    for arguments, expected in (({"IfNoneMatch": etag}, "304"), ({"IfMatch": '"no"'}, "412")):
        with refused(expected):
            s3.head_object(Bucket=BUCKET, Key="k", **arguments)


def test_a_conditional_put_keeps_what_is_there(s3: Any) -> None:
    """If-None-Match: * writes only where nothing is; If-Match only over the version it names."""
    first = s3.put_object(Bucket=BUCKET, Key="k", Body=b"first", IfNoneMatch="*")["ETag"]
    with refused("PreconditionFailed"):
        s3.put_object(Bucket=BUCKET, Key="k", Body=b"second", IfNoneMatch="*")
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"third", IfMatch=first)
    with refused("PreconditionFailed"):
        s3.put_object(Bucket=BUCKET, Key="k", Body=b"fourth", IfMatch=first)
    with refused("NoSuchKey"):
        s3.put_object(Bucket=BUCKET, Key="none", Body=b"x", IfMatch=first)
    assert s3.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"third"


def test_of_many_conditional_puts_one_wins(sagemaker: Service, s3: Any) -> None:
    """However many clients race for a key with If-None-Match: *, exactly one has written it."""
    outcomes: list[tuple[str, int]] = []

    def race(number: int) -> None:
        try:
            sagemaker.s3.put_object(Bucket=BUCKET, Key="k", Body=b"%d" % number, IfNoneMatch="*")
            outcomes.append(("won", number))
        except ClientError as error:
            outcomes.append((error.response["Error"]["Code"], number))

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [number for outcome, number in outcomes if outcome == "won"]
    assert sorted(outcome for outcome, _ in outcomes) == ["PreconditionFailed"] * 7 + ["won"]
    assert s3.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"%d" % winners[0]


def test_presigned_urls_work_without_a_client(s3: Any) -> None:
    """A presigned URL puts and gets, and may set headers of the answer."""
    put = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": "p q"})
    request = urllib.request.Request(put, data=b"signed", method="PUT")  # noqa: S310 (loopback)
    with urllib.request.urlopen(request) as answer:  # noqa: S310 (loopback)
        assert answer.status == 200
    get = s3.generate_presigned_url(
        "get_object", Params={"Bucket": BUCKET, "Key": "p q", "ResponseContentType": "text/x"}
    )
    with urllib.request.urlopen(get) as answer:  # noqa: S310 (loopback)
        assert (answer.read(), answer.headers["content-type"]) == (b"signed", "text/x")


def test_a_wrong_checksum_keeps_nothing(sagemaker: Service, s3: Any) -> None:
    """A body that is not what its checksum, MD5 or signed hash says is refused and not kept."""
    for headers, expected in (
        ({"x-amz-checksum-crc32": "AAAAAA=="}, b"BadDigest"),
        ({"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, b"BadDigest"),
        ({"x-amz-content-sha256": "0" * 64}, b"XAmzContentSHA256Mismatch"),
        ({"x-amz-checksum-xxhash64": "AAAAAAAAAAA="}, b"NotImplemented"),
    ):
        connection = http.client.HTTPConnection(urlsplit(sagemaker.url).netloc)
        connection.request("PUT", f"/{BUCKET}/k", b"body", headers)
        assert expected in connection.getresponse().read()
        connection.close()
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_every_checksum_of_boto3_is_checked_and_given_back(s3: Any, algorithm: str) -> None:
    """A checksum that the client computes is found right, kept, and checked by the client that reads."""
    if algorithm in ("CRC32C", "CRC64NVME"):
        known = {"CRC32C": "4waSgw==", "CRC64NVME": "rosUhgp5mIg="}[algorithm]
        given = {f"Checksum{algorithm}": known}
    else:
        given = {"ChecksumAlgorithm": algorithm}
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"123456789", **given)
    got = s3.get_object(Bucket=BUCKET, Key="k", ChecksumMode="ENABLED")
    assert (got["Body"].read(), f"Checksum{algorithm}" in got) == (b"123456789", True)


def test_chunks_with_trailing_checksums_are_decoded(sagemaker: Service, s3: Any) -> None:
    """The aws-chunked encoding with a checksum in the trailer, which clients use over TLS."""
    body = b"5\r\n12345\r\n4;chunk-signature=x\r\n6789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n"
    headers = {
        "content-encoding": "aws-chunked,gzip",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "9",
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    answers = []
    for sent in (body, body.replace(b"y/Q5", b"yyQ5"), body[:-20], body.replace(b"6789", b"678")):
        connection = http.client.HTTPConnection(urlsplit(sagemaker.url).netloc)
        connection.request("PUT", f"/{BUCKET}/k", sent, headers)
        answers.append(connection.getresponse().status)
        connection.close()
    got = s3.get_object(Bucket=BUCKET, Key="k")
    assert answers == [200, 400, 400, 400]
    assert (got["Body"].read(), got["ContentEncoding"]) == (b"123456789", "gzip")


def test_an_interrupted_body_leaves_the_object_as_it_was(sagemaker: Service, s3: Any) -> None:
    """A client that goes away in the middle of its body changes nothing and leaves nothing behind."""
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"whole")
    connection = http.client.HTTPConnection(urlsplit(sagemaker.url).netloc)
    connection.putrequest("PUT", f"/{BUCKET}/k")
    connection.putheader("content-length", "1000000")
    connection.endheaders()
    connection.send(b"half")
    connection.close()
    s3.put_object(Bucket=BUCKET, Key="other", Body=b"answered after the interruption")
    assert s3.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"whole"


def test_objects_survive_the_end_of_the_service(sagemaker: Service, s3: Any) -> None:
    """What was answered is there after the service was killed; what was not is cleared away."""
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"durable", Metadata={"a": "b"})
    sagemaker.kill()
    left = sagemaker.root / "s3" / ".state" / "tmp" / "left"
    left.write_bytes(b"half a body")
    sagemaker.start()
    got = s3.get_object(Bucket=BUCKET, Key="k")
    assert (got["Body"].read(), got["Metadata"], left.exists()) == (b"durable", {"a": "b"}, False)


def test_a_large_object_passes_in_both_directions(s3: Any) -> None:
    """Twenty mebibytes come back byte for byte."""
    body = os.urandom(20 * 1024 * 1024)
    s3.put_object(Bucket=BUCKET, Key="large", Body=body)
    assert s3.get_object(Bucket=BUCKET, Key="large")["Body"].read() == body


def test_deleting_is_idempotent(s3: Any) -> None:
    """Deleting what is not there is no error, one by one and many at once."""
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"")
    s3.delete_object(Bucket=BUCKET, Key="k")
    s3.delete_object(Bucket=BUCKET, Key="k")
    s3.put_object(Bucket=BUCKET, Key="x", Body=b"")
    objects = [{"Key": key} for key in ("x", "never", "with <xml> & \r")]
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": objects})
    assert [d["Key"] for d in answer["Deleted"]] == ["x", "never", "with <xml> & \r"]
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_tags_are_kept(s3: Any) -> None:
    """Tags come with the object or later, and go."""
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"", Tagging="a=1&b=two%20words")
    first = s3.get_object_tagging(Bucket=BUCKET, Key="k")["TagSet"]
    s3.put_object_tagging(Bucket=BUCKET, Key="k", Tagging={"TagSet": [{"Key": "c", "Value": "3"}]})
    second = s3.get_object_tagging(Bucket=BUCKET, Key="k")["TagSet"]
    s3.delete_object_tagging(Bucket=BUCKET, Key="k")
    assert first == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "two words"}]
    assert second == [{"Key": "c", "Value": "3"}]
    assert s3.get_object_tagging(Bucket=BUCKET, Key="k")["TagSet"] == []


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([("k" * 128, "v" * 256)], None),
        ([("k" * 129, "v")], "InvalidTag"),
        ([("k", "v" * 257)], "InvalidTag"),
        ([("k", "1"), ("k", "2")], "InvalidTag"),
        ([("aws:k", "1")], "InvalidTag"),
        ([(f"k{number}", "v") for number in range(10)], None),
        ([(f"k{number}", "v") for number in range(11)], "BadRequest"),
    ],
)
def test_tags_have_limits(s3: Any, tags: list[tuple[str, str]], code: str | None) -> None:
    """The same for tags that come with the object, and for those that come later."""
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"")
    tagging = {"TagSet": [{"Key": key, "Value": value} for key, value in tags]}
    for operation, members in (
        (s3.put_object_tagging, {"Tagging": tagging}),
        (s3.put_object, {"Tagging": urlencode(tags), "Body": b""}),
    ):
        if code is None:
            operation(Bucket=BUCKET, Key="k", **members)
            assert s3.get_object_tagging(Bucket=BUCKET, Key="k")["TagSet"] == tagging["TagSet"]
        else:
            with refused(code):
                operation(Bucket=BUCKET, Key="k", **members)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("deflate, gzip", "deflate, gzip"),
        ("deflate,gzip", "deflate,gzip"),
        ("deflate, gzip, aws-chunked", "deflate, gzip"),
        ("aws-chunked, deflate, gzip", "deflate, gzip"),
        ("aws-chunked", None),
    ],
)
def test_encodings_stay_as_they_were_written(s3: Any, sent: str, kept: str | None) -> None:
    """But for aws-chunked, which is the request's own."""
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"x", ContentEncoding=sent)
    assert s3.head_object(Bucket=BUCKET, Key="k").get("ContentEncoding") == kept


@pytest.mark.parametrize(
    ("source", "key"),
    [
        (f"/{BUCKET}/a+b", "a b"),
        (f"{BUCKET}/a%20b", "a b"),
        (f"{BUCKET}/a%2Bb", "a+b"),
        (f"%2F{BUCKET}%2Fa%2Bb", "a+b"),
        (f"{BUCKET}%2Ffolder%2F%C3%A4%3FversionId%3D1", "folder/ä?versionId=1"),
    ],
)
def test_the_source_of_a_copy_is_decoded_whole(sagemaker: Service, s3: Any, source: str, key: str) -> None:
    """Slashes may be encoded, a plus sign is a space, and only a plain question mark begins the version."""
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"copied")
    connection = http.client.HTTPConnection(urlsplit(sagemaker.url).netloc)
    connection.request("PUT", f"/{BUCKET}/copy", headers={"x-amz-copy-source": source})
    answer = connection.getresponse()
    assert (answer.status, b"<CopyObjectResult" in answer.read()) == (200, True)
    connection.close()
    assert s3.get_object(Bucket=BUCKET, Key="copy")["Body"].read() == b"copied"


@pytest.mark.parametrize(
    "query",
    [
        "list-type=2&max-keys=ten",
        "max-keys=1_0",
        "max-keys=%201",
        "max-keys=1.5",
        "max-keys=99999999999",
        "max-keys=",
        "uploads&max-uploads=x",
        "list-type=2&fetch-owner=maybe",
    ],
)
def test_a_malformed_number_in_a_query_is_an_invalid_argument(
    sagemaker: Service, s3: Any, query: str
) -> None:
    """It is no malformed XML, for there is none."""
    assert s3.list_buckets()["Buckets"]
    connection = http.client.HTTPConnection(urlsplit(sagemaker.url).netloc)
    connection.request("GET", f"/{BUCKET}?{query}")
    answer = connection.getresponse()
    assert (answer.status, b"<Code>InvalidArgument</Code>" in answer.read()) == (400, True)
    connection.close()


def test_what_is_not_modified_is_named(s3: Any) -> None:
    """A 304 has the entity tag and the time of the object, on GET and HEAD."""
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"x")
    head = s3.head_object(Bucket=BUCKET, Key="k")
    for call in (s3.get_object, s3.head_object):
        for condition in ({"IfNoneMatch": head["ETag"]}, {"IfModifiedSince": head["LastModified"]}):
            with refused("304") as answer:
                call(Bucket=BUCKET, Key="k", **condition)
            headers = answer["ResponseMetadata"]["HTTPHeaders"]
            assert (headers["etag"], headers["last-modified"]) == (
                head["ETag"],
                head["ResponseMetadata"]["HTTPHeaders"]["last-modified"],
            )


def test_copies_keep_or_replace_metadata(s3: Any) -> None:
    """A copy has the bytes, and the metadata of its source unless it is given new."""
    s3.put_object(Bucket=BUCKET, Key="from ä", Body=b"copied", Metadata={"a": "b"}, ContentType="text/x")
    source = {"Bucket": BUCKET, "Key": "from ä"}
    s3.copy_object(Bucket=BUCKET, Key="kept", CopySource=source)
    s3.copy_object(
        Bucket=BUCKET, Key="new", CopySource=source, MetadataDirective="REPLACE", Metadata={"c": "d"}
    )
    kept, new = (s3.get_object(Bucket=BUCKET, Key=key) for key in ("kept", "new"))
    assert (kept["Body"].read(), kept["Metadata"], kept["ContentType"]) == (b"copied", {"a": "b"}, "text/x")
    assert (new["Body"].read(), new["Metadata"]) == (b"copied", {"c": "d"})
    with refused("NoSuchKey"):
        s3.copy_object(Bucket=BUCKET, Key="x", CopySource={"Bucket": BUCKET, "Key": "none"})
    with refused("InvalidRequest"):
        s3.copy_object(Bucket=BUCKET, Key="from ä", CopySource=source)


@pytest.mark.parametrize(
    ("method", "arguments", "expected"),
    [
        ("get_object", {"Bucket": "no-such-bucket", "Key": "k"}, "NoSuchBucket"),
        ("put_object", {"Bucket": "no-such-bucket", "Key": "k", "Body": b""}, "NoSuchBucket"),
        ("list_objects_v2", {"Bucket": "no-such-bucket"}, "NoSuchBucket"),
        ("head_bucket", {"Bucket": "no-such-bucket"}, "404"),
        ("head_object", {"Bucket": BUCKET, "Key": "none"}, "404"),
        ("create_bucket", {"Bucket": BUCKET}, "BucketAlreadyOwnedByYou"),
        ("create_bucket", {"Bucket": "Upper_case"}, "InvalidBucketName"),
        ("put_object", {"Bucket": BUCKET, "Key": "ü" * 513, "Body": b""}, "KeyTooLongError"),
        ("get_bucket_policy", {"Bucket": BUCKET}, "NotImplemented"),
        ("put_object_acl", {"Bucket": BUCKET, "Key": "k", "ACL": "private"}, "NotImplemented"),
    ],
)
def test_errors_are_those_of_s3(s3: Any, method: str, arguments: dict[str, Any], expected: str) -> None:
    """Each mistake has S3's own code."""
    with refused(expected):
        getattr(s3, method)(**arguments)


def test_a_bucket_with_objects_stays(s3: Any) -> None:
    """A bucket can be deleted only when it is empty."""
    s3.put_object(Bucket=BUCKET, Key="a/b", Body=b"")
    with refused("BucketNotEmpty"):
        s3.delete_bucket(Bucket=BUCKET)
