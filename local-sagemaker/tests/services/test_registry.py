"""Models, model package groups and packages, and tags through boto3."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

from typing import Any

import pytest

from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service

SPECIFICATION = {
    "Containers": [{"Image": "model:local", "ModelDataUrl": "s3://lab/model.tar.gz"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}
GROUP = "arn:aws:sagemaker:us-east-1:000000000000:model-package-group/flights"


@pytest.fixture
def registry(sagemaker: Service) -> Any:
    """The client, with the group `flights`."""
    client = sagemaker.sagemaker
    client.create_model_package_group(
        ModelPackageGroupName="flights", ModelPackageGroupDescription="late or not"
    )
    return client


def register(registry: Any, **request: Any) -> Any:
    """The ARN of a new version."""
    given = {"ModelPackageGroupName": "flights", "InferenceSpecification": SPECIFICATION, **request}
    return registry.create_model_package(**given)["ModelPackageArn"]


def test_versions_are_numbered_within_their_group(registry: Any) -> None:
    """Numbers rise, and one that was deleted is not given again."""
    first, second = register(registry), register(registry)
    assert first == "arn:aws:sagemaker:us-east-1:000000000000:model-package/flights/1"
    assert second == first[:-1] + "2"
    registry.delete_model_package(ModelPackageName=second)
    assert register(registry) == first[:-1] + "3"


def test_a_model_takes_the_specification_it_names(registry: Any) -> None:
    """InferenceSpecificationName chooses an additional one; what a model does not describe is left out."""
    more = {"Name": "small", "Containers": [{"Image": "small:local", "Framework": "XGBOOST"}]}
    arn = register(registry, AdditionalInferenceSpecifications=[more])
    for name, image in ((None, "model:local"), ("small", "small:local")):
        given = {"ModelPackageName": arn, **({"InferenceSpecificationName": name} if name else {})}
        registry.create_model(ModelName=f"m-{name}", PrimaryContainer=given)
        assert registry.describe_model(ModelName=f"m-{name}")["PrimaryContainer"]["Image"] == image
    with refused("ValidationException", "other"):
        given = {"ModelPackageName": arn, "InferenceSpecificationName": "other"}
        registry.create_model(ModelName="m-3", PrimaryContainer=given)


def test_a_request_that_is_repeated_makes_one_version(registry: Any) -> None:
    """The client's token tells a repetition from a second request."""
    arns = {register(registry, ClientToken="one"), register(registry, ClientToken="one")}
    assert len(arns) == 1
    assert len(registry.list_model_packages(ModelPackageGroupName="flights")["ModelPackageSummaryList"]) == 1


def test_a_version_keeps_its_evidence(registry: Any) -> None:
    """Metrics and properties come back as they were given."""
    metrics = {
        "ModelQuality": {
            "Statistics": {"ContentType": "application/json", "S3Uri": "s3://lab/evaluation.json"}
        }
    }
    arn = register(registry, ModelMetrics=metrics, CustomerMetadataProperties={"key": "abc"})
    found = registry.describe_model_package(ModelPackageName=arn)
    assert found["ModelMetrics"] == metrics
    assert found["CustomerMetadataProperties"] == {"key": "abc"}
    assert found["InferenceSpecification"] == SPECIFICATION
    assert (found["ModelPackageStatus"], found["ModelPackageVersion"]) == ("Completed", 1)
    assert found["ModelApprovalStatus"] == "PendingManualApproval"


def test_a_version_is_approved_by_an_update(registry: Any) -> None:
    """Approval, its description and the properties change; the rest stays."""
    arn = register(registry, CustomerMetadataProperties={"a": "1", "b": "2"})
    registry.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription="better",
        CustomerMetadataProperties={"c": "3"},
        CustomerMetadataPropertiesToRemove=["a"],
    )
    found = registry.describe_model_package(ModelPackageName=arn)
    assert (found["ModelApprovalStatus"], found["ApprovalDescription"]) == ("Approved", "better")
    assert found["CustomerMetadataProperties"] == {"b": "2", "c": "3"}
    assert found["InferenceSpecification"] == SPECIFICATION


