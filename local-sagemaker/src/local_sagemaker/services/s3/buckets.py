"""Buckets."""

from __future__ import annotations

from typing import Any

from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation


@operation("s3", "CreateBucket", ignored=("ACL", "ObjectOwnership", "CreateBucketConfiguration"))
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
    found = [b for b in context.objects.buckets() if b[0].startswith(prefix) and b[0] > after]
    shown = found[: parameters.get("MaxBuckets", len(found))]
    answer: dict[str, Any] = {
        "Buckets": [{"Name": name, "CreationDate": created} for name, created in shown],
        "Owner": {"ID": context.account, "DisplayName": "local"},
    }
    if len(shown) < len(found):
        answer["ContinuationToken"] = shown[-1][0]
    return answer


@operation("s3", "GetBucketLocation")
def get_bucket_location(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Tell a bucket's region; us-east-1 is told by saying nothing, as S3 does."""
    context.objects.places.bucket(parameters["Bucket"])
    return {"LocationConstraint": "" if context.region == "us-east-1" else context.region}
