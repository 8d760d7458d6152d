"""Models, and the model packages that are the versions of one: create, describe, update, list, delete."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from local_sagemaker.errors import ConflictException, ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.resources import ResourceType, chosen, output_members, tags_by_key
from local_sagemaker.storage.store import Document, Query, Resource, TakenError


class PackageType(ResourceType):
    """Versions: their documents are complete, and their status in the store is that of their approval."""

    def described(self, resource: Resource) -> Document:
        """Return the document alone."""
        return resource.document


PACKAGES = PackageType(
    noun="ModelPackage",
    kind="model-package",
    missing="ModelPackage {arn} does not exist.",
    order=("CreationTime", "Ascending"),
)
GROUPS = ResourceType(
    noun="ModelPackageGroup",
    kind="model-package-group",
    missing="ModelPackageGroup {arn} does not exist.",
    taken="Model Package Group already exists: {arn}",
    order=("CreationTime", "Ascending"),
)
#: how many requests of a group are known again when they are repeated
TOKENS_KEPT = 100
#: members that UpdateModelPackage replaces
REPLACED = (
    *("ModelApprovalStatus", "ApprovalDescription", "ModelPackageRegistrationType"),
    *("InferenceSpecification", "SourceUri", "ModelCard", "ModelLifeCycle"),
)
PACKAGES.serve_describe("Answer with a version: its containers, metrics, approval, properties.")
PACKAGES.serve_delete("Forget a version; its number is not given again.")
GROUPS.serve_describe("Answer with a group.")
GROUPS.serve_list("Answer with one page of groups.")

MODELS = ResourceType(
    noun="Model",
    kind="model",
    missing='Could not find model "{arn}".',
    taken='Cannot create already existing model "{arn}".',
)
MODELS.serve_describe("Answer with a model's containers.")
MODELS.serve_list("Answer with one page of models.")
MODELS.serve_delete("Forget a model; what is made of it goes on.")


@operation("sagemaker", "CreateModel")
def create_model(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Keep what an endpoint or a batch transform is to run: image, model data, environment."""
    document = dict(parameters)
    if ("PrimaryContainer" in document) == ("Containers" in document):
        raise ValidationException("Give either PrimaryContainer or Containers.")
    if "PrimaryContainer" in document:
        document["PrimaryContainer"] = _complete(context, document["PrimaryContainer"])
    else:
        document["Containers"] = [_complete(context, container) for container in document["Containers"]]
        names = [one["ContainerHostname"] for one in document["Containers"] if "ContainerHostname" in one]
        if len(set(names)) < len(names):
            raise ValidationException(f"Two containers have the same ContainerHostname: {', '.join(names)}.")
    return MODELS.create(context, parameters, document)


def _complete(context: Context, container: dict[str, Any]) -> dict[str, Any]:
    """Return a container, completed from its model package if it names one."""
    if "ModelPackageName" in container:
        package = PACKAGES.find_resource(context, container["ModelPackageName"])
        name = container.get("InferenceSpecificationName")
        more = {one["Name"]: one for one in package.document.get("AdditionalInferenceSpecifications", [])}
        specification = package.document.get("InferenceSpecification") if name is None else more.get(name)
        if specification is None:
            raise ValidationException(
                f"{package.arn} has no InferenceSpecification {name or 'to make a model of'}."
            )
        # a package says more of its containers, such as their framework, than a model describes
        known = chosen(
            specification["Containers"][0], output_members("DescribeModel")["PrimaryContainer"].members
        )
        container = {**known, **container, "ModelPackageName": package.arn}
    if "Image" not in container:
        raise ValidationException("A container needs an Image or a ModelPackageName.")
    if container.get("Mode") == "MultiModel" and "ModelDataUrl" not in container:
        raise ValidationException(
            "A container of the mode MultiModel needs a ModelDataUrl, the prefix of its archives in S3."
        )
    if "MultiModelConfig" in container and container.get("Mode") != "MultiModel":
        raise ValidationException("MultiModelConfig is for containers of the mode MultiModel. Leave it out.")
    return container