def test_versions_are_listed_by_approval(registry: Any) -> None:
    """The newest approved version of a group is one request away."""
    arns = [register(registry, ModelApprovalStatus=status) for status in ("Approved", "Rejected", "Approved")]
    found = registry.list_model_packages(
        ModelPackageGroupName="flights",
        ModelApprovalStatus="Approved",
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=1,
    )
    assert [item["ModelPackageArn"] for item in found["ModelPackageSummaryList"]] == [arns[2]]
    rest = registry.list_model_packages(
        ModelPackageGroupName="flights",
        ModelApprovalStatus="Approved",
        SortOrder="Descending",
        NextToken=found["NextToken"],
    )
    assert [item["ModelPackageArn"] for item in rest["ModelPackageSummaryList"]] == [arns[0]]


def test_a_group_is_found_by_name_and_arn_and_made_once(registry: Any) -> None:
    """The message of the second creation is the one that clients match."""
    for name in ("flights", GROUP):
        found = registry.describe_model_package_group(ModelPackageGroupName=name)
        assert (found["ModelPackageGroupArn"], found["ModelPackageGroupStatus"]) == (GROUP, "Completed")
    with refused("ValidationException", GROUP):
        registry.create_model_package_group(ModelPackageGroupName="flights")
    [listed] = registry.list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert listed["ModelPackageGroupName"] == "flights"


def test_a_group_with_versions_is_not_deleted(registry: Any) -> None:
    """Only an empty group goes."""
    arn = register(registry)
    with refused("ConflictException", GROUP):
        registry.delete_model_package_group(ModelPackageGroupName="flights")
    registry.delete_model_package(ModelPackageName=arn)
    registry.delete_model_package_group(ModelPackageGroupName="flights")
    with refused("ValidationException", "flights"):
        register(registry)


def test_a_version_belongs_to_a_group(registry: Any) -> None:
    """Unversioned packages are refused by name."""
    with refused("ValidationException", "ModelPackageGroupName"):
        registry.create_model_package(InferenceSpecification=SPECIFICATION, ModelPackageName="alone")


def test_a_model_is_made_described_listed_and_deleted(registry: Any) -> None:
    """A model's whole life."""
    container = {"Image": "model:local", "ModelDataUrl": "s3://lab/m.tar.gz", "Environment": {"A": "1"}}
    arn = registry.create_model(ModelName="m", PrimaryContainer=container)["ModelArn"]
    found = registry.describe_model(ModelName="m")
    assert (found["PrimaryContainer"], found["ModelArn"]) == (container, arn)
    with refused("ValidationException", arn):
        registry.create_model(ModelName="m", PrimaryContainer=container)
    assert [model["ModelName"] for model in registry.list_models()["Models"]] == ["m"]
    registry.delete_model(ModelName="m")
    with refused("ValidationException", "Could not find", arn):
        registry.describe_model(ModelName="m")


def test_a_model_can_be_made_of_a_version(registry: Any) -> None:
    """Image and data come from the package."""
    arn = register(registry)
    registry.create_model(ModelName="v", PrimaryContainer={"ModelPackageName": arn})
    assert registry.describe_model(ModelName="v")["PrimaryContainer"] == {
        "Image": "model:local",
        "ModelDataUrl": "s3://lab/model.tar.gz",
        "ModelPackageName": arn,
    }


def test_tags_are_added_changed_and_taken_away(registry: Any) -> None:
    """Tags given at the creation and after it are the same tags; they go with their resource."""
    arn = register(registry, Tags=[{"Key": "a", "Value": "1"}])
    registry.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
    assert registry.list_tags(ResourceArn=arn)["Tags"] == [
        {"Key": "a", "Value": "2"},
        {"Key": "b", "Value": ""},
    ]
    registry.delete_tags(ResourceArn=arn, TagKeys=["a", "never"])
    assert registry.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": ""}]
    registry.delete_model_package(ModelPackageName=arn)
    with refused("ValidationException", arn):
        registry.list_tags(ResourceArn=arn)


def test_a_resource_has_at_most_fifty_tags(registry: Any) -> None:
    """The limit of AWS."""
    tags = [{"Key": f"k{number}", "Value": "v"} for number in range(50)]
    registry.add_tags(ResourceArn=GROUP, Tags=tags)
    with refused("ResourceLimitExceeded", 50):
        registry.add_tags(ResourceArn=GROUP, Tags=[{"Key": "one-more", "Value": "v"}])


def test_the_registry_survives_a_restart(registry: Any, sagemaker: Service) -> None:
    """A killed service forgets nothing it has answered."""
    arn = register(registry, ModelApprovalStatus="Approved")
    sagemaker.restart()
    assert registry.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"] == "Approved"
    assert register(registry).endswith("/2")
