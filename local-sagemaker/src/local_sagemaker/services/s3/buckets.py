"""Buckets, and the lists of their objects."""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from local_sagemaker.errors import translate
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.s3.objects import quoted
from local_sagemaker.storage.objects.errors import InvalidArgument
from local_sagemaker.storage.objects.objects import ObjectInfo

PAGE_LIMIT = 1000


@operation("s3", "CreateBucket")
def create_bucket(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Make a bucket, which is a folder below the service's root."""
    context.objects.create_bucket(parameters["Bucket"])
    return {"Location": f"/{parameters['Bucket']}"}


@operation("s3", "HeadBucket")
def head_bucket(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Tell whether a bucket is there."""
    context.objects.places.bucket(parameters["Bucket"])
    return {"BucketRegion": context.region}


@operation("s3", "DeleteBucket")
def delete_bucket(context: Context, parameters: dict[str, Any]) -> None:
    """Remove an empty bucket."""
    context.objects.delete_bucket(parameters["Bucket"])


@operation("s3", "ListBuckets")
def list_buckets(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """List the buckets, by name, page by page when MaxBuckets is given."""
    prefix, after = parameters.get("Prefix", ""), parameters.get("ContinuationToken", "")
    buckets = [b for b in context.objects.buckets() if b[0].startswith(prefix) and b[0] > after]
    if parameters.get("BucketRegion", context.region) != context.region:
        buckets = []  # all of them are in one region
    shown = buckets[: parameters.get("MaxBuckets", len(buckets))]
    answer: dict[str, Any] = {
        "Buckets": [{"Name": name, "CreationDate": created} for name, created in shown],
        "Owner": {"ID": context.account, "DisplayName": "local"},
    }
    if len(shown) < len(buckets):
        answer["ContinuationToken"] = shown[-1][0]
    return answer


@operation("s3", "GetBucketLocation")
def get_bucket_location(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Tell a bucket's region; us-east-1 is told by saying nothing, as S3 does."""
    context.objects.places.bucket(parameters["Bucket"])
    return {"LocationConstraint": "" if context.region == "us-east-1" else context.region}


@operation("s3", "ListObjectsV2")
def list_objects_v2(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """List objects in the order of their keys' bytes, with continuation tokens."""
    token = parameters.get("ContinuationToken")
    after = parameters.get("StartAfter", "") if token is None else _read_token(token)
    listing = _page(context, parameters, after, has_owner=parameters.get("FetchOwner", False))
    answer = listing.answer | {"KeyCount": listing.count}
    if token is not None:
        answer["ContinuationToken"] = token
    if listing.last is not None:
        answer["NextContinuationToken"] = base64.urlsafe_b64encode(listing.last.encode()).decode()
    if "StartAfter" in parameters:
        answer["StartAfter"] = listing.encoded(parameters["StartAfter"])
    return answer


@operation("s3", "ListObjects")
def list_objects(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """List objects in the order of their keys' bytes, with markers."""
    marker = parameters.get("Marker", "")
    listing = _page(context, parameters, marker, has_owner=True)
    answer = listing.answer | {"Marker": listing.encoded(marker)}
    if listing.last is not None and parameters.get("Delimiter"):
        answer["NextMarker"] = listing.encoded(listing.last)
    return answer


def encoder(parameters: Mapping[str, Any]) -> Callable[[str], str]:
    """Return the function that writes a key as a list's request wants it: percent-encoded if it said so."""
    if parameters.get("EncodingType") == "url":
        return functools.partial(quote, safe="/")
    return str


class _Page:
    """One page of a list."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self.encoded = encoder(parameters)
        self.count = 0
        #: where the next page goes on, None on the last one
        self.last: str | None = None
        self.answer: dict[str, Any] = {}


def _page(context: Context, parameters: dict[str, Any], after: str, *, has_owner: bool) -> _Page:
    listing, delimiter = _Page(parameters), parameters.get("Delimiter", "")
    prefix, limit = parameters.get("Prefix", ""), min(parameters.get("MaxKeys", PAGE_LIMIT), PAGE_LIMIT)
    if limit < 0:
        raise InvalidArgument("Argument maxKeys must be an integer between 0 and 2147483647")
    contents, prefixes, last = [], [], None
    for item in context.objects.entries(parameters["Bucket"], prefix, after=after, delimiter=delimiter):
        if listing.count == limit:
            listing.last = last
            break
        listing.count += 1
        if isinstance(item, str):
            last = item
            prefixes.append({"Prefix": listing.encoded(item)})
        else:
            last = item.key
            contents.append(_content(context, listing, item, has_owner=has_owner))
    listing.answer = {
        "Name": parameters["Bucket"],
        "Prefix": listing.encoded(prefix),
        "Delimiter": listing.encoded(delimiter) if delimiter else None,
        "MaxKeys": limit,
        "EncodingType": parameters.get("EncodingType"),
        "IsTruncated": listing.last is not None,
        "Contents": contents,
        "CommonPrefixes": prefixes,
    }
    return listing


def _content(context: Context, listing: _Page, info: ObjectInfo, *, has_owner: bool) -> dict[str, Any]:
    owner = {"Owner": {"ID": context.account, "DisplayName": "local"}} if has_owner else {}
    return {
        "Key": listing.encoded(info.key),
        "LastModified": info.modified,
        "ETag": quoted(info.etag),
        "Size": info.size,
        "StorageClass": "STANDARD",
        **owner,
    }


def _read_token(token: str) -> str:
    with translate(ValueError, InvalidArgument("The continuation token provided is incorrect")):
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
