"""Model package groups: create, describe, list, delete."""

from __future__ import annotations

import time
from typing import Any

from local_sagemaker.errors import ConflictException, ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.listing import listed, pairs
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import Query, Resource, TakenError

KIND = "model-package-group"
PACKAGE = "model-package"


@operation("sagemaker", "CreateModelPackageGroup", ignored=("ManagedConfiguration",))
def create_model_package_group(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Make a group, whose packages are the versions of one model."""
    name, now = parameters["ModelPackageGroupName"], time.time()
    arn = context.arn("sagemaker", f"{KIND}/{name}")
    document = {key: value for key, value in parameters.items() if key != "Tags"} | {
        "ModelPackageGroupArn": arn,
        "ModelPackageGroupStatus": "Completed",
        "CreationTime": moment(now),
        "CreatedBy": {},
    }
    resource = Resource(
        kind=KIND, name=name, arn=arn, status="Completed", created=now, modified=now, document=document
    )
    try:
        context.store.insert(resource, pairs(parameters.get("Tags")))
    except TakenError as error:
        raise ValidationException(f"Model Package Group already exists: {arn}") from error
    return {"ModelPackageGroupArn": arn}


@operation("sagemaker", "DescribeModelPackageGroup")
def describe_model_package_group(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with a group."""
    return find(context, parameters["ModelPackageGroupName"]).document


@operation("sagemaker", "ListModelPackageGroups", ignored=("CrossAccountFilterOption",))
def list_model_package_groups(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of groups."""
    found, token = listed(context, KIND, parameters)
    summaries = [
        {key: value for key, value in group.document.items() if key != "CreatedBy"} for group in found
    ]
    return {"ModelPackageGroupSummaryList": summaries, "NextToken": token}


@operation("sagemaker", "DeleteModelPackageGroup")
def delete_model_package_group(context: Context, parameters: dict[str, Any]) -> None:
    """Forget a group that has no packages."""
    group = find(context, parameters["ModelPackageGroupName"])
    if context.store.search(PACKAGE, Query(parent=group.name, limit=1)):
        raise ConflictException(
            f"Model Package Group cannot be deleted because it still contains Model packages: {group.arn}"
        )
    context.store.delete(KIND, group.name)


def find(context: Context, name_or_arn: str) -> Resource:
    """A group by its name or ARN."""
    name = name_or_arn.rpartition(f":{KIND}/")[2]
    found = context.store.get(KIND, name)
    if found is None:
        arn = context.arn("sagemaker", f"{KIND}/{name}")
        raise ValidationException(f"ModelPackageGroup {arn} does not exist.")
    return found