@operation("sagemaker", "CreateModelPackage")
def create_model_package(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Register the next version of a group; the same ClientToken again gives the same version."""
    if "ModelPackageGroupName" not in parameters:
        raise ValidationException(
            "ModelPackageGroupName is missing: the local SageMaker knows versioned model packages only. Name "
            "a group."
        )
    group = GROUPS.named(context, parameters).name
    version = _version(context, group, parameters.get("ClientToken"))
    approval = parameters.get("ModelApprovalStatus", "PendingManualApproval")
    document = parameters | {
        "ModelPackageGroupName": group,
        "ModelPackageVersion": version,
        "ModelApprovalStatus": approval,
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
    }
    document.pop("ClientToken", None)
    resource = PACKAGES.new(context, f"{group}/{version}", document, parent=group, status=approval)
    # it has a time of modification once it is modified
    del resource.document["LastModifiedTime"]
    # a request that comes again finds what it made the first time
    with suppress(TakenError):
        context.store.insert(resource, tags_by_key(parameters.get("Tags")))
    return {"ModelPackageArn": resource.arn}


@operation("sagemaker", "UpdateModelPackage")
def update_model_package(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Approve or reject a version, or change its description."""
    package = PACKAGES.find_resource(context, parameters["ModelPackageArn"])

    def change(resource: Resource) -> Resource:
        members = _properties(resource, parameters) | chosen(parameters, REPLACED)
        added = parameters.get("AdditionalInferenceSpecificationsToAdd", [])
        if added:
            name = "AdditionalInferenceSpecifications"
            members[name] = [*resource.document.get(name, []), *added]
        changed = resource.changed(members)
        return replace(changed, status=changed.document["ModelApprovalStatus"])

    context.store.change(package.kind, package.name, change)
    return {"ModelPackageArn": package.arn}


@operation("sagemaker", "ListModelPackages")
def list_model_packages(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of versions, of one group or of all."""
    group = parameters.get("ModelPackageGroupName")
    if group is None and parameters.get("ModelPackageType", "Unversioned") == "Unversioned":
        return {"ModelPackageSummaryList": []}
    parent = None if group is None else GROUPS.find_resource(context, group).name
    return PACKAGES.list_resources(
        context, parameters, parent=parent, status=parameters.get("ModelApprovalStatus")
    )


def _version(context: Context, group: str, token: str | None) -> int:
    """Return the number of a group's next version, or the one given before to a request with this token."""

    def change(resource: Resource) -> Resource:
        tokens = dict(resource.state.get("tokens", {}))
        last = int(resource.state.get("last", 0))
        if token in tokens:
            return resource
        if token is not None:
            tokens[token] = last + 1
        kept = dict(list(tokens.items())[-TOKENS_KEPT:])
        return replace(resource, state={"last": last + 1, "tokens": kept})

    state = context.store.change(GROUPS.kind, group, change).state
    return int(state["tokens"].get(token, state["last"]))


def _properties(package: Resource, parameters: dict[str, Any]) -> dict[str, Any]:
    name = "CustomerMetadataProperties"
    kept = {**package.document.get(name, {}), **parameters.get(name, {})}
    for key in parameters.get(f"{name}ToRemove", []):
        kept.pop(key, None)
    return {name: kept} if kept or name in package.document else {}


@operation("sagemaker", "CreateModelPackageGroup")
def create_model_package_group(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Make a group, whose packages are the versions of one model."""
    return GROUPS.create(
        context,
        parameters,
        {**parameters, "ModelPackageGroupStatus": "Completed", "CreatedBy": {}},
        status="Completed",
    )


@operation("sagemaker", "DeleteModelPackageGroup")
def delete_model_package_group(context: Context, parameters: dict[str, Any]) -> None:
    """Forget a group that has no packages."""
    group = GROUPS.named(context, parameters)
    if context.store.search(PACKAGES.kind, Query(parent=group.name, limit=1)):
        raise ConflictException(
            f"Model Package Group cannot be deleted because it still contains Model packages: {group.arn}"
        )
    context.store.delete(group.kind, group.name)
