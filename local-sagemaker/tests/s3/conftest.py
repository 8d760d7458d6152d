"""One service for all tests of a module, emptied before each test: starting one takes longer than a test."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sagemaker_kit.service import Service


@pytest.fixture(scope="module")
def shared_service(start_shared_service: Callable[..., Service]) -> Any:
    """The service of this module."""
    return start_shared_service()


@pytest.fixture
def sagemaker(shared_service: Service) -> Service:
    """The service of this module without any bucket."""
    s3 = shared_service.s3
    for bucket in s3.list_buckets()["Buckets"]:
        for upload in s3.list_multipart_uploads(Bucket=bucket["Name"]).get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket["Name"], Key=upload["Key"], UploadId=upload["UploadId"])
        for path in (shared_service.root / "s3" / bucket["Name"]).rglob("*"):
            if path.is_symlink():
                path.unlink()
        for listed in s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
            s3.delete_object(Bucket=bucket["Name"], Key=listed["Key"])
        s3.delete_bucket(Bucket=bucket["Name"])
    return shared_service
