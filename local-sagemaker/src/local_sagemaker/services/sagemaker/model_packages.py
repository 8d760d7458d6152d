"""Model packages, the versions of a model: create, describe, update, list, delete."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

from local_sagemaker.errors import ConflictException, ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.resources import create as create_resource
from local_sagemaker.services.sagemaker.resources import listed, pairs
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import Query, Resource, TakenError

KIND = "model-package"
#: how many requests of a group are known again when they are repeated
TOKENS_KEPT = 100
#: members that UpdateModelPackage replaces
REPLACED = (
    *("ModelApprovalStatus", "ApprovalDescription", "ModelPackageRegistrationType"),
    *("InferenceSpecification", "SourceUri", "ModelCard", "ModelLifeCycle"),
)
IGNORED = ("CertifyForMarketplace", "ValidationSpecification", "SkipModelValidation", "ManagedStorageType")
SUMMARY = (
    *("ModelPackageGroupName", "ModelPackageVersion", "ModelPackageArn", "ModelPackageDescription"),
    *("CreationTime", "ModelPackageStatus", "ModelApprovalStatus", "ModelLifeCycle"),
    "ModelPackageRegistrationType",
)
GROUP_KIND = "model-package-group"
PACKAGE = "model-package"


@operation("sagemaker", "CreateModelPackage", ignored=IGNORED)
def create_model_package(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Register the next version of a group; the same ClientToken again gives the same version."""
    if "ModelPackageGroupName" not in parameters:
        raise ValidationException(
            "ModelPackageGroupName is missing: the local SageMaker knows versioned model packages only. Name "
            "a group."
        )
    group = find_group(context, parameters["ModelPackageGroupName"]).name
    version, now = _version(context, group, parameters.get("ClientToken")), time.time()
    arn = context.arn("sagemaker", f"{KIND}/{group}/{version}")
    approval = parameters.get("ModelApprovalStatus", "PendingManualApproval")
    given = {key: value for key, value in parameters.items() if key not in {"Tags", "ClientToken"}}
    document = given | {
        "ModelPackageGroupName": group,
        "ModelPackageVersion": version,
        "ModelPackageArn": arn,
        "ModelApprovalStatus": approval,
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
        "CreationTime": moment(now),
    }
    resource = Resource(
        kind=KIND,
        name=f"{group}/{version}",
        parent=group,
        arn=arn,
        status=approval,
        created=now,
        modified=now,
        document=document,
    )
    # a request that comes again finds what it made the first time
    with suppress(TakenError):
        context.store.insert(resource, pairs(parameters.get("Tags")))
    return {"ModelPackageArn": arn}


