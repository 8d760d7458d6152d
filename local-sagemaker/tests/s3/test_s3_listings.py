"""Lists of objects through boto3, on the real service."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

from typing import Any

import pytest

from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service

BUCKET = "lists"
KEYS = ["a", "a b", "a-b", "a.b", "a/b", "a/c/d", "a/c/e", "a0", "b/x", "e\u0301", "z/", "é/ü", "日本", "🙂"]


@pytest.fixture
def s3(sagemaker: Service) -> Any:
    """A client of S3 with one bucket of many kinds of keys."""
    sagemaker.s3.create_bucket(Bucket=BUCKET)
    for key in KEYS:
        sagemaker.s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    return sagemaker.s3


def pages(s3: Any, operation: str, **arguments: Any) -> tuple[list[str], list[str]]:
    """Keys and common prefixes of all pages."""
    keys, prefixes = [], []
    for page in s3.get_paginator(operation).paginate(Bucket=BUCKET, **arguments):
        keys += [o["Key"] for o in page.get("Contents", [])]
        prefixes += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
    return keys, prefixes


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_all_pages_together_are_all_keys_in_the_order_of_their_bytes(
    s3: Any, operation: str, size: int
) -> None:
    """Whatever the size of a page, the pages give every key once, sorted by its UTF-8 bytes."""
    found = pages(s3, operation, PaginationConfig={"PageSize": size})
    assert found == (sorted(KEYS, key=str.encode), [])


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize(
    ("prefix", "delimiter"),
    [
        ("", "/"),
        ("a", "/"),
        ("a/", "/"),
        ("a/c", "/"),
        ("", "-"),
        ("a", "b"),
        ("x", "/"),
        ("z/", "/"),
        ("é", "ü"),
    ],
)
def test_a_delimiter_rolls_keys_up(s3: Any, operation: str, size: int, prefix: str, delimiter: str) -> None:
    """Keys with the delimiter behind the prefix are told by their common prefix, once."""
    inside = [key for key in sorted(KEYS, key=str.encode) if key.startswith(prefix)]
    plain = [key for key in inside if delimiter not in key[len(prefix) :]]
    cut = [
        prefix + key[len(prefix) :].partition(delimiter)[0] + delimiter for key in inside if key not in plain
    ]
    found = pages(s3, operation, Prefix=prefix, Delimiter=delimiter, PaginationConfig={"PageSize": size})
    assert found == (plain, list(dict.fromkeys(cut)))


def test_start_after_skips(s3: Any) -> None:
    """StartAfter begins behind a key, whether there is one or not."""
    inside = sorted(KEYS, key=str.encode)
    for start in ("a/c", "a/c/d", "zzz", "a", "\U0010ffff"):
        expected = [key for key in inside if key.encode() > start.encode()]
        assert pages(s3, "list_objects_v2", StartAfter=start) == (expected, [])


def test_a_page_tells_its_numbers(s3: Any) -> None:
    """KeyCount, MaxKeys and IsTruncated describe the page; no keys asked for is no error."""
    page = s3.list_objects_v2(Bucket=BUCKET, MaxKeys=3)
    none = s3.list_objects_v2(Bucket=BUCKET, MaxKeys=0)
    assert (page["KeyCount"], page["MaxKeys"], page["IsTruncated"]) == (3, 3, True)
    assert (none["KeyCount"], none["IsTruncated"], "NextContinuationToken" in none) == (0, False, False)


def test_a_wrong_token_is_refused(s3: Any) -> None:
    """A continuation token that was never given out is an invalid argument."""
    with refused("InvalidArgument"):
        s3.list_objects_v2(Bucket=BUCKET, ContinuationToken="no token!")


def test_buckets_of_another_region_are_none(s3: Any) -> None:
    """BucketRegion chooses by region, of which there is one."""
    assert s3.list_buckets(BucketRegion="us-east-1")["Buckets"]
    assert s3.list_buckets(BucketRegion="eu-west-1").get("Buckets", []) == []


def test_buckets_are_listed_by_name(s3: Any) -> None:
    """All buckets are there, page by page if asked."""
    s3.create_bucket(Bucket="another")
    first = s3.list_buckets(MaxBuckets=1)
    second = s3.list_buckets(MaxBuckets=1, ContinuationToken=first["ContinuationToken"])
    assert [b["Name"] for b in first["Buckets"] + second["Buckets"]] == ["another", BUCKET]
    assert "ContinuationToken" not in second