@operation("sagemaker", "DescribeModelPackage", ignored=("IncludedData",))
def describe_model_package(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with a version: its containers, metrics, approval, properties."""
    return find(context, parameters["ModelPackageName"]).document


@operation("sagemaker", "UpdateModelPackage", ignored=("ClientToken",))
def update_model_package(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Approve or reject a version, or change its description."""
    package = find(context, parameters["ModelPackageArn"])
    now = time.time()

    def change(found: Resource) -> Resource:
        document = {**found.document, "LastModifiedTime": moment(now), **_properties(found, parameters)}
        document |= {name: parameters[name] for name in REPLACED if name in parameters}
        added = parameters.get("AdditionalInferenceSpecificationsToAdd", [])
        if added:
            name = "AdditionalInferenceSpecifications"
            document[name] = [*document.get(name, []), *added]
        return replace(found, document=document, status=document["ModelApprovalStatus"], modified=now)

    context.store.change(KIND, package.name, change)
    return {"ModelPackageArn": package.arn}


@operation("sagemaker", "ListModelPackages")
def list_model_packages(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of versions, of one group or of all."""
    group = parameters.get("ModelPackageGroupName")
    if group is None and parameters.get("ModelPackageType", "Unversioned") == "Unversioned":
        return {"ModelPackageSummaryList": []}
    parent = None if group is None else find_group(context, group).name
    status = parameters.get("ModelApprovalStatus")
    found, token = listed(context, KIND, parameters, parent=parent, status=status)
    summaries = [
        {name: package.document[name] for name in SUMMARY if name in package.document} for package in found
    ]
    return {"ModelPackageSummaryList": summaries, "NextToken": token}


@operation("sagemaker", "DeleteModelPackage")
def delete_model_package(context: Context, parameters: dict[str, Any]) -> None:
    """Forget a version; its number is not given again."""
    package = find(context, parameters["ModelPackageName"])
    context.store.delete(KIND, package.name)


def find(context: Context, name_or_arn: str) -> Resource:
    """Return a version by its ARN, or by `group/version`."""
    name = name_or_arn.rpartition(f":{KIND}/")[2]
    found = context.store.get(KIND, name)
    if found is None:
        raise ValidationException(
            f"ModelPackage {context.arn('sagemaker', f'{KIND}/{name}')} does not exist."
        )
    return found


def _version(context: Context, group: str, token: str | None) -> int:
    """Return the number of a group's next version, or the one given before to a request with this token."""

    def change(found: Resource) -> Resource:
        tokens = dict(found.state.get("tokens", {}))
        last = int(found.state.get("last", 0))
        if token in tokens:
            return found
        if token is not None:
            tokens[token] = last + 1
        kept = dict(list(tokens.items())[-TOKENS_KEPT:])
        return replace(found, state={"last": last + 1, "tokens": kept})

    state = context.store.change(GROUP_KIND, group, change).state
    return int(state["tokens"].get(token, state["last"]))


def _properties(package: Resource, parameters: dict[str, Any]) -> dict[str, Any]:
    name = "CustomerMetadataProperties"
    kept = {**package.document.get(name, {}), **parameters.get(name, {})}
    for key in parameters.get(f"{name}ToRemove", []):
        kept.pop(key, None)
    return {name: kept} if kept or name in package.document else {}


@operation("sagemaker", "CreateModelPackageGroup", ignored=("ManagedConfiguration",))
def create_model_package_group(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Make a group, whose packages are the versions of one model."""
    name, now = parameters["ModelPackageGroupName"], time.time()
    arn = context.arn("sagemaker", f"{GROUP_KIND}/{name}")
    document = {key: value for key, value in parameters.items() if key != "Tags"} | {
        "ModelPackageGroupArn": arn,
        "ModelPackageGroupStatus": "Completed",
        "CreationTime": moment(now),
        "CreatedBy": {},
    }
    resource = Resource(
        kind=GROUP_KIND, name=name, arn=arn, status="Completed", created=now, modified=now, document=document
    )
    taken = ValidationException(f"Model Package Group already exists: {arn}")
    create_resource(context, resource, parameters, taken)
    return {"ModelPackageGroupArn": arn}


@operation("sagemaker", "DescribeModelPackageGroup")
def describe_model_package_group(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with a group."""
    return find_group(context, parameters["ModelPackageGroupName"]).document


@operation("sagemaker", "ListModelPackageGroups", ignored=("CrossAccountFilterOption",))
def list_model_package_groups(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of groups."""
    found, token = listed(context, GROUP_KIND, parameters)
    summaries = [
        {key: value for key, value in group.document.items() if key != "CreatedBy"} for group in found
    ]
    return {"ModelPackageGroupSummaryList": summaries, "NextToken": token}


@operation("sagemaker", "DeleteModelPackageGroup")
def delete_model_package_group(context: Context, parameters: dict[str, Any]) -> None:
    """Forget a group that has no packages."""
    group = find_group(context, parameters["ModelPackageGroupName"])
    if context.store.search(PACKAGE, Query(parent=group.name, limit=1)):
        raise ConflictException(
            f"Model Package Group cannot be deleted because it still contains Model packages: {group.arn}"
        )
    context.store.delete(GROUP_KIND, group.name)


def find_group(context: Context, name_or_arn: str) -> Resource:
    """Return a group by its name or ARN."""
    name = name_or_arn.rpartition(f":{GROUP_KIND}/")[2]
    found = context.store.get(GROUP_KIND, name)
    if found is None:
        arn = context.arn("sagemaker", f"{GROUP_KIND}/{name}")
        raise ValidationException(f"ModelPackageGroup {arn} does not exist.")
    return found
